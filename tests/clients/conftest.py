"""The server that the example clients talk to."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from capture.demo.server_process import server_process


@pytest.fixture(scope="package")
def target() -> Iterator[str]:
    """A running server, in a process of its own."""
    with server_process() as target:
        yield target
