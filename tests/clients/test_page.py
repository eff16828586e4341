"""The page for those who write a client: its table and its code are true."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest

from capture.server.status import STATUS_TABLE

PAGE = (Path(__file__).parents[2] / "samples" / "clients" / "README.md").read_text()

X, Y, Z = np.eye(3)
"""Axes of the device: right of the screen, its top, out of the screen."""

TURN_DEG = {"ROTATION_0": 0, "ROTATION_90": 90, "ROTATION_180": 180, "ROTATION_270": 270}
"""How far the device is turned anticlockwise, as its user sees it (Android's documentation)."""


def rows() -> dict[str, tuple[str, str]]:
    """Read the table: Android's name of a rotation -> axes of the back and front camera."""
    cells = re.findall(r"\| (ROTATION_\d+) \| \w+ \| `(.+?)` \| `(.+?)` \|", PAGE)
    return {name: (back, front) for name, back, front in cells}


def axes(formula: str) -> np.ndarray:
    """Turn "x, -y, -z" into the camera's axes, one a row, in the axes of the device."""
    vectors = {"x": X, "y": Y, "z": Z}
    terms = [term.strip() for term in formula.split(",")]
    return np.array([-vectors[t[1:]] if t[0] == "-" else vectors[t] for t in terms])


def test_every_error_of_the_server_is_on_the_page():
    """With the status that a call ends with."""
    told = {
        (code, status)
        for codes, status in re.findall(r"^\| (`[A-Z_`, ]+) \| ([A-Z_]+) \|", PAGE, re.MULTILINE)
        for code in re.findall(r"`(\w+)`", codes)
    }
    assert told == {(row.code, row.status.name) for row in STATUS_TABLE.values()}


@pytest.mark.parametrize("rotation", TURN_DEG)
def test_the_table_turns_the_gyroscope_as_the_device_is_held(rotation):
    """Right and down of the upright picture, found from how the device is held."""
    angle = np.radians(TURN_DEG[rotation])
    # The user's right and down, in the axes of a device turned anticlockwise by the angle.
    right = np.cos(angle) * X - np.sin(angle) * Y
    down = -np.sin(angle) * X - np.cos(angle) * Y
    back, front = rows()[rotation]
    assert axes(back) == pytest.approx(np.array([right, down, -Z]), abs=1e-9)
    # The front camera looks at the user: its right is the user's left.
    assert axes(front) == pytest.approx(np.array([-right, down, Z]), abs=1e-9)


@pytest.mark.parametrize("rotation", TURN_DEG)
def test_no_row_of_the_table_is_a_mirror_image(rotation):
    """Angular speed may be turned, not mirrored: every row is right-handed."""
    for formula in rows()[rotation]:
        assert np.linalg.det(axes(formula)) == pytest.approx(1.0)


def test_the_loop_for_a_webcam_is_short_and_compiles():
    """The Python on the page is code, in under 15 lines."""
    (code,) = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)
    compile(code, "README.md", "exec")
    assert len([line for line in code.splitlines() if line.strip()]) < 15
