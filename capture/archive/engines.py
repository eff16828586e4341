"""Where pictures are judged: the same worker function, wherever it runs."""

from __future__ import annotations

import asyncio
from types import TracebackType
from typing import Protocol, Self

from capture.archive.judging import INTERNAL, POISON, TIMEOUT
from capture.pool import answer_of
from capture.worker import Answer, StillJob, Unjudged
from inference.errors import JobTimeoutError, PoisonJobError, RemoteError
from inference.lanes import LanePool

_STATUS_OF_CODE = {PoisonJobError.code: POISON, JobTimeoutError.code: TIMEOUT}


class Engine(Protocol):
    """Judges pictures, several at a time."""

    @property
    def worker_count(self) -> int:
        """How many it can judge at the same time."""
        ...

    async def answer(self, job: StillJob) -> Answer:
        """Do one job; only what concerns the engine as a whole is raised."""
        ...


class LocalEngine:
    """Worker processes on this machine, started when the first picture needs one.

    Parameters
    ----------
    pool : LanePool
        Not started yet.
    """

    def __init__(self, pool: LanePool) -> None:
        self._pool = pool
        self._starting = asyncio.Lock()
        self._is_started = False

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._is_started:
            await self._pool.close()

    @property
    def worker_count(self) -> int:
        """The pool's workers."""
        return self._pool.worker_count

    async def answer(self, job: StillJob) -> Answer:
        """Do one job; whatever a worker raises becomes an answer.

        Raises
        ------
        WorkerStartError
            If no worker comes up.
        """
        async with self._starting:
            if not self._is_started:
                await self._pool.start()
                self._is_started = True
        try:
            answer = await answer_of(self._pool, job)
        except RemoteError as error:
            return Unjudged(INTERNAL, str(error))
        if isinstance(answer, Unjudged) and answer.code in _STATUS_OF_CODE:
            return Unjudged(_STATUS_OF_CODE[answer.code], answer.message)
        return answer
