"""The script that made the samples, as a module."""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest

SCRIPT = Path(__file__).parents[2] / "samples" / "make_demo.py"


@pytest.fixture(scope="package")
def maker() -> Iterator[ModuleType]:
    """``samples/make_demo.py``."""
    spec = importlib.util.spec_from_file_location("make_demo", SCRIPT)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    with pytest.MonkeyPatch.context() as patch:
        # Dataclasses look their module up by name.
        patch.setitem(sys.modules, "make_demo", module)
        spec.loader.exec_module(module)
        yield module
