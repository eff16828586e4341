"""The real worker, with pictures that end it: no picture in the wild is sure to."""

from __future__ import annotations

import os
import signal
import time

from capture.archive.file_worker import FileJob, FileWorker, NotRead
from capture.jobs import Answer, Job, StillJob
from capture.worker import Worker, WorkerConfig, build_worker
from capture.worker_trace import TracedAnswer

KILLS = b"kills its worker"
HANGS = b"hangs its worker"
RAISES = b"raises in its worker"


class HostileWorker:
    def __init__(self, worker: Worker) -> None:
        self._worker = worker

    def __call__(self, job: Job) -> Answer | TracedAnswer:
        assert isinstance(job, StillJob)
        data = bytes(job.image.data)
        if data == KILLS:
            os.kill(os.getpid(), signal.SIGKILL)
        if data == HANGS:
            time.sleep(60)
        if data == RAISES:
            raise ZeroDivisionError("as no picture should")
        return self._worker(job)


class BlindWorker:
    """Finds no file, as on another machine."""

    def __init__(self, worker: Worker) -> None:
        self._worker = worker

    def __call__(self, job: Job | FileJob) -> Answer | TracedAnswer | NotRead:
        return NotRead() if isinstance(job, FileJob) else self._worker(job)


def build_blind_worker() -> BlindWorker:
    return BlindWorker(build_worker(WorkerConfig(classify=False)))


def build_hostile_worker() -> FileWorker:
    return FileWorker(HostileWorker(build_worker(WorkerConfig(classify=False))))
