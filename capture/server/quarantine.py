"""Pictures that ended their workers, kept for whoever looks into it.

Off unless a folder is configured: they are photographs of others.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
from pathlib import Path
from typing import Any, Final

import structlog

from capture.images import EncodedImage
from capture.pool import JobRunner
from capture.worker_trace import TracedJob
from inference.errors import PoisonJobError

MAX_PICTURE_COUNT: Final = 256
"""So many pictures lie in the folder at most: who sends poison must not fill the disk."""

_LOG = structlog.get_logger("capture.server")


class Quarantine:
    """Runs jobs in workers, and keeps the picture of a job that has ended two of them.

    Parameters
    ----------
    pool : JobRunner
        The workers.
    folder : Path
        Where pictures are kept, each by the SHA-256 of its bytes, with a JSON file beside it
        that says how they are laid out. Made when it is needed, for its owner only.
    """

    def __init__(self, pool: JobRunner, folder: Path) -> None:
        self._pool = pool
        self._folder = folder

    @property
    def lane_count(self) -> int:
        """Workers that are there, or come at once."""
        return self._pool.lane_count

    async def run(self, job: Any) -> Any:
        """Run one job in a worker and return its answer.

        Raises
        ------
        InferenceError
            As the pool does. That a picture cannot be kept is for the log only.
        """
        try:
            return await self._pool.run(job)
        except PoisonJobError:
            image = (job.job if isinstance(job, TracedJob) else job).image
            try:
                name = await asyncio.to_thread(self._keep, image)
            except OSError as error:
                _LOG.error("quarantine failed", reason=error.strerror)
            else:
                _LOG.warning("a picture ended two workers", kept_as=name)
            raise

    def _keep(self, image: EncodedImage) -> str | None:
        """Write a picture down and return its name; None when the folder is full."""
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        digest = hashlib.sha256(image.data).hexdigest()
        picture = self._folder / digest
        kept = {path.stem for path in self._folder.iterdir()}
        if digest not in kept and len(kept) >= MAX_PICTURE_COUNT:
            return None
        layout = {
            "encoding": image.encoding.value,
            "width_px": image.width_px,
            "height_px": image.height_px,
            "row_stride_bytes": image.row_stride_bytes,
            "rotation_deg": image.rotation_deg,
        }
        picture.write_bytes(image.data)
        picture.with_suffix(".json").write_text(json.dumps(layout), encoding="utf-8")
        return digest
