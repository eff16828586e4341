"""The work of the bare loop, behind one call: what every peer does with a picture."""

from __future__ import annotations

from capture.assessment import Assessment
from capture.worker import WorkerConfig, build_worker
from tests.benchmarks.serve.pictures import still_job


class Work:
    """Decodes, judges and classifies; the models are loaded once."""

    def __init__(self) -> None:
        self._worker = build_worker(WorkerConfig())

    def __call__(self, data: bytes) -> str:
        """Return the verdict and the first label of a picture."""
        answer = self._worker(still_job(data))
        assert isinstance(answer, Assessment)
        label = answer.prediction.labels[0].label if answer.prediction else ""
        return f"{answer.verdict} {label}".strip()
