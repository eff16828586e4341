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
_RAMP = {0: True, 3: False, 4: False, 5: False, 6: False, 8: True, 9: True}
"""The focus ramp pcb_closeup, seen by eye: 0 lies before the plane of focus, 8 and 9 behind."""


@dataclass(frozen=True, slots=True, eq=False)
class RealPhoto:
    """One labelled photo: its luma, (H, W) uint8, and whether it is blurred."""

    name: str
    luma: NDArray[np.uint8]
    is_blurred: bool


def read_real_photos(corpus: Path) -> tuple[RealPhoto, ...]:
    """Read every photo of the corpus whose focus is known."""
    photos = []
    with (corpus / "MANIFEST.csv").open(newline="", encoding="utf-8") as file:
        for row in csv.DictReader(file):
            is_blurred = _label(row)
            if is_blurred is not None:
                luma = cv2.imread(str(corpus / row["file"]), cv2.IMREAD_GRAYSCALE)
                photos.append(RealPhoto(row["file"], np.asarray(luma, np.uint8), is_blurred))
    return tuple(photos)


def _label(row: dict[str, str]) -> bool | None:
    collection, name = row["collection"], Path(row["file"])
    if collection.startswith("blur_kwentar"):
        return row["label"] != "sharp"
    if collection == "blur_desk_phone":
        return _DESK.get(name.stem)
    if collection == "camera_originals":
        return {"sharp": False, "blurred": True}.get(row["focus_by_eye"])
    if collection == "focus_stacks" and row["scene"] == "pcb_closeup":
        return _RAMP.get(int(name.stem[-3:]))
    return None
