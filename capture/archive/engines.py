"""Where pictures are judged: the same worker function, wherever it runs."""

from __future__ import annotations

import asyncio
from contextlib import AbstractAsyncContextManager
from types import TracebackType
from typing import Protocol, Self, cast

from capture.archive.file_worker import ArchiveAnswer, ArchiveJob
from capture.archive.judging import INTERNAL, POISON, TIMEOUT
from capture.jobs import Unjudged
from inference.errors import JobTimeoutError, PoisonJobError, RemoteError
from inference.lanes import LanePool


class Engine(AbstractAsyncContextManager["Engine"], Protocol):
    """Judges pictures, several at a time, within its block."""

    @property
    def worker_count(self) -> int:
        """How many it can judge at the same time."""
        ...

    async def answer(self, job: ArchiveJob) -> ArchiveAnswer:
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

    async def answer(self, job: ArchiveJob) -> ArchiveAnswer:
        """Do one job; whatever a worker raises becomes an answer.

        Raises
        ------
        WorkerStartError
            If no worker comes up.
        """
        if not self._is_started:
            await self._start()
        try:
            return cast(ArchiveAnswer, await self._pool.run(job))
        except PoisonJobError as error:
            return Unjudged(POISON, str(error))
        except JobTimeoutError as error:
            return Unjudged(TIMEOUT, str(error))
        except RemoteError as error:
            return Unjudged(INTERNAL, str(error))

    async def _start(self) -> None:
        async with self._starting:
            if not self._is_started:
                await self._pool.start()
                self._is_started = True
