"""Fit the exposure offset to real brackets: one scene taken at known shutter times.

Never to pictures darkened or brightened afterwards: they keep the clipped ends of their
source, which gives the answer away. A model fitted to those had a mean error of 1 stop on
real brackets.

The brackets are read from the development corpus and are not redistributed; the three
numbers that come out are. ``python -m capture.prepare.exposure CORPUS`` prints them.
"""

from __future__ import annotations

import csv
import sys
from collections import defaultdict
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from capture.images import EncodedImage, decode_image
from capture.measure.exposure import (
    level_shares,
    mean_luma_of,
    offset_ev_of,
    offset_terms,
    textured_luma_of,
)
from capture.measure.luma import srgb_to_linear

MAX_OFFSET_EV = 4.5
"""Frames further from well exposed are black or white: nothing to fit to."""

GOOD_WEIGHT = 0.2
"""Weight of an ordinary photo, taken to be well exposed, beside a frame of a bracket."""

USABLE_LEVELS = (26, 244)
"""Luma within these ends has kept its detail; the frame with most of it is well exposed."""

MAX_PIXELS = 100_000_000


@dataclass(frozen=True, slots=True, eq=False)
class Tones:
    """How often each luma level occurs, (256,) shares, and the luma of the texture."""

    shares: NDArray[np.float64]
    textured_luma: float

    @property
    def mean_luma(self) -> float:
        """In [0, 1]."""
        return mean_luma_of(self.shares)


@dataclass(frozen=True, slots=True, eq=False)
class BracketFrame:
    """One frame of a bracket.

    Attributes
    ----------
    scene : str
        The bracket it belongs to.
    offset_ev : float
        Stops from the frame of its bracket that lost least at both ends.
    tones : Tones
        Its brightness.
    """

    scene: str
    offset_ev: float
    tones: Tones


def read_brackets(corpus: Path) -> list[BracketFrame]:
    """Read the longest part of every bracket in which the pictures follow their labels."""
    with (corpus / "MANIFEST.csv").open(newline="") as manifest:
        rows = [row for row in csv.DictReader(manifest) if row["collection"] == "exposure_brackets"]
    scenes: dict[str, list[BracketFrame]] = defaultdict(list)
    for row in rows:
        tones = read_tones(corpus / row["file"])
        frame = BracketFrame(row["scene"], float(row["ev_rel_to_brightest"]), tones)
        scenes[frame.scene].append(frame)
    return [frame for frames in scenes.values() for frame in bracket_of(frames)]


def read_good_photos(corpus: Path) -> list[Tones]:
    """Read ordinary photos, which were meant to look as they do."""
    return [read_tones(path) for path in sorted(corpus.glob("training_bases/*.jpg"))]


def read_tones(path: Path) -> Tones:
    """Read the tones of one picture."""
    luma = decode_image(EncodedImage(path.read_bytes()), MAX_PIXELS).luma
    return Tones(level_shares(luma), textured_luma_of(luma))


def fit(frames: list[BracketFrame], good_photos: list[Tones]) -> list[float]:
    """Return the weights of `offset_terms`, by weighted least squares."""
    near = [frame for frame in frames if abs(frame.offset_ev) <= MAX_OFFSET_EV]
    tones = [*(frame.tones for frame in near), *good_photos]
    terms = np.array([offset_terms(each.mean_luma) for each in tones])
    offsets_ev = np.array([*(frame.offset_ev for frame in near), *np.zeros(len(good_photos))])
    weights = np.sqrt([*np.ones(len(near)), *np.full(len(good_photos), GOOD_WEIGHT)])
    coefficients, *_ = np.linalg.lstsq(terms * weights[:, np.newaxis], offsets_ev * weights)
    return [float(value) for value in coefficients]


def cross_validate(frames: list[BracketFrame], good_photos: list[Tones]) -> NDArray[np.float64]:
    """Estimate every frame's offset, (N,) in stops, by a fit that has not seen its scene."""
    estimates_ev = np.empty(len(frames))
    for scene in {frame.scene for frame in frames}:
        coefficients = fit([frame for frame in frames if frame.scene != scene], good_photos)
        for index, frame in enumerate(frames):
            if frame.scene == scene:
                tones = frame.tones
                estimates_ev[index] = offset_ev_of(
                    tones.mean_luma, tones.textured_luma, coefficients
                )
    return estimates_ev


def bracket_of(frames: list[BracketFrame]) -> list[BracketFrame]:
    """Keep what can be believed of a bracket, and count stops from its best frame.

    Parameters
    ----------
    frames : list of BracketFrame
        Of one scene; their offsets count from anywhere.

    Returns
    -------
    list of BracketFrame
        The longest part in which the pictures follow their labels, darkest first. Offsets
        count from the frame of it that has most usable levels.
    """
    frames = _longest_true_part(sorted(frames, key=lambda frame: frame.offset_ev))
    best = max(frames, key=lambda frame: _usable_share(frame.tones.shares))
    return [replace(frame, offset_ev=frame.offset_ev - best.offset_ev) for frame in frames]


def _longest_true_part(frames: list[BracketFrame]) -> list[BracketFrame]:
    """Cut a bracket where the picture does not follow its label, and keep the longest part.

    Some brackets hold frames that are labelled a stop apart and look the same, as if the
    camera had made up for the shutter; the labels on both sides of them do not compare.
    """
    parts = [[frames[0]]]
    for before, after in pairwise(frames):
        if _follows_its_label(before, after):
            parts[-1].append(after)
        else:
            parts.append([after])
    return max(parts, key=len)


def _follows_its_label(before: BracketFrame, after: BracketFrame) -> bool:
    brightness = [_log_mean_luminance(frame.tones.shares) for frame in (before, after)]
    if min(brightness) < -5.5 or max(brightness) > -0.8:
        return True  # too near black or white to tell
    return brightness[1] - brightness[0] > 0.3 * (after.offset_ev - before.offset_ev)


def _usable_share(shares: NDArray[np.float64]) -> float:
    darkest, brightest = USABLE_LEVELS
    return float(shares[darkest : brightest + 1].sum())


def _log_mean_luminance(shares: NDArray[np.float64]) -> float:
    """Return the mean of the luminance in stops, softened at black."""
    return float(shares @ np.log2(srgb_to_linear(np.arange(256) / 255) + 1e-3))


def main(corpus: Path) -> None:
    """Print the fitted coefficients and their cross-validated error."""
    frames, good_photos = read_brackets(corpus), read_good_photos(corpus)
    near = np.array([abs(frame.offset_ev) <= 3.1 for frame in frames])
    errors_ev = cross_validate(frames, good_photos) - [frame.offset_ev for frame in frames]
    scene_count = len({frame.scene for frame in frames})
    print(f"{len(frames)} frames of {scene_count} brackets, {len(good_photos)} ordinary photos")
    print(f"mean absolute error within 3 stops: {np.abs(errors_ev[near]).mean():.2f} EV")
    coefficients = ", ".join(f"{value:.3f}" for value in fit(frames, good_photos))
    print(f"OFFSET_COEFFICIENTS = ({coefficients})")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
