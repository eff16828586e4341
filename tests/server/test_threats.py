"""The page of threats, held against the tests that it names."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

TESTS = Path(__file__).parents[1]
PAGE = (TESTS.parent / "capture" / "server" / "THREATS.md").read_text()
ROWS = [
    row
    for row in re.findall(r"^\| (.+) \|$", PAGE, re.MULTILINE)
    if not row.startswith("what they")
]


WHAT_IT_DOES = {
    "test_every_picture_of_a_stream_is_answered_once",
    "test_models_are_listed_with_what_is_known_of_them",
    "test_a_model_is_verified_on_the_cpu_of_the_server",
    "test_a_switch_outlives_workers_and_the_server",
    "test_rollback_serves_the_model_of_before",
    "test_rollback_with_nothing_before_is_told",
    "test_a_server_that_does_not_classify_has_no_use_for_models",
    "test_a_choice_that_cannot_be_read_is_told",
}
"""Tests of those files that are of use and not of defence."""


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.split(" |")[0])
def test_every_threat_names_tests_that_exist(row: str) -> None:
    """Who, how it is met, and at least one test, in a file that has it."""
    _, answer, tests = row.split(" | ")
    assert answer
    named = re.findall(r"`([\w/]+\.py)::(test_\w+)`", tests)
    assert len(named) == tests.count("`") / 2 >= 1
    for file, name in named:
        assert f"def {name}(" in (TESTS / file).read_text(), f"{file} has no {name}"


@pytest.mark.parametrize(
    "file", ["test_bounds.py", "test_connections.py", "test_models.py", "test_properties.py"]
)
def test_every_bound_is_on_the_page(file: str) -> None:
    """A test of what callers may take is worth a line."""
    names = set(
        re.findall(r"^(?:async )?def (test_\w+)\(", (TESTS / "server" / file).read_text(), re.M)
    )
    missing = {name for name in names if name not in PAGE}
    assert not missing - WHAT_IT_DOES
