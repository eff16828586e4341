"""The wire: generated code is what proto/ says, and the names on it are stable."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

import capture.v1
from capture.gates.verdict import ReasonCode, Verdict
from capture.v1 import assessment_pb2
from capture.wire.presence import number_of
from tests.wire import ROOT, generate


def test_the_committed_code_is_what_proto_generates(tmp_path: Path) -> None:
    """Generating again gives the committed files, to the letter."""
    generate(tmp_path)
    fresh = {file.name: file.read_text() for file in (tmp_path / "capture/v1").iterdir()}
    committed = Path(capture.v1.__file__).parent
    assert {name: (committed / name).read_text() for name in fresh} == fresh
    assert {file.name for file in committed.glob("*_pb2*")} == set(fresh)


def test_the_wire_definitions_are_clean() -> None:
    """The buf linter has nothing to say, comments included."""
    buf = Path(sys.executable).parent / "buf"
    done = subprocess.run([buf, "lint", ROOT / "proto"], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout


def test_every_verdict_and_reason_has_its_number_on_the_wire() -> None:
    """The enumerations of the code and of the wire hold the same names."""
    verdicts = {
        name.removeprefix("VERDICT_") for name in assessment_pb2.Verdict.DESCRIPTOR.values_by_name
    }
    assert verdicts - {"UNSPECIFIED"} == {verdict.value for verdict in Verdict}
    reasons = {
        name.removeprefix("REASON_CODE_")
        for name in assessment_pb2.ReasonCode.DESCRIPTOR.values_by_name
    }
    assert reasons - {"UNSPECIFIED"} == {code.value for code in ReasonCode}


def test_a_number_that_was_not_set_is_not_zero() -> None:
    """And one that was set to 0 is."""
    message = assessment_pb2.Blur()
    assert number_of(message, "blur_px") is None
    message.blur_px = 0.0
    assert number_of(message, "blur_px") == 0.0
    with pytest.raises(ValueError, match="blur_pixels"):
        number_of(message, "blur_pixels")
