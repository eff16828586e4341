"""Captures of scenes that the shipped model was not trained on, judged by us and by peers."""

from __future__ import annotations

import csv
import math
import zlib
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from skimage.measure import blur_effect

from capture.measure.blur import measure_blur
from capture.measure.measures import Blur, BlurKind
from capture.prepare.bases import Base, list_bases
from capture.prepare.blur_set import MIN_SUBJECT_DETAIL, simulate_benchmark
from capture.prepare.degrade import blur, composite, develop, draw_nuisance, to_linear
from capture.prepare.night_scenes import draw_night
from capture.prepare.point_spread import disk, line, no_blur
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
    def bokeh_of_subject(self) -> Flags:
        """Those of `bokeh` whose sharp part holds detail: not empty sky or a dark backdrop."""
        return self.bokeh & (self.truth["subject_detail"].astype(float) >= MIN_SUBJECT_DETAIL)

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
            measured = measure_blur(sample.luma)
            truth.append({"scene": sample.scene, "camera": sample.camera, **sample.truth})
            numbers.append(
                (
                    *_numbers(measured),
                    -float(cv2.Laplacian(sample.luma, cv2.CV_64F).var()),
                    float(blur_effect(sample.luma)),
                )
            )
    columns = {name: np.array([row[name] for row in truth]) for name in truth[0]}
    probability, sigma_px, angle_deg, is_motion, laplacian, effect = np.array(numbers, float).T
    return Judged(columns, probability, sigma_px, angle_deg, is_motion > 0, laplacian, effect)


def judge_hard(bases: tuple[Base, ...], kind: str) -> tuple[Floats, NDArray[np.str_]]:
    """Judge captures that are sharp and look soft.

    Parameters
    ----------
    bases : tuple of Base
        Sharp photos.
    kind : str
        ``fog``: 60 to 85 % of the light is airlight. ``macro``: a sharp ellipse of 6 to 12 %
        of the frame before a background blurred by a disk of 8 to 14 px.

    Returns
    -------
    probability : (n,) float64
        NaN where nothing was said.
    scenes : (n,) str
        Scene of each capture, two of a scene.
    """
    answers, scenes = [], []
    for base in bases:
        rng = np.random.default_rng([SEED, zlib.crc32(base.name.encode())])
        scene = to_linear(base.read())
        for _ in range(2):
            nuisance = replace(draw_nuisance(rng), haze=0.0)
            seen = scene
            if kind == "fog":
                nuisance = replace(nuisance, haze=float(rng.uniform(0.6, 0.85)))
            else:
                seen = composite(scene, blur(scene, disk(rng.uniform(8, 14))), _spot(scene, rng))
            answers.append(measure_blur(develop(seen, nuisance)).probability)
            scenes.append(base.name)
    return np.array([np.nan if p is None else p for p in answers], float), np.array(scenes)


def judge_night(bases: tuple[Base, ...]) -> tuple[Floats, Flags, NDArray[np.str_]]:
    """Judge scenes at night with lamps: two sharp, two out of focus, two moved.

    Returns
    -------
    probability : (n,) float64
        NaN where nothing was said.
    blurred : (n,) bool
        Defocus of radius 3 to 10 px, straight movement of 8 to 40 px.
    scenes : (n,) str
        Scene of each capture.
    """
    answers, blurred, scenes = [], [], []
    for base in bases:
        rng = np.random.default_rng([SEED, zlib.crc32(base.name.encode())])
        scene = to_linear(base.read())
        for _ in range(2):
            spreads = (
                no_blur(),
                disk(rng.uniform(3, 10)),
                line(rng.uniform(8, 40), rng.uniform(0, 180)),
            )
            for spread in spreads:
                seen = blur(draw_night(scene, rng), spread)
                answers.append(measure_blur(develop(seen, draw_nuisance(rng))).probability)
                blurred.append(spread.extent_px > 0)
                scenes.append(base.name)
    probability = np.array([np.nan if p is None else p for p in answers], float)
    return probability, np.array(blurred), np.array(scenes)


def _spot(scene: NDArray[np.float32], rng: np.random.Generator) -> NDArray[np.float32]:
    height, width = scene.shape[:2]
    radius = math.sqrt(rng.uniform(0.06, 0.12) * height * width / math.pi)
    centre = int(width * rng.uniform(0.3, 0.7)), int(height * rng.uniform(0.3, 0.7))
    mask = np.zeros((height, width), np.float32)
    cv2.ellipse(mask, centre, (int(1.2 * radius), int(radius / 1.2)), 0, 0, 360, 1.0, -1)
    return np.asarray(cv2.GaussianBlur(mask, (0, 0), 3.0), np.float32)


def _numbers(measured: Blur) -> tuple[float, float, float, float]:
    def known(value: float | None) -> float:
        return float("nan") if value is None else value

    moved = float(measured.kind is BlurKind.MOTION)
    angle_deg = known(measured.motion_angle_deg)
    return known(measured.probability), known(measured.blur_px), angle_deg, moved
