"""The sharp photos from which blurred ones are simulated."""

from __future__ import annotations

import csv
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import skimage.data
from numpy.typing import NDArray

NOT_SHARP = {
    "038_photos_lomiri.jpg": "an embossed sheet without one crisp edge",
    "050_photos_banana.jpg": "focused before the carpet",
    "052_photos_banana.jpg": "focused before the carpet, the stalk is soft too",
    "053_photos_banana.jpg": "focused before the carpet",
    "054_photos_banana.jpg": "focused before the carpet",
    "056_photos_misc.jpg": "shaken",
    "072_camera_originals.jpg": "smeared by denoising, soft at 100 %",
    "110_camera_originals.jpg": "a screen photographed too near, soft at 100 %",
}
"""Photos of the corpus that are not sharp, seen by eye at 100 %, and why."""

_SKIMAGE_PHOTOS = ("astronaut", "brick", "coffee", "grass", "gravel", "stereo_motorcycle")
_SKIMAGE_REDUCTION = 0.7


@dataclass(frozen=True, slots=True)
class Base:
    """One sharp photo.

    Attributes
    ----------
    name : str
        File name, or ``skimage:`` and the name of the photo.
    collection : str
        Where it comes from.
    camera : str
        Camera model; empty where unknown.
    redistributable : bool
        Whether a model trained on it may be shipped.
    path : Path or None
        The file; None for scikit-image's own photos.
    """

    name: str
    collection: str
    camera: str
    redistributable: bool
    path: Path | None

    def read(self) -> NDArray[np.uint8]:
        """Return the photo as (H, W, 3) uint8 BGR.

        Raises
        ------
        FileNotFoundError
            If it cannot be read.
        """
        if self.path is None:
            return _read_skimage(self.name.removeprefix("skimage:"))
        color = cv2.imread(str(self.path), cv2.IMREAD_COLOR)
        if color is None:
            raise FileNotFoundError(f"no readable photo at {self.path}")
        return np.asarray(color, np.uint8)


def list_bases(corpus: Path) -> tuple[Base, ...]:
    """List the training bases of a corpus and scikit-image's photos, less what is not sharp.

    Parameters
    ----------
    corpus : Path
        Folder that holds ``training_bases/SOURCES.csv`` with the columns file, collection,
        may_be_redistributed and camera.

    Raises
    ------
    FileNotFoundError
        If the table is not there.
    """
    folder = corpus / "training_bases"
    with (folder / "SOURCES.csv").open(newline="", encoding="utf-8") as rows:
        photos = [
            Base(
                name=row["file"],
                collection=row["collection"],
                camera=row["camera"],
                redistributable=row["may_be_redistributed"] == "yes",
                path=folder / row["file"],
            )
            for row in csv.DictReader(rows)
            if row["file"] not in NOT_SHARP
        ]
    return (*photos, *list_skimage_bases())


def list_skimage_bases() -> tuple[Base, ...]:
    """List the sharp photos that come with scikit-image; they need no corpus."""
    return tuple(
        Base(f"skimage:{name}", "skimage", "", redistributable=True, path=None)
        for name in _SKIMAGE_PHOTOS
    )


def _read_skimage(name: str) -> NDArray[np.uint8]:
    photo = getattr(skimage.data, name)()
    if isinstance(photo, tuple):
        photo = photo[0]
    color = cv2.cvtColor(photo, cv2.COLOR_GRAY2BGR if photo.ndim == 2 else cv2.COLOR_RGB2BGR)
    # Reduced, so that what the lens left soft becomes sharp.
    size = tuple(round(_SKIMAGE_REDUCTION * side) for side in reversed(photo.shape[:2]))
    return np.asarray(cv2.resize(color, size, interpolation=cv2.INTER_AREA), np.uint8)
