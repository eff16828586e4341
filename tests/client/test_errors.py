"""The client's reading of what a server says went wrong."""

from __future__ import annotations

import pytest

from capture.client import JudgementFailedError
from capture.client import errors as client_errors
from capture.server import status


@pytest.mark.parametrize("row", sorted(set(status.STATUS_TABLE.values()), key=lambda row: row.code))
def test_every_error_of_the_server_has_a_class_here(row):
    """What the server tells in its own words is never an unknown failure here."""
    error = client_errors.error_of(row.code, "in words")
    told_without_a_class = {"POISON", "TIMEOUT", "IMAGE_ERROR"}
    if row.tells and row.code not in told_without_a_class:
        assert not isinstance(error, JudgementFailedError)
    assert str(error) == "in words"
