"""The shipped model of the blur measure: tiles in, one answer for the picture out.

``blur_model.npz`` is trained by ``capture.prepare``; its model card lies beside it.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from capture.measure.blur_features import blur_features
from capture.measure.trees import Trees

MODEL_PATH = Path(__file__).with_name("blur_model.npz")
SIGMA_OFFSET_PX = 0.5
"""The model learns log(sigma + 0.5 px): absolute error where sharp, relative where not."""


@dataclass(frozen=True, slots=True)
class BlurAnswer:
    """What the model says of the tiles of one picture.

    Attributes
    ----------
    probability : float
        Calibrated probability in [0, 1] that the sharpest substantial part is blurred.
    sigma_px : float
        Gaussian-equivalent standard deviation of the blur in pixels of the tiles, >= 0.
    motion_probability : float
        Probability in [0, 1] that movement made the blur, and not the lens.
    anisotropy : float
        (l1 - l2) / (l1 + l2) in [0, 1]: 0 for a disk, 1 for a line.
    angle_deg : float
        Direction of the long axis in [0, 180), from +x towards +y.
    """

    probability: float
    sigma_px: float
    motion_probability: float
    anisotropy: float
    angle_deg: float


@dataclass(frozen=True, slots=True, eq=False)
class BlurModel:
    """Three sums of trees and a linear map for the direction.

    Attributes
    ----------
    trees : Trees
        Three sums: logit of blurred; log(sigma + 0.5 px); logit of motion.
    direction : (v,) float32
        Weight of each vector feature.
    logit_slope, logit_offset : float
        Fitted on scenes that were not trained on (Platt scaling).
    """

    trees: Trees
    direction: NDArray[np.float32]
    logit_slope: float
    logit_offset: float

    def judge(self, tiles: NDArray[np.uint8]) -> BlurAnswer:
        """Judge the tiles of one picture.

        Parameters
        ----------
        tiles : (n, 128, 128) uint8
            Gamma-encoded luma, n >= 1.
        """
        features = blur_features(tiles)
        return self.answer(features.scalars, features.vectors)

    def answer(self, scalars: NDArray[np.float32], vectors: NDArray[np.float32]) -> BlurAnswer:
        """Judge by the features of the tiles of one picture, as `BlurFeatures` has them."""
        turned = self.direction[:, None] * vectors
        along_0, along_45 = turned.sum(0, dtype=np.float64).tolist()
        logit, log_sigma, motion = self.trees.predict(scalars).tolist()
        return BlurAnswer(
            probability=_logistic(self.logit_slope * logit + self.logit_offset),
            sigma_px=max(0.0, math.exp(log_sigma) - SIGMA_OFFSET_PX),
            motion_probability=_logistic(motion),
            anisotropy=min(1.0, math.hypot(along_0, along_45)),
            angle_deg=math.degrees(math.atan2(along_45, along_0)) / 2 % 180.0,
        )

    def write(self, path: Path) -> None:
        """Write the model as an ``.npz`` file."""
        with path.open("wb") as file:
            np.savez_compressed(
                file,
                allow_pickle=False,
                direction=self.direction,
                logit=np.array([self.logit_slope, self.logit_offset]),
                **self.trees.arrays(),
            )

    @classmethod
    def read(cls, path: Path) -> BlurModel:
        """Read what `write` wrote."""
        with np.load(path, allow_pickle=False) as arrays:
            slope, offset = (float(value) for value in arrays["logit"])
            return cls(
                Trees.from_arrays(arrays),
                arrays["direction"],
                slope,
                offset,
            )


@cache
def load_blur_model() -> BlurModel:
    """Return the shipped model, loaded once in each process."""
    return BlurModel.read(MODEL_PATH)


def _logistic(logit: float) -> float:
    return 1.0 / (1.0 + math.exp(-max(-60.0, min(60.0, logit))))
