"""Photos of the development corpus that were really blurred, or really sharp."""

from __future__ import annotations

import csv
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

_DESK = {"img1": True, "img5": True, "img2": False, "img3": False, "img4": False}
"""img6 is shaken mildly: neither."""
_RAMP = {0: False, 1: False, 2: False, 3: False, 8: True, 9: True}
"""The focus ramp pcb_closeup, as the corpus labels it."""
_RAMP_IN_DOUBT = (0, 1, 2)
"""Called sharp by the corpus; by eye the plane of focus lies before all that the frame shows."""


@dataclass(frozen=True, slots=True, eq=False)
class RealPhoto:
    """One labelled photo.

    Attributes
    ----------
    name : str
        Path in the corpus.
    scene : str
        Photos of one scene are not independent.
    luma : (H, W) uint8
        Gamma-encoded luma.
    is_blurred : bool
        As the corpus says.
    in_doubt : bool
        Whether the eye says otherwise.
    """

    name: str
    scene: str
    luma: NDArray[np.uint8]
    is_blurred: bool
    in_doubt: bool


def read_real_photos(corpus: Path) -> tuple[RealPhoto, ...]:
    """Read every photo of the corpus whose focus is known."""
    photos = []
    with (corpus / "MANIFEST.csv").open(newline="", encoding="utf-8") as file:
        for row in csv.DictReader(file):
            is_blurred = _label(row)
            if is_blurred is not None:
                luma = cv2.imread(str(corpus / row["file"]), cv2.IMREAD_GRAYSCALE)
                photos.append(
                    RealPhoto(
                        row["file"],
                        _scene(row),
                        np.asarray(luma, np.uint8),
                        is_blurred,
                        _is_ramp(row) and int(Path(row["file"]).stem[-3:]) in _RAMP_IN_DOUBT,
                    )
                )
    return tuple(photos)


def _label(row: dict[str, str]) -> bool | None:
    collection, name = row["collection"], Path(row["file"])
    if collection.startswith("blur_kwentar"):
        return row["label"] != "sharp"
    if collection == "blur_desk_phone":
        return _DESK.get(name.stem)
    if collection == "camera_originals":
        return {"sharp": False, "blurred": True}.get(row["focus_by_eye"])
    if _is_ramp(row):
        return _RAMP.get(int(name.stem[-3:]))
    return None


def _is_ramp(row: dict[str, str]) -> bool:
    return row["collection"] == "focus_stacks" and row["scene"] == "pcb_closeup"


def _scene(row: dict[str, str]) -> str:
    collection, name = row["collection"], Path(row["file"]).name
    if collection.startswith("blur_kwentar"):
        # The file starts with the number of its scene; the sizes show the same ones.
        return "kwentar" + name.split("_")[0]
    return row["scene"] if collection in ("camera_originals", "focus_stacks") else collection
