"""Judge pictures on a Dask cluster, with the same lanes on each of its workers.

A picture that kills, hangs or confuses its process meets a lane there, as it does on one
machine, so it ends in the same row. What Dask adds is other machines, and that a shard
whose machine is lost is done again by another.
"""

from __future__ import annotations

import asyncio
import pickle
from contextlib import AsyncExitStack
from multiprocessing import current_process
from types import TracebackType
from typing import Any, Protocol, Self, cast
from uuid import uuid4

import dask
from distributed import Client, KilledWorker, LocalCluster, Worker, WorkerPlugin, get_worker
from distributed.client import FutureCancelledError
from distributed.comm.addressing import get_address_host_port, parse_address
from distributed.security import Security

from capture import __version__
from capture.archive.engines import LocalEngine
from capture.archive.file_worker import ArchiveAnswer, ArchiveJob
from capture.archive.judging import POISON
from capture.errors import ConfigurationError
from capture.jobs import StillJob, Unjudged
from inference.errors import WorkerError
from inference.lanes import LanePool

SHARD_COUNT = 8
SHARD_BYTES = 8 << 20
SHARD_WAIT_S = 0.005
RETRY_COUNT = 2
CONNECT_TIMEOUT_S = 20

_CONFIG = {
    # Lanes are processes, and a daemon may have none.
    "distributed.worker.daemon": False,
    # One picture may be larger than what Dask takes for a mistake.
    "distributed.admin.large-graph-warning-threshold": "1GB",
}
_LOCAL_CONFIG = {
    # Workers on this machine share its cores with the judging: they watch nothing but that.
    "distributed.worker.profile.enabled": False,
    "distributed.admin.tick.interval": "1s",
    "distributed.admin.system-monitor.interval": "5s",
    "distributed.admin.system-monitor.gil.enabled": False,
}


class MakePool(Protocol):
    """Makes the lanes of one Dask worker; pickled, so a function of a module."""

    def __call__(self, *, worker_count: int) -> LanePool:
        """Return a pool that is not started."""
        ...


class DaskEngine:
    """A Dask cluster, or one that is started on this machine.

    Parameters
    ----------
    make_pool : MakePool
        Called on each Dask worker, with its number of threads.
    scheduler : str or None
        Address of a running scheduler, such as ``tcp://host:8786``; None starts a local one.
    worker_count : int
        Worker processes of a local one.
    """

    def __init__(self, make_pool: MakePool, scheduler: str | None, worker_count: int) -> None:
        self._make_pool = make_pool
        self._scheduler = scheduler
        self._local_worker_count = worker_count
        self._name = f"smart-capture-{uuid4().hex}"
        self._stack = AsyncExitStack()
        self._thread_count = 0
        self._waiting: list[tuple[ArchiveJob, asyncio.Future[ArchiveAnswer]]] = []
        self._shards: set[asyncio.Task[None]] = set()
        self._client: Any = None

    async def __aenter__(self) -> Self:
        """Connect, and give every worker its lanes, those that come later included.

        Raises
        ------
        ConfigurationError
            If there is no scheduler or no worker, or a worker cannot hold lanes.
        """
        if self._scheduler is not None:
            _check(self._scheduler)
        async with AsyncExitStack() as stack:
            stack.enter_context(dask.config.set(_CONFIG))
            address: Any = self._scheduler
            if address is None:
                stack.enter_context(dask.config.set(_LOCAL_CONFIG))
                address = await stack.enter_async_context(
                    LocalCluster(
                        n_workers=self._local_worker_count,
                        threads_per_worker=1,
                        processes=True,
                        # The lanes have limits of their own.
                        memory_limit=0,
                        # Any free port of this machine: runs side by side must not meet.
                        dashboard_address="127.0.0.1:0",
                        asynchronous=True,
                    )
                )
            try:
                self._client = await stack.enter_async_context(
                    Client(address, asynchronous=True, timeout=CONNECT_TIMEOUT_S)
                )
                await self._client.wait_for_workers(1, timeout=CONNECT_TIMEOUT_S)
            except (OSError, TimeoutError) as error:
                where = self._scheduler or "on this machine"
                raise ConfigurationError(f"no Dask cluster with a worker: {where}") from error
            await self._client.register_plugin(_Lanes(self._make_pool, __version__), self._name)
            stack.push_async_callback(self._client.unregister_worker_plugin, self._name)
            threads = await self._client.nthreads()
            self._thread_count = sum(threads.values())
            self._stack = stack.pop_all()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        for shard in self._shards:
            shard.cancel()
        await asyncio.gather(*self._shards, return_exceptions=True)
        await self._stack.aclose()

    @property
    def worker_count(self) -> int:
        """Pictures that keep the cluster busy: a shard for each of its threads."""
        return self._thread_count * SHARD_COUNT

    async def answer(self, job: ArchiveJob) -> ArchiveAnswer:
        """Do one job, in a shard with those that come at the same time.

        Raises
        ------
        WorkerError
            If the cluster is gone.
        """
        loop = asyncio.get_running_loop()
        answer: asyncio.Future[ArchiveAnswer] = loop.create_future()
        if not self._waiting:
            loop.call_later(SHARD_WAIT_S, self._send)
        self._waiting.append((job, answer))
        held_bytes = sum(_size_bytes(waiting) for waiting, _ in self._waiting)
        if len(self._waiting) == SHARD_COUNT or held_bytes > SHARD_BYTES:
            self._send()
        return await answer

    def _send(self) -> None:
        if self._waiting:
            shard = asyncio.create_task(self._settle(self._waiting))
            self._waiting = []
            self._shards.add(shard)
            shard.add_done_callback(self._shards.discard)

    async def _settle(self, shard: list[tuple[ArchiveJob, asyncio.Future[ArchiveAnswer]]]) -> None:
        try:
            answers = await self._answers([job for job, _ in shard])
        except Exception as error:
            for _, answer in shard:
                if not answer.done():
                    answer.set_exception(error)
            return
        for (_, answer), found in zip(shard, answers, strict=True):
            if not answer.done():
                answer.set_result(found)

    async def _answers(self, jobs: list[ArchiveJob]) -> list[ArchiveAnswer]:
        shard = self._client.submit(
            _judge_shard, pickle.dumps(jobs, 5), self._name, pure=False, retries=RETRY_COUNT
        )
        try:
            found: list[ArchiveAnswer] = pickle.loads(await shard)
        except KilledWorker:
            # It took several workers with it: each picture alone shows which one does.
            if len(jobs) == 1:
                return [Unjudged(POISON, "it has ended the workers it was sent to")]
            return [answer for job in jobs for answer in await self._answers([job])]
        except (FutureCancelledError, OSError) as error:
            raise WorkerError(f"the Dask cluster is gone: {error}") from error
        return found


class _Lanes(WorkerPlugin):
    """The lanes of one Dask worker."""

    def __init__(self, make_pool: MakePool, version: str) -> None:
        self._make_pool = make_pool
        self._version = version
        self.engine: LocalEngine | None = None

    async def setup(self, worker: Worker) -> None:
        if self._version != __version__:
            raise ConfigurationError(
                f"Smart Capture is {__version__} on {worker.address} and {self._version} here"
            )
        if current_process().daemon:
            raise ConfigurationError(
                f"the Dask worker {worker.address} may not start processes: "
                "set DASK_DISTRIBUTED__WORKER__DAEMON=False where it is started"
            )
        self.engine = LocalEngine(self._make_pool(worker_count=worker.state.nthreads))

    async def teardown(self, worker: Worker) -> None:  # noqa: ARG002 - Dask calls it so
        if self.engine is not None:
            await self.engine.__aexit__(None, None, None)


async def _judge_shard(jobs: bytes, lanes: str) -> bytes:
    """Do the jobs of a shard, in the lanes of the worker that this runs on."""
    engine = cast(_Lanes, get_worker().plugins[lanes]).engine
    if engine is None:
        raise ConfigurationError("the lanes of this Dask worker were not set up")
    answers = await asyncio.gather(*(engine.answer(job) for job in pickle.loads(jobs)))
    return pickle.dumps(answers, 5)


def _size_bytes(job: ArchiveJob) -> int:
    return len(job.image.data) if isinstance(job, StillJob) else 0


def _check(scheduler: str) -> None:
    """Refuse what Dask would end with a trace of its own; raises ConfigurationError."""
    address = scheduler if "://" in scheduler else f"tcp://{scheduler}"
    try:
        scheme, _ = parse_address(address)
        get_address_host_port(address, strict=True)
        secrets = Security().get_connection_args("client")
    except (ValueError, OSError) as error:
        raise ConfigurationError(f"--scheduler {scheduler}: {error}") from error
    if scheme == "tls" and secrets["ssl_context"] is None:
        raise ConfigurationError(
            f"--scheduler {scheduler}: Dask's settings name no certificate "
            "(distributed.comm.tls.ca-file, .client.cert, .client.key)"
        )
