"""Pictures for the tests of the archive, made from seeds."""

from __future__ import annotations

import cv2
import numpy as np


def jpeg(seed: int, width_px: int = 320, height_px: int = 240) -> bytes:
    """A textured picture; another seed gives other bytes."""
    rng = np.random.default_rng(seed)
    coarse = rng.integers(40, 216, (height_px // 16, width_px // 16, 3), dtype=np.uint8)
    picture = cv2.resize(coarse, (width_px, height_px), interpolation=cv2.INTER_NEAREST)
    return bytes(cv2.imencode(".jpg", picture)[1])
