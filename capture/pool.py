"""The pool of workers that judge pictures, as every edge starts it."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any, Protocol

from capture.worker import Worker, WorkerConfig, build_worker
from inference.lanes import LanePool
from inference.registry import Registry

if TYPE_CHECKING:
    from capture.settings import Settings


def worker_factory(
    settings: Settings, *, classify: bool, model: str | None = None
) -> Callable[[], Worker]:
    """Return what builds the handler of a worker process.

    Parameters
    ----------
    settings : Settings
        Where its models lie.
    classify : bool
        Load the classifier.
    model : str, optional
        The model, ``name@version``; the one that is active when a worker starts if not given.
    """
    models_folder = None if settings.models_folder is None else str(settings.models_folder)
    return partial(build_worker, WorkerConfig(models_folder, classify, model))


def active_model(settings: Settings) -> str | None:
    """Return the model to be served, ``name@version``; None when pictures are not classified.

    Raises
    ------
    ModelError
        If there is none.
    """
    return Registry(settings.models_folder).active().id if settings.classify else None


def worker_pool(
    settings: Settings,
    *,
    classify: bool,
    model: str | None = None,
    worker_count: int | None = None,
    nice: int | None = None,
) -> LanePool:
    """Return a pool of workers, not started yet.

    Parameters
    ----------
    settings : Settings
        Limits of a worker, and where its models lie.
    classify, model
        As of `worker_factory`.
    worker_count, nice : int, optional
        Instead of those in `settings`.
    """
    factory = worker_factory(settings, classify=classify, model=model)
    return pool_of(settings, factory, worker_count=worker_count, nice=nice)


def pool_of(
    settings: Settings,
    factory: Callable[[], Any],
    *,
    worker_count: int | None = None,
    nice: int | None = None,
    max_losses_per_worker: int | None = None,
) -> LanePool:
    """Return a pool of workers with the limits of the settings, not started yet.

    Parameters
    ----------
    settings : Settings
        Limits of a worker.
    factory : callable
        Builds the handler of a worker process.
    worker_count, nice : int, optional
        Instead of those in `settings`.
    max_losses_per_worker : int, optional
        As of `LanePool`; no limit if not given: who waits for an archive wants all of it.
    """
    return LanePool(
        factory,
        worker_count=worker_count or settings.worker_count,
        job_timeout_s=settings.job_timeout_s,
        memory_limit_bytes=settings.memory_limit_mb << 20,
        nice=settings.worker_niceness if nice is None else nice,
        max_losses_per_worker=max_losses_per_worker,
    )


class JobRunner(Protocol):
    """What runs jobs in workers: a pool, or something around one."""

    @property
    def lane_count(self) -> int:
        """Workers that are there, or come at once."""
        ...

    async def run(self, job: Any) -> Any:
        """Run one job in a worker and return its answer."""
        ...
