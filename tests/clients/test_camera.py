"""The example client for a webcam or a video file, without a window."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np

from capture.demo.samples import samples_folder
from capture.gates.stability import HintCode, MotionSource, Stability, StabilityState

CAMERA = Path(__file__).parents[2] / "samples" / "clients" / "camera.py"


def run(target: str, *arguments: object) -> subprocess.CompletedProcess[str]:
    """Run the client without a window."""
    command = [sys.executable, CAMERA, "--headless", "--target", target, *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, timeout=60)


def test_a_recorded_clip_is_guided_and_shot(target):
    """The shaken clip moves, settles and is ready; a shot is judged there and then."""
    done = run(target, samples_folder() / "burst" / "%03d.jpg", "--exposure-s", "0.0333")
    states = [line.split()[2] for line in done.stdout.splitlines()]
    assert done.returncode == 0, done.stderr
    assert len(states) == 90
    assert states.index("MOVING") < states.index("READY")
    shots = [line for line in done.stdout.splitlines() if line.endswith(("ACCEPT", "RETAKE"))]
    assert len(shots) >= 1


def test_a_source_that_cannot_be_opened_is_said(target):
    """A wrong name is one line, not a traceback."""
    done = run(target, "missing.mp4")
    assert done.returncode == 1
    assert done.stderr.strip().endswith("cannot open missing.mp4")


def test_what_the_server_refuses_is_said(target):
    """So is a profile that the server does not have."""
    done = run(target, samples_folder() / "burst" / "%03d.jpg", "--profile", "missing")
    assert done.returncode == 1
    (told,) = done.stderr.splitlines()
    assert told.startswith("camera.py: ")
    assert "missing" in told


def test_the_overlay_changes_nothing_but_its_bars():
    """Guidance is drawn below, the verdict above; what lies between stays the picture."""
    spec = importlib.util.spec_from_file_location("camera_client", CAMERA)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    frame = cv2.imread(str(samples_folder() / "burst" / "080.jpg"))
    guidance = Stability(
        1, 0.0, StabilityState.READY, True, 0.2, 0.5, 12.0, MotionSource.FRAMES,
        0.9, 400.0, HintCode.SHOOT, "shoot now", 0.1, 0.0, 40, 1, 0,
    )  # fmt: skip
    drawn = module.overlay(frame, guidance, None)
    assert np.array_equal(drawn[:-76], frame[:-76])
    assert not np.array_equal(drawn[-76:], frame[-76:])
