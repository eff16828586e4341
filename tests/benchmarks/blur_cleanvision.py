"""CleanVision's blurry score on simulated captures, from an environment of its own."""

from __future__ import annotations

import json
import subprocess
import tempfile
from pathlib import Path

import cv2
import numpy as np

from capture.prepare.bases import Base
from capture.prepare.blur_set import simulate_benchmark
from capture.prepare.simulated_set import draw_scene
from tests.benchmarks.archive_peers import HERE, PeerUnavailableError, python_of
from tests.benchmarks.blur_scenes import SEED, Floats

TIMEOUT_S = 900


def judge_by_cleanvision(bases: tuple[Base, ...]) -> Floats:
    """Score every capture of some scenes, in the order of `judge_scenes`.

    Returns
    -------
    (n,) float64
        Higher is more blurred.

    Raises
    ------
    PeerUnavailableError
        If CleanVision cannot be installed or does not answer for every capture.
    """
    with tempfile.TemporaryDirectory() as folder:
        names = []
        for base in bases:
            for sample in draw_scene(base, simulate_benchmark, SEED):
                names.append(f"{len(names):05d}.png")
                cv2.imwrite(str(Path(folder) / names[-1]), sample.luma)
        command = [str(python_of("cleanvision")), str(HERE / "cleanvision_blur.py"), folder]
        done = subprocess.run(
            command, capture_output=True, text=True, timeout=TIMEOUT_S, check=False
        )
    if done.returncode != 0:
        raise PeerUnavailableError(done.stderr.strip()[-200:])
    scores = json.loads(done.stdout.splitlines()[-1])
    if set(scores) != set(names):
        raise PeerUnavailableError(f"answered for {len(scores)} of {len(names)} captures")
    return -np.array([scores[name] for name in names], float)
