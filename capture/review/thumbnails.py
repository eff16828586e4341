"""Small pictures for a page, decoded in worker processes: files may be hostile."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from dataclasses import dataclass

import cv2

from capture.errors import ImageError
from capture.images import EncodedImage, decode_image
from inference.errors import WorkerError
from inference.lanes import LanePool

LONG_EDGE_PX = 200
JPEG_QUALITY = 72
MEMORY_LIMIT_BYTES = 4 << 30
JOB_TIMEOUT_S = 20.0
MAX_PIXELS = 200_000_000


@dataclass(frozen=True, slots=True)
class ThumbnailJob:
    """Make a picture small.

    Attributes
    ----------
    image : EncodedImage
        The bytes.
    """

    image: EncodedImage


def make_thumbnail(job: ThumbnailJob) -> bytes | None:
    """Return a small JPEG, upright; None for what cannot be decoded."""
    try:
        decoded = decode_image(job.image, MAX_PIXELS)
    except ImageError:
        return None
    color = decoded.upright_color(LONG_EDGE_PX)
    height_px, width_px = color.shape[:2]
    scale = min(1.0, LONG_EDGE_PX / max(height_px, width_px))
    # A panorama of one line stays one line high.
    size = max(1, round(width_px * scale)), max(1, round(height_px * scale))
    small = cv2.resize(color, size, interpolation=cv2.INTER_AREA)
    return bytes(cv2.imencode(".jpg", small, [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY])[1])


def build_thumbnailer() -> Callable[[ThumbnailJob], bytes | None]:
    """Build the handler of a worker process; called once, inside it."""
    cv2.setNumThreads(1)
    return make_thumbnail


async def thumbnails_of(
    pictures: Iterable[tuple[str, Callable[[], bytes | None]]], *, worker_count: int
) -> dict[str, bytes]:
    """Make the small pictures of many.

    Parameters
    ----------
    pictures : iterable of (str, callable)
        Paths as in the ledger, each with what returns the bytes there; None where there is
        nothing to be read any more. It is asked for one at a time, in a thread.
    worker_count : int
        Processes to use, at least 1.

    Returns
    -------
    dict of str to bytes
        A JPEG by path; paths that gave none are missing.
    """
    small: dict[str, bytes] = {}
    waiting = iter(pictures)
    is_free = asyncio.Lock()

    async def take() -> tuple[str, Callable[[], bytes | None]] | None:
        async with is_free:
            return await asyncio.to_thread(next, waiting, None)

    async def work(pool: LanePool) -> None:
        while found := await take():
            path, read = found
            data = await asyncio.to_thread(read)
            if data is None:
                continue
            try:
                thumbnail = await pool.run(ThumbnailJob(EncodedImage(data)))
            except WorkerError:
                continue  # the ledger has its row; the page can do without the picture
            if thumbnail is not None:
                small[path] = thumbnail

    pool = LanePool(
        build_thumbnailer,
        worker_count=worker_count,
        job_timeout_s=JOB_TIMEOUT_S,
        memory_limit_bytes=MEMORY_LIMIT_BYTES,
    )
    async with pool, asyncio.TaskGroup() as workers:
        for _ in range(worker_count + 1):
            workers.create_task(work(pool))
    return small
