"""One picture to its row: by a worker that reads it, or from bytes that are read here."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Coroutine, Iterator
from dataclasses import dataclass
from functools import partial
from itertools import zip_longest
from typing import Any

from capture.archive.engines import Engine
from capture.archive.file_worker import ArchiveAnswer, FileAnswer, FileJob
from capture.archive.judging import TIMEOUT, Judging
from capture.archive.lookups import KnownBytes, Listed
from capture.archive.members import TarMember
from capture.archive.pictures import FilePicture, Picture, Stamp
from capture.archive.tally import Effort
from capture.assessment import Assessment
from capture.errors import ImageError, UnreadableFileError
from capture.images import EncodedImage
from capture.jobs import StillJob, Unjudged
from capture.ledger.ledger import Ledger
from capture.ledger.rows import Row, row_of, row_of_unjudged

MAX_FILE_BYTES = 512 << 20


@dataclass(frozen=True, slots=True)
class ToJudge:
    """A picture, and what lets a worker read it; None where it is read here."""

    item: Listed
    job: FileJob | None


@dataclass(frozen=True, slots=True)
class _Read:
    """The bytes of a picture, their hash, and the rows that the same bytes have.

    The stamp is of just before: it may have changed since it was listed.
    """

    stamp: Stamp
    data: bytes
    sha256: str
    same_bytes: list[Row]


class PictureJudge:
    """Brings pictures to their rows.

    Parameters
    ----------
    ledger : Ledger
        Where rows of the same bytes are looked up.
    engine : Engine
        Where pictures are judged; started.
    judging : Judging
        By what.
    in_thread : callable
        Calls a function where it may wait for a disk.
    """

    def __init__(
        self,
        ledger: Ledger,
        engine: Engine,
        judging: Judging,
        in_thread: Callable[[Callable[[], _Read]], Coroutine[Any, Any, _Read]],
    ) -> None:
        self._ledger = ledger
        self._engine = engine
        self._judging = judging
        self._in_thread = in_thread

    def to_judge(self, items: list[Listed], known: KnownBytes | None) -> Iterator[ToJudge]:
        """Yield pictures with what lets workers read them.

        Parameters
        ----------
        items : list of Listed
            In the order in which they will be judged.
        known : KnownBytes or None
            None where too many rows may be of the same bytes to tell a worker of them all.
        """
        pictures = [item.picture for item in items]
        for item, later in zip_longest(items, pictures[self._engine.worker_count :]):
            yield ToJudge(item, None if known is None else self._file_job(item, later, known))

    def _file_job(self, item: Listed, later: Picture | None, known: KnownBytes) -> FileJob | None:
        picture, stamp = item.picture, item.stamp
        if not isinstance(picture, FilePicture | TarMember) or stamp is None:
            return None
        if stamp.size_bytes is None or stamp.size_bytes > MAX_FILE_BYTES:
            return None
        return FileJob(
            picture,
            stamp,
            frozenset(known.get(stamp.size_bytes, ())),
            self._judging.profile,
            self._judging.classify,
            later if isinstance(later, FilePicture | TarMember) else None,
        )

    async def judge(self, given: ToJudge) -> tuple[Row, Effort]:
        """Return the row of a picture, without its run, and what it took.

        Raises
        ------
        LedgerError
            If rows of the same bytes cannot be looked up.
        WorkerError
            If no worker comes up.
        """
        picture, stamp = given.item.picture, given.item.stamp
        where = {
            "path": picture.path,
            "size_bytes": stamp and stamp.size_bytes,
            "mtime_ns": stamp and stamp.mtime_ns,
        }
        failure: Unjudged | None = None
        if given.job is not None:
            match await self._engine.answer(given.job):
                case FileAnswer(sha256, Assessment() | Unjudged() as answer):
                    return self._row_of(answer) | where | {"sha256": sha256}, Effort.SCORED
                # A disk that was slow is no fault of the picture's: it gets its time again.
                case Unjudged(code) as answer if code != TIMEOUT:
                    failure = answer
        try:
            found = await self._in_thread(partial(self._read, picture))
        except (ImageError, UnreadableFileError) as error:
            return self._row_of(Unjudged(error.code, str(error))) | where, Effort.SCORED
        where |= {
            "sha256": found.sha256,
            "size_bytes": found.stamp.size_bytes,
            "mtime_ns": found.stamp.mtime_ns,
        }
        for row in found.same_bytes:
            judged = self._judging.of_stored(row)
            if judged is not None:
                return judged | where, Effort.REUSED
        if failure is not None:
            return self._row_of(failure) | where, Effort.SCORED
        still = StillJob(EncodedImage(found.data), self._judging.profile, self._judging.classify)
        return self._row_of(await self._engine.answer(still)) | where, Effort.SCORED

    def _read(self, picture: Picture) -> _Read:
        stamp = picture.stamp()  # a pipe or a device is refused before it is opened
        data = picture.read(MAX_FILE_BYTES)
        sha256 = hashlib.sha256(data).hexdigest()
        return _Read(stamp, data, sha256, self._ledger.rows_with_sha256(sha256))

    def _row_of(self, answer: ArchiveAnswer) -> Row:
        match answer:
            case Assessment():
                return row_of(answer)
            case Unjudged(code, message):
                judging = self._judging
                return row_of_unjudged(code, message, judging.profile, judging.engine_version)
            case _:
                raise TypeError(f"a still was answered with {type(answer).__name__}")
