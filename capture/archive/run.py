"""Score an archive: list, look up, read, judge and commit, each at its own pace.

One task lists pictures and looks up their rows; a few read files and wait for workers;
one commits rows by batch. What lies between them is bounded, so memory does not grow
with the archive. A run may be killed at any moment: what was not committed is done again.
"""

from __future__ import annotations

import asyncio
import gc
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import TypeVar

from capture.archive.backlog import Backlog
from capture.archive.commits import RowWriter
from capture.archive.engines import Engine
from capture.archive.judging import Judging
from capture.archive.lookups import Listed, look_up
from capture.archive.one_picture import PictureJudge, ToJudge
from capture.archive.pictures import FilePicture, Picture, ReadThrough
from capture.archive.tally import Effort, Tally
from capture.ledger.ledger import Ledger
from capture.ledger.rejudging import Judgement
from capture.ledger.rows import Row

Result = TypeVar("Result")


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
        self._judging = judging
        self._run_id = run_id
        self._on_progress = on_progress
        self._tally = Tally()
        self._stopping = asyncio.Event()
        self._is_complete = False
        # Beyond one job per worker, as many lie ready as workers could take next.
        self._reader_count = 2 * engine.worker_count
        self._open = Backlog[ToJudge](self._reader_count)
        self._in_hand: dict[str, asyncio.Event] = {}
        self._to_settle: set[str] = set()
        self._database = ThreadPoolExecutor(1, "ledger")
        self._readers = ThreadPoolExecutor(self._reader_count + 1, "reader")
        self._writer = RowWriter(ledger, run_id, partial(self._in, self._database))
        self._judge = PictureJudge(ledger, engine, judging, partial(self._in, self._readers))

    def stop(self) -> None:
        """End soon: judge and commit what is in hand, take nothing new."""
        self._stopping.set()

    @property
    def is_complete(self) -> bool:
        """Whether all was seen; not if it was told to end before."""
        return self._is_complete

    async def score(self, pictures: Iterable[Picture | ReadThrough]) -> Tally:
        """Bring the row of every picture up to date, and note the run as finished.

        Parameters
        ----------
        pictures : iterable of Picture or ReadThrough
            In the order they are to be judged. A folder or an archive that was read through
            loses the row that said that it could not be.

        Returns
        -------
        Tally
            What was seen. A run that was stopped is not noted as finished.

        Raises
        ------
        LedgerError
            If rows cannot be written. Those committed stay.
        WorkerError
            If no worker comes up.
        """
        gc.freeze()  # what is there by now stays: no collection has to look at it again
        try:
            async with asyncio.TaskGroup() as writing:
                writing.create_task(self._writer.commit_all())
                async with asyncio.TaskGroup() as judging:
                    judging.create_task(self._list(pictures))
                    for _ in range(self._reader_count):
                        judging.create_task(self._judge_open())
                self._writer.end()
            self._is_complete = not self._stopping.is_set()
            if self._is_complete:
                await self._in(self._database, partial(self._ledger.finish_run, self._run_id))
        except BaseExceptionGroup as group:
            raise _first_of(group) from None
        finally:
            gc.unfreeze()
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
            judged_again: list[Judgement] = []
            to_judge: list[Listed] = []
            for item, row, judged in zip(found.pictures, found.stored, found.standing, strict=True):
                if judged is None or row is None or self._is_being_replaced(item.picture):
                    to_judge.append(item)
                    self._to_settle.add(item.picture.path)
                elif isinstance(judged, Judgement):
                    self._tally.add(row.path, row.status, judged.verdict, Effort.REUSED)
                    judged_again.append(judged)
                else:
                    self._tally.add(row.path, row.status, row.verdict, Effort.UNCHANGED)
            await self._open.put(self._judge.to_judge(to_judge, found.known))
            if writing is not None:
                await writing
                writing = None
            if judged_again:
                profile, version = self._judging.profile, self._judging.engine_version
                put = partial(
                    self._ledger.put_judgements, self._run_id, profile, version, judged_again
                )
                writing = asyncio.ensure_future(self._in(self._database, put))
            self._on_progress(self._tally)
        if writing is not None:
            await writing
        self._open.end()

    async def _judge_open(self) -> None:
        while (given := await self._open.get()) is not None:
            if self._stopping.is_set():
                continue
            path = given.item.picture.path
            # Listed twice, or two members of one name: the last in the list has the last word.
            earlier = self._in_hand.get(path)
            settled = self._in_hand[path] = asyncio.Event()
            try:
                if earlier is not None:
                    await earlier.wait()
                await self._settle(*await self._judge.judge(given))
            finally:
                if self._in_hand[path] is settled:
                    del self._in_hand[path]
                self._to_settle.discard(path)
                settled.set()
            self._on_progress(self._tally)

    def _is_being_replaced(self, picture: Picture) -> bool:
        """Say whether an earlier member of the same name has, or will have, the row that stood."""
        if isinstance(picture, FilePicture):
            return False
        return picture.path in self._to_settle or self._tally.was_written(picture.path)

    async def _settle(self, row: Row, effort: Effort) -> None:
        self._tally.add(row["path"], row["status"], row["verdict"], effort)
        await self._writer.put(row, effort)

    async def _in(self, threads: ThreadPoolExecutor, work: Callable[[], Result]) -> Result:
        return await asyncio.get_running_loop().run_in_executor(threads, work)


def _first_of(group: BaseExceptionGroup[BaseException]) -> BaseException:
    first: BaseException = group
    while isinstance(first, BaseExceptionGroup):
        first = first.exceptions[0]
    return first
