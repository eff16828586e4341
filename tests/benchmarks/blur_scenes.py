"""Captures of scenes that the shipped model was not trained on, judged by us and by peers."""

from __future__ import annotations

import csv
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from skimage.measure import blur_effect

from capture.measure.blur import measure_blur
from capture.measure.measures import Blur, BlurKind
from capture.prepare.bases import Base, list_bases
from capture.prepare.blur_set import simulate_benchmark
from capture.prepare.simulated_set import draw_scene

SEED = 100

Flags = NDArray[np.bool_]
Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class Judged:
    """Every capture of the held-out scenes: its truth, our answer, and the peers' scores.

    Attributes
    ----------
    truth : dict of (n,) arrays
        Columns of `Capture.truth`, with scene and camera.
    probability, sigma_px, angle_deg : (n,) float64
        Ours; NaN where the measure could not tell.
    is_motion : (n,) bool
        Ours.
    laplacian, blur_effect : (n,) float64
        Peers; higher is more blurred.
    """

    truth: dict[str, NDArray[Any]]
    probability: Floats
    sigma_px: Floats
    angle_deg: Floats
    is_motion: Flags
    laplacian: Floats
    blur_effect: Floats

    @property
    def score(self) -> Floats:
        """Probability, 0 where the measure could not tell: such a picture is not refused."""
        return np.nan_to_num(self.probability, nan=0.0)

    def caused(self, *causes: str, low: float = 0.0, high: float = 1e9) -> Flags:
        """Return the captures blurred as a whole by one of `causes`, of this extent."""
        extent = self.truth["extent_px"]
        inside = (extent >= low) & (extent <= high) & ~self.truth["is_composite"]
        return np.isin(self.truth["cause"], causes) & inside

    @property
    def sharp(self) -> Flags:
        """Captures of nothing but the scene."""
        return self.caused("none")

    @property
    def bokeh(self) -> Flags:
        """Sharp subjects before soft backgrounds."""
        return self.truth["is_composite"].astype(bool)

    @property
    def pooled(self) -> Flags:
        """Defocus of 2 px and more, movement of 5 to 10 px."""
        return self.caused("disk", low=2) | self.caused("line", "shake", low=5, high=10)

    @property
    def first_half(self) -> Flags:
        """Captures of the cameras on which thresholds are frozen."""
        return np.array([zlib.crc32(c.encode()) % 2 == 0 for c in self.truth["camera"]])


def list_held_out(corpus: Path) -> tuple[Base, ...]:
    """Return the bases that no shipped model may be trained on, and the bracketed scenes."""
    brackets = {}
    with (corpus / "MANIFEST.csv").open(newline="", encoding="utf-8") as file:
        for row in csv.DictReader(file):
            if row["collection"] == "exposure_brackets":
                path = corpus / row["file"]
                mean = float(np.asarray(cv2.imread(str(path), cv2.IMREAD_GRAYSCALE)).mean())
                off = abs(mean - 110)
                if off < brackets.get(row["scene"], (np.inf, path))[0]:
                    brackets[row["scene"]] = (off, path)
    return (
        *(b for b in list_bases(corpus) if not b.redistributable),
        *(
            Base(scene, "exposure_brackets", scene, redistributable=False, path=path)
            for scene, (_, path) in sorted(brackets.items())
        ),
    )


def judge_scenes(bases: tuple[Base, ...]) -> Judged:
    """Simulate every scene and judge each capture."""
    truth: list[dict[str, Any]] = []
    numbers: list[tuple[float, ...]] = []
    for base in bases:
        for sample in draw_scene(base, simulate_benchmark, SEED):
            blur = measure_blur(sample.luma)
            truth.append({"scene": sample.scene, "camera": sample.camera, **sample.truth})
            numbers.append(
                (
                    *_numbers(blur),
                    -float(cv2.Laplacian(sample.luma, cv2.CV_64F).var()),
                    float(blur_effect(sample.luma)),
                )
            )
    columns = {name: np.array([row[name] for row in truth]) for name in truth[0]}
    probability, sigma_px, angle_deg, is_motion, laplacian, effect = np.array(numbers, float).T
    return Judged(columns, probability, sigma_px, angle_deg, is_motion > 0, laplacian, effect)


def _numbers(blur: Blur) -> tuple[float, float, float, float]:
    def known(value: float | None) -> float:
        return float("nan") if value is None else value

    moved = float(blur.kind is BlurKind.MOTION)
    return known(blur.probability), known(blur.blur_px), known(blur.motion_angle_deg), moved
