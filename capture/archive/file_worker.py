"""What an archive's worker does: read a picture where it lies, hash it and judge it.

Only a path crosses to the worker, so that the front reads, hashes and copies nothing.
This worker opens whatever path it is told: it is for the commands of the machine's own
user, never for the server.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, TypeAlias, cast

from capture.archive.members import TarMember
from capture.archive.pictures import FilePicture, Stamp
from capture.errors import ImageError, UnreadableFileError
from capture.gates.profile import Profile
from capture.images import EncodedImage
from capture.jobs import Answer, Job, StillJob
from capture.pool import pool_of, worker_factory
from inference.lanes import LanePool

if TYPE_CHECKING:
    from capture.settings import Settings


PictureOnDisk: TypeAlias = FilePicture | TarMember


@dataclass(frozen=True, slots=True)
class FileJob:
    """Judge a picture on a disk, unless its bytes are known.

    Attributes
    ----------
    picture : FilePicture or TarMember
        Where it lies.
    stamp : Stamp
        What a look at it said; what is something else by now is not read.
    known : frozenset of str
        Hashes, sha256, of bytes that stored measures answer for.
    profile : Profile
        The limits.
    classify : bool
        Ask the classifier when the picture is accepted.
    later : FilePicture or TarMember, optional
        What will be read a little later: the system is told to have it ready.
    """

    picture: PictureOnDisk
    stamp: Stamp
    known: frozenset[str]
    profile: Profile
    classify: bool
    later: PictureOnDisk | None = None


@dataclass(frozen=True, slots=True)
class FileAnswer:
    """What became of a picture on a disk.

    Attributes
    ----------
    sha256 : str
        Of its bytes.
    answer : Answer or None
        None: the bytes are known.
    """

    sha256: str
    answer: Answer | None


@dataclass(frozen=True, slots=True)
class NotRead:
    """The worker could not read what was listed: on its machine it may not be there."""


ArchiveJob: TypeAlias = StillJob | FileJob
ArchiveAnswer: TypeAlias = Answer | FileAnswer | NotRead


class FileWorker:
    """Reads pictures on disks, and leaves jobs that bring their bytes to the worker within.

    Parameters
    ----------
    worker : callable
        Maps a job with bytes to its answer, as `capture.worker.Worker` does.
    """

    def __init__(self, worker: Callable[[Job], Any]) -> None:
        self._worker = worker

    def __call__(self, job: Job | FileJob) -> ArchiveAnswer:
        """Do one job."""
        if not isinstance(job, FileJob):
            return self._answer(job)
        try:
            if not job.picture.is_still(job.stamp):
                return NotRead()
            data = job.picture.read(job.stamp.size_bytes or 0)
        except (ImageError, UnreadableFileError):
            return NotRead()
        if job.later is not None:
            job.later.fetch_ahead()
        sha256 = hashlib.sha256(data).hexdigest()
        if sha256 in job.known:
            return FileAnswer(sha256, None)
        still = StillJob(EncodedImage(data), job.profile, job.classify)
        return FileAnswer(sha256, self._answer(still))

    def _answer(self, job: Job) -> Answer:
        return cast(Answer, self._worker(job))


def build_file_worker(build: Callable[[], Callable[[Job], Any]]) -> FileWorker:
    """Build the handler of a worker process around another; called once, inside it."""
    return FileWorker(build())


def archive_pool(
    settings: Settings, *, classify: bool, worker_count: int | None = None
) -> LanePool:
    """Return a pool of workers that read files, not started yet.

    Parameters
    ----------
    settings : Settings
        Limits of a worker, and where its models lie.
    classify : bool
        Load the classifier.
    worker_count : int, optional
        Instead of the one in `settings`.
    """
    factory = partial(build_file_worker, worker_factory(settings, classify=classify))
    # They yield to nobody more than their command does: what it is for is their work.
    return pool_of(settings, factory, worker_count=worker_count, nice=0)
