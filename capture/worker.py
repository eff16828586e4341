"""What a worker process does: one job at a time, from bytes to answer.

The same function serves the camera session, the unary call, ``assess`` and ``score``.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from time import perf_counter

import cv2

from capture.assess import Classifier, assess_image
from capture.assessment import Assessment, MeasuredPreview
from capture.errors import ImageError
from capture.images import decode_image
from capture.jobs import Answer, Job, PreviewJob, StillJob, Unjudged
from capture.measure.motion import measure_preview
from capture.worker_trace import StageClock, TracedAnswer, TracedJob
from inference.tiers import load_classifier


@dataclass(frozen=True, slots=True)
class WorkerConfig:
    """What a worker needs to start.

    Attributes
    ----------
    models_folder : str or None
        Folder of the model manifests; None for the models that ship with the package.
    classify : bool
        Load the classifier.
    model : str or None
        The model, ``name@version``; None for the active one.
    """

    models_folder: str | None = None
    classify: bool = True
    model: str | None = None


class Worker:
    """Handles the jobs of one process; the models are loaded once.

    Parameters
    ----------
    classifier : Classifier or None
        None when no picture is to be classified.
    """

    def __init__(self, classifier: Classifier | None) -> None:
        self._classifier = classifier

    def __call__(self, job: Job | TracedJob) -> Answer | TracedAnswer:
        """Do one job; what cannot be judged is an answer, not an exception."""
        if not isinstance(job, TracedJob):
            return self._answer(job)
        clock = StageClock()
        answer = self._answer(job.job)
        return TracedAnswer(answer, clock.stop(job.traceparent, answer))

    def _answer(self, job: Job) -> Answer:
        try:
            return self._still(job) if isinstance(job, StillJob) else _preview(job)
        except ImageError as error:
            return Unjudged(error.code, str(error))

    def _still(self, job: StillJob) -> Assessment:
        return assess_image(
            job.image,
            job.profile,
            self._classifier if job.classify else None,
            max_label_count=job.max_label_count,
            explain=job.explain,
            perceptual_hash=job.perceptual_hash,
        )


def build_worker(config: WorkerConfig) -> Worker:
    """Build the handler of a worker process; called once, inside it.

    Raises
    ------
    ModelError
        If a classifier is asked for and cannot be loaded.
    """
    cv2.setNumThreads(1)
    if not config.classify:
        return Worker(None)
    folder = None if config.models_folder is None else Path(config.models_folder)
    return Worker(load_classifier(folder, config.model))


def _preview(job: PreviewJob) -> MeasuredPreview:
    started = perf_counter()
    decoded = decode_image(job.image, job.max_pixels, luma_only=True)
    decoded_at = perf_counter()
    measures = measure_preview(decoded.luma, job.previous)
    return MeasuredPreview(
        measures,
        decode_ms=1e3 * (decoded_at - started),
        measure_ms=1e3 * (perf_counter() - decoded_at),
    )
