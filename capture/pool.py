"""The pool of workers that judge pictures, as every edge starts it."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any, Protocol, cast

from capture.worker import Answer, Job, Unjudged, WorkerConfig, build_worker
from capture.worker_trace import TracedJob
from inference.errors import JobTimeoutError, PoisonJobError
from inference.lanes import LanePool

if TYPE_CHECKING:
    from capture.settings import Settings


def worker_pool(settings: Settings, *, classify: bool, worker_count: int | None = None) -> LanePool:
    """Return a pool of workers, not started yet.

    Parameters
    ----------
    settings : Settings
        Limits of a worker, and where its models lie.
    classify : bool
        Load the classifier.
    worker_count : int, optional
        Instead of the one in `settings`.
    """
    models_folder = None if settings.models_folder is None else str(settings.models_folder)
    return LanePool(
        partial(build_worker, WorkerConfig(models_folder=models_folder, classify=classify)),
        worker_count=worker_count or settings.worker_count,
        job_timeout_s=settings.job_timeout_s,
        memory_limit_bytes=settings.memory_limit_mb << 20,
    )


class JobRunner(Protocol):
    """What runs jobs in workers: a pool, or something around one."""

    @property
    def worker_count(self) -> int:
        """Workers there should be."""
        ...

    async def run(self, job: Any) -> Any:
        """Run one job in a worker and return its answer."""
        ...


async def answer_of(pool: JobRunner, job: Job | TracedJob) -> Answer:
    """Run a job to its answer; a job that ends its workers is an answer too."""
    try:
        return cast(Answer, await pool.run(job))
    except (JobTimeoutError, PoisonJobError) as error:
        return Unjudged(error.code, str(error))
