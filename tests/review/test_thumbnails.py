"""Pictures on the page are small, upright, and made where hostile files do no harm."""

from __future__ import annotations

from functools import partial

import cv2
import numpy as np

from capture.review.thumbnails import LONG_EDGE_PX, thumbnails_of
from tests.archive.pictures import jpeg


async def test_pictures_are_made_small() -> None:
    """The long edge fits, the shape stays; what cannot be read or decoded is left out."""
    files = {"/wide": jpeg(1, 1600, 800), "/small": jpeg(2, 64, 48), "/broken": b"\xff\xd8\xff"}
    pictures = ((path, partial(files.get, path)) for path in (*files, "/gone"))
    small = await thumbnails_of(pictures, worker_count=1)
    shapes = {
        path: cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR).shape[:2]
        for path, data in small.items()
    }
    assert shapes == {"/wide": (LONG_EDGE_PX // 2, LONG_EDGE_PX), "/small": (48, 64)}


async def test_a_picture_of_one_line_stays_one_line_high() -> None:
    """The narrowest picture there is still has a small one."""
    small = await thumbnails_of([("/line", jpeg_of_one_line)], worker_count=1)
    shape = cv2.imdecode(np.frombuffer(small["/line"], np.uint8), cv2.IMREAD_COLOR).shape[:2]
    assert shape == (1, LONG_EDGE_PX)


def jpeg_of_one_line() -> bytes:
    line = np.full((1, 20_000, 3), 128, np.uint8)
    return bytes(cv2.imencode(".jpg", line)[1])
