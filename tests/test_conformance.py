"""The conformance pack: this engine agrees with it, and another one would be caught."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from capture.conformance import TABLE, TOLERANCES, Check, check_pack, pack_folder, read_table
from capture.errors import ConfigurationError


def test_this_engine_finds_what_the_pack_says() -> None:
    """Every value of every picture lies within its tolerance."""
    assert [check for check in check_pack(pack_folder()) if not check.holds] == []


def test_the_pack_covers_every_measure_and_every_kind_of_trouble() -> None:
    """About 40 pictures: sharp, defocused, moved, too dark, too bright, flat, tiny, broken."""
    pictures = read_table(pack_folder())["pictures"]
    values = [row["values"] for row in pictures]
    assert len(pictures) >= 40
    for measure in TOLERANCES:
        assert sum(row.get(measure) is not None for row in values) >= 5, measure
    assert {row.get("blur.kind") for row in values} >= {"defocus", "motion", None}
    assert {row.get("verdict") for row in values} >= {"ACCEPT", "RETAKE"}
    assert "TRUNCATED" in {row["status"] for row in values}


def test_a_value_beyond_its_tolerance_is_a_failure() -> None:
    """Half the tolerance holds, twice the tolerance does not; a lost value never does."""
    golden = Check("x.jpg", "blur.blur_px", 2.0, 2.05, 0.1)
    assert golden.holds
    assert not replace(golden, found=2.2).holds
    assert not replace(golden, found=None).holds
    assert not replace(golden, expected=None).holds


def test_a_direction_just_below_180_is_near_one_just_above_0() -> None:
    """A line has no sign: 179 and 1 degrees differ by 2."""
    assert Check("x.jpg", "blur.motion_angle_deg", 179.0, 1.0, 4.0).holds
    assert not Check("x.jpg", "blur.motion_angle_deg", 90.0, 1.0, 4.0).holds


def test_a_picture_that_is_not_the_one_of_the_table_is_refused(tmp_path: Path) -> None:
    """A pack whose pictures were changed proves nothing."""
    pack = shutil.copytree(pack_folder(), tmp_path / "pack")
    (pack / "sky.jpg").write_bytes((pack / "black.png").read_bytes())
    with pytest.raises(ConfigurationError, match=r"sky\.jpg is not the picture"):
        list(check_pack(pack))


def test_the_command_fails_where_an_engine_differs(tmp_path: Path) -> None:
    """A pack that asks for another value gives exit code 3 and names the picture."""
    pack = shutil.copytree(pack_folder(), tmp_path / "pack")
    table = read_table(pack)
    row = next(row for row in table["pictures"] if row["file"] == "sky.jpg")
    row["values"]["exposure.offset_ev"] += 1.0
    table["pictures"] = [row]
    (pack / TABLE).write_text(json.dumps(table))
    command = [sys.executable, "-m", "capture", "conformance", str(pack)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert done.returncode == 3
    assert "sky.jpg" in done.stdout
