"""A page of pixels to draw on: the contact sheet, the explain view and the plots use it.

OpenCV 5 draws TrueType text with a font of its own, so that no plotting library is needed.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

import cv2
import numpy as np
from numpy.typing import NDArray

Color: TypeAlias = tuple[int, int, int]
"""Red, green, blue, each 0 to 255."""

INK: Color = (34, 34, 34)
GREY: Color = (120, 120, 120)
PAPER: Color = (255, 255, 255)
GREEN: Color = (26, 127, 55)
RED: Color = (200, 32, 32)
AMBER: Color = (178, 107, 0)
BLUE: Color = (42, 90, 170)

VERDICT_COLORS: dict[str, Color] = {"ACCEPT": GREEN, "RETAKE": RED, "CANNOT_ASSESS": AMBER}

REGULAR, BOLD = 400, 700


@dataclass(frozen=True, slots=True)
class Box:
    """A rectangle in pixels; x right, y down."""

    x: int
    y: int
    width: int
    height: int


class Canvas:
    """A page of `width` x `height` pixels, drawn from top left.

    Parameters
    ----------
    width, height : int
        Size in pixels.
    background : Color
        Colour of the empty page.
    """

    def __init__(self, width: int, height: int, background: Color = PAPER) -> None:
        self.pixels = np.full((height, width, 3), background[::-1], np.uint8)
        self._font = cv2.FontFace("sans")

    def text(
        self,
        text: str,
        x: int,
        y: int,
        *,
        size: int = 16,
        color: Color = INK,
        weight: int = REGULAR,
    ) -> None:
        """Draw one line whose baseline starts at (x, y)."""
        cv2.putText(self.pixels, text, (x, y), color[::-1], self._font, size, weight)

    def paragraph(
        self,
        text: str,
        x: int,
        y: int,
        width: int,
        *,
        size: int = 16,
        color: Color = INK,
        weight: int = REGULAR,
    ) -> int:
        """Draw `text` wrapped at `width` and return the baseline of the line after it."""
        line = ""
        for word in text.split():
            longer = f"{line} {word}".strip()
            if line and self.width_of(longer, size, weight) > width:
                self.text(line, x, y, size=size, color=color, weight=weight)
                y += round(1.35 * size)
                longer = word
            line = longer
        self.text(line, x, y, size=size, color=color, weight=weight)
        return y + round(1.35 * size)

    def width_of(self, text: str, size: int, weight: int = REGULAR) -> int:
        """Return the width of a line in pixels."""
        _, _, width, _ = cv2.getTextSize((0, 0), text, (0, 0), self._font, size, weight)
        return int(width)

    def fill(self, box: Box, color: Color, opacity: float = 1.0) -> None:
        """Fill a rectangle, blended with what is there; `opacity` in [0, 1]."""
        area = self.pixels[box.y : box.y + box.height, box.x : box.x + box.width]
        paint = np.full_like(area, color[::-1])
        cv2.addWeighted(paint, opacity, area, 1 - opacity, 0, dst=area)

    def frame(self, box: Box, color: Color, thickness: int = 1) -> None:
        """Draw the outline of a rectangle."""
        corner = (box.x + box.width - 1, box.y + box.height - 1)
        cv2.rectangle(self.pixels, (box.x, box.y), corner, color[::-1], thickness)

    def lines(self, points: NDArray[Any], color: Color, thickness: int = 1) -> None:
        """Draw a polyline through (n, 2) points given as x, y in pixels."""
        fixed = np.round(np.asarray(points, float) * 16).astype(np.int32)
        cv2.polylines(self.pixels, [fixed], False, color[::-1], thickness, cv2.LINE_AA, shift=4)

    def paste(self, picture: NDArray[Any], box: Box) -> Box:
        """Draw a grey or BGR picture as large as fits `box`, centred; return where it lies."""
        height, width = picture.shape[:2]
        scale = min(box.width / width, box.height / height)
        size = max(1, round(width * scale)), max(1, round(height * scale))
        method = cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR
        scaled = cv2.resize(picture, size, interpolation=method)
        if scaled.ndim == 2:
            scaled = cv2.cvtColor(scaled, cv2.COLOR_GRAY2BGR)
        x, y = box.x + (box.width - size[0]) // 2, box.y + (box.height - size[1]) // 2
        self.pixels[y : y + size[1], x : x + size[0]] = scaled
        return Box(x, y, *size)

    def save(self, path: Path) -> None:
        """Write the page; the format follows from the suffix.

        Raises
        ------
        OSError
            If it cannot be written.
        """
        if not cv2.haveImageWriter(path.name):
            raise OSError(f"cannot write a picture of the type {path.suffix!r}")
        _, encoded = cv2.imencode(path.suffix, self.pixels)
        path.write_bytes(encoded.tobytes())
