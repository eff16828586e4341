"""Score an archive: list, look up, read, judge and commit, each at its own pace.

One task lists pictures and looks up their rows; a few read files and wait for workers;
one commits rows by batch. What lies between them is bounded, so memory does not grow
with the archive. A run may be killed at any moment: what was not committed is done again.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from typing import TypeVar

from capture.archive.commits import RowWriter
from capture.archive.engines import Engine
from capture.archive.judging import Judging
from capture.archive.lookups import Listed, look_up
from capture.archive.pictures import Picture, ReadThrough
from capture.archive.tally import Effort, Tally
from capture.assessment import Assessment
from capture.errors import ImageError, UnreadableFileError
from capture.images import EncodedImage
from capture.ledger.ledger import Ledger
from capture.ledger.rows import Row, row_of, row_of_unjudged
from capture.worker import Answer, StillJob, Unjudged

MAX_FILE_BYTES = 512 << 20

Result = TypeVar("Result")


@dataclass(frozen=True, slots=True)
class _Read:
    """The bytes of a picture, their hash, and the rows that the same bytes have."""

    data: bytes
    sha256: str
    same_bytes: list[Row]


class ArchiveRun:
    """One pass over pictures.

    Parameters
    ----------
    ledger : Ledger
        Where rows are looked up and committed.
    engine : Engine
        Where pictures are judged; started.
    judging : Judging
        By what.
    run_id : int
        The run that rows are filed under.
    on_progress : callable
        Called in the event loop with the counts so far, at least once a lookup.
    """

    def __init__(
        self,
        ledger: Ledger,
        engine: Engine,
        judging: Judging,
        *,
        run_id: int,
        on_progress: Callable[[Tally], None],
    ) -> None:
        self._ledger = ledger
        self._engine = engine
        self._judging = judging
        self._run_id = run_id
        self._on_progress = on_progress
        self._tally = Tally()
        self._stopping = asyncio.Event()
        # Beyond one job per worker, as many files lie ready as workers could take next.
        self._reader_count = 2 * engine.worker_count
        self._open: asyncio.Queue[Listed | None] = asyncio.Queue(self._reader_count)
        self._database = ThreadPoolExecutor(1, "ledger")
        self._readers = ThreadPoolExecutor(self._reader_count + 1, "reader")
        self._writer = RowWriter(ledger, run_id, partial(self._in, self._database))

    def stop(self) -> None:
        """End soon: judge and commit what is in hand, take nothing new."""
        self._stopping.set()

    @property
    def is_stopping(self) -> bool:
        """Whether it was told to end before all was seen."""
        return self._stopping.is_set()

    async def score(self, pictures: Iterable[Picture | ReadThrough]) -> Tally:
        """Bring the row of every picture up to date.

        Parameters
        ----------
        pictures : iterable of Picture or ReadThrough
            In the order they are to be judged. A folder or an archive that was read through
            loses the row that said that it could not be.

        Returns
        -------
        Tally
            What was seen; the run is complete unless it was stopped.

        Raises
        ------
        LedgerError
            If rows cannot be written. Those committed stay.
        WorkerError
            If no worker comes up.
        """
        try:
            async with asyncio.TaskGroup() as writing:
                writing.create_task(self._writer.commit_all())
                async with asyncio.TaskGroup() as judging:
                    judging.create_task(self._list(pictures))
                    for _ in range(self._reader_count):
                        judging.create_task(self._judge_open())
                await self._writer.end()
        except BaseExceptionGroup as group:
            raise _first_of(group) from None
        finally:
            self._database.shutdown()
            self._readers.shutdown()
        return self._tally

    async def _list(self, pictures: Iterable[Picture | ReadThrough]) -> None:
        lookups = look_up(pictures, self._ledger, self._judging)
        # Rows are written while the next ones are looked up.
        writing: asyncio.Future[None] | None = None
        while not self._stopping.is_set() and (
            found := await self._in(self._readers, partial(next, lookups, None))
        ):
            if found.reached:
                await self._in(self._database, partial(self._ledger.forget, found.reached))
            if found.whole:
                await self._in(self._database, partial(self._ledger.remember_archives, found.whole))
            judged_again = []
            for item, row, judged in zip(found.pictures, found.stored, found.standing, strict=True):
                if self._stopping.is_set():
                    break
                if judged is None:
                    await self._open.put(item)
                elif judged is row:
                    self._tally.add(judged, Effort.UNCHANGED)
                else:
                    self._tally.add(judged, Effort.REUSED)
                    judged_again.append(judged)
            if writing is not None:
                await writing
                writing = None
            if judged_again:
                put = partial(self._ledger.put_judgements, self._run_id, judged_again)
                writing = asyncio.ensure_future(self._in(self._database, put))
            self._on_progress(self._tally)
        if writing is not None:
            await writing
        for _ in range(self._reader_count):
            await self._open.put(None)

    async def _judge_open(self) -> None:
        while (item := await self._open.get()) is not None:
            if not self._stopping.is_set():
                await self._judge(item)
                self._on_progress(self._tally)

    async def _judge(self, item: Listed) -> None:
        picture, stamp = item.picture, item.stamp
        where = {
            "path": picture.path,
            "size_bytes": stamp and stamp.size_bytes,
            "mtime_ns": stamp and stamp.mtime_ns,
        }
        try:
            found = await self._in(self._readers, partial(self._read, picture))
        except (ImageError, UnreadableFileError) as error:
            row = self._row_of(Unjudged(error.code, str(error)))
            await self._settle(row | where, Effort.SCORED)
            return
        where |= {"sha256": found.sha256}
        for row in found.same_bytes:
            judged = self._judging.of_stored(row)
            if judged is not None:
                await self._settle(judged | where, Effort.REUSED)
                return
        job = StillJob(
            image=EncodedImage(found.data),
            profile=self._judging.profile,
            classify=self._judging.classify,
        )
        await self._settle(self._row_of(await self._engine.answer(job)) | where, Effort.SCORED)

    def _read(self, picture: Picture) -> _Read:
        picture.stamp()  # a pipe or a device is refused before it is opened
        data = picture.read(MAX_FILE_BYTES)
        sha256 = hashlib.sha256(data).hexdigest()
        return _Read(data, sha256, self._ledger.rows_with_sha256(sha256))

    def _row_of(self, answer: Answer) -> Row:
        match answer:
            case Assessment():
                return row_of(answer)
            case Unjudged(code, message):
                judging = self._judging
                return row_of_unjudged(code, message, judging.profile, judging.engine_version)
            case _:
                raise TypeError(f"a still was answered with {type(answer).__name__}")

    async def _settle(self, row: Row, effort: Effort) -> None:
        self._tally.add(row, effort)
        await self._writer.put(row, effort)

    async def _in(self, threads: ThreadPoolExecutor, work: Callable[[], Result]) -> Result:
        return await asyncio.get_running_loop().run_in_executor(threads, work)


def _first_of(group: BaseExceptionGroup[BaseException]) -> BaseException:
    first: BaseException = group
    while isinstance(first, BaseExceptionGroup):
        first = first.exceptions[0]
    return first
