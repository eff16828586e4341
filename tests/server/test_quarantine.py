"""Pictures that end their workers are kept, where that is asked for."""

from __future__ import annotations

import hashlib
import json
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from capture.gates.profile import load_profile
from capture.images import EncodedImage, ImageEncoding
from capture.jobs import StillJob
from capture.server.quarantine import MAX_PICTURE_COUNT, Quarantine
from capture.worker_trace import TracedJob
from inference.errors import PoisonJobError
from inference.lanes import LanePool
from tests.server.dying_worker import build_dying_worker

pytestmark = pytest.mark.asyncio(loop_scope="module")

PLANE = EncodedImage(bytes(range(12)), ImageEncoding.GRAY8, width_px=4, height_px=3)
JOB = StillJob(PLANE, load_profile("default"), classify=False)
DIGEST = hashlib.sha256(PLANE.data).hexdigest()


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def pool() -> AsyncIterator[LanePool]:
    """A worker that no job survives."""
    async with LanePool(build_dying_worker, worker_count=1, job_timeout_s=20) as pool:
        yield pool


@pytest.mark.parametrize("job", [JOB, TracedJob(JOB, "00-1-2-01")], ids=["plain", "traced"])
async def test_a_picture_that_ended_two_workers_is_kept(
    pool: LanePool, tmp_path: Path, job: StillJob | TracedJob
) -> None:
    """Its bytes and how they are laid out can be tried again, by nobody but the owner."""
    folder = tmp_path / "quarantine"
    with pytest.raises(PoisonJobError):
        await Quarantine(pool, folder).run(job)
    assert (folder / DIGEST).read_bytes() == PLANE.data
    layout = json.loads((folder / f"{DIGEST}.json").read_text())
    assert EncodedImage(PLANE.data, **layout) == PLANE
    assert folder.stat().st_mode & 0o077 == 0


async def test_a_full_quarantine_keeps_no_more(pool: LanePool, tmp_path: Path) -> None:
    """Whoever sends poison again and again cannot fill the disk."""
    for number in range(MAX_PICTURE_COUNT):
        (tmp_path / f"earlier-{number}").touch()
    with pytest.raises(PoisonJobError):
        await Quarantine(pool, tmp_path).run(JOB)
    assert not (tmp_path / DIGEST).exists()


async def test_what_cannot_be_kept_is_still_refused(pool: LanePool, tmp_path: Path) -> None:
    """A folder that cannot be written to costs the picture, not the answer."""
    (tmp_path / "file").touch()
    with pytest.raises(PoisonJobError):
        await Quarantine(pool, tmp_path / "file" / "folder").run(JOB)
