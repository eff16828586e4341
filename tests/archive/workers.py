"""The real worker, with pictures that end it: no picture in the wild is sure to."""

from __future__ import annotations

import os
import signal
import time

from capture.worker import Answer, Job, StillJob, Worker, WorkerConfig, build_worker

KILLS = b"kills its worker"
HANGS = b"hangs its worker"
RAISES = b"raises in its worker"


class HostileWorker:
    def __init__(self, worker: Worker) -> None:
        self._worker = worker

    def __call__(self, job: Job) -> Answer:
        assert isinstance(job, StillJob)
        data = bytes(job.image.data)
        if data == KILLS:
            os.kill(os.getpid(), signal.SIGKILL)
        if data == HANGS:
            time.sleep(60)
        if data == RAISES:
            raise ZeroDivisionError("as no picture should")
        return self._worker(job)


def build_hostile_worker() -> HostileWorker:
    return HostileWorker(build_worker(WorkerConfig(classify=False)))
