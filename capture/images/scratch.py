"""Memory for the colours of one picture, used again for the next.

A fresh array of 36 MB costs 9000 page faults, a tenth of the decoding of a 12 MP JPEG.
"""

from __future__ import annotations

import sys
from threading import Lock

import numpy as np
from numpy.typing import NDArray

MAX_KEPT_BYTES = 128 * 2**20
"""Larger pictures get memory of their own, so that one of them does not stay for ever."""


class ScratchBuffer:
    """Hands out one piece of memory again and again, but never while it is in use."""

    def __init__(self) -> None:
        self._kept = np.empty(0, np.uint8)
        self._lock = Lock()

    def take(self, shape: tuple[int, ...]) -> NDArray[np.uint8]:
        """Return an array of `shape`, uint8, with any content.

        It shares its memory with arrays handed out before only when none of them is alive.
        """
        size = int(np.prod(shape, dtype=np.int64))
        if size > MAX_KEPT_BYTES:
            return np.empty(shape, np.uint8)
        with self._lock:
            # Every view holds a reference to the array that owns its memory; two are
            # ours: the attribute and the argument of getrefcount.
            in_use = sys.getrefcount(self._kept) > 2
            if in_use or self._kept.size < size:
                self._kept = np.empty(size, np.uint8)
            return self._kept[:size].reshape(shape)
