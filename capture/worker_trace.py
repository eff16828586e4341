"""Where a worker's time went, as plain data that comes back with its answer.

A worker knows nothing of OpenTelemetry and opens no connections: the front makes spans of
what it tells. The context that they belong to goes with the job, so that what comes back
can be told apart by itself.
"""

from __future__ import annotations

import os
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TypeAlias

from capture.assessment import Assessment, MeasuredPreview
from capture.jobs import Answer, Job

Attribute: TypeAlias = str | int | float | tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Stage:
    """One stage of a job.

    Attributes
    ----------
    name : str
        ``decode``, ``measure`` or ``classify``.
    start_ns, end_ns : int
        Unix time, in nanoseconds.
    attributes : mapping
        What came of it, by name.
    """

    name: str
    start_ns: int
    end_ns: int
    attributes: Mapping[str, Attribute] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class WorkerTrace:
    """One job in a worker.

    Attributes
    ----------
    traceparent : str
        What it is part of: W3C Trace Context, as it came with the job.
    pid : int
        Process id of the worker.
    start_ns, end_ns : int
        Unix time, in nanoseconds.
    stages : tuple of Stage
        In the order in which they were gone through.
    """

    traceparent: str
    pid: int
    start_ns: int
    end_ns: int
    stages: tuple[Stage, ...]


@dataclass(frozen=True, slots=True)
class TracedJob:
    """A job whose answer is to say where the time went.

    Attributes
    ----------
    job : Job
        The job itself.
    traceparent : str
        What it is part of: W3C Trace Context.
    """

    job: Job
    traceparent: str


@dataclass(frozen=True, slots=True)
class TracedAnswer:
    """The answer to a traced job."""

    answer: object
    trace: WorkerTrace


class StageClock:
    """Takes the time of a job, and reads those of its stages from its answer."""

    def __init__(self) -> None:
        self._start_ns = time.time_ns()

    def stop(self, traceparent: str, answer: Answer) -> WorkerTrace:
        """Return the times of the job."""
        stages: list[Stage] = []
        if isinstance(answer, Assessment):
            stages = _stages_of_still(answer, self._start_ns)
        elif isinstance(answer, MeasuredPreview):
            stages = _stages_of_preview(answer, self._start_ns)
        return WorkerTrace(traceparent, os.getpid(), self._start_ns, time.time_ns(), tuple(stages))


def _stages_of_preview(preview: MeasuredPreview, start_ns: int) -> list[Stage]:
    decoded_ns = start_ns + round(1e6 * preview.decode_ms)
    return [
        Stage("decode", start_ns, decoded_ns),
        Stage("measure", decoded_ns, decoded_ns + round(1e6 * preview.measure_ms)),
    ]


def _stages_of_still(assessment: Assessment, start_ns: int) -> list[Stage]:
    times, measures = assessment.times, assessment.measures
    decoded_ns = start_ns + round(1e6 * times.decode_ms)
    judged_ns = decoded_ns + round(1e6 * times.measure_ms)
    stages = [
        Stage(
            "decode",
            start_ns,
            decoded_ns,
            {
                "smart_capture.decode": assessment.provenance.decode,
                "smart_capture.width_px": measures.width_px,
                "smart_capture.height_px": measures.height_px,
            },
        ),
        Stage(
            "measure",
            decoded_ns,
            judged_ns,
            {
                "smart_capture.profile": assessment.provenance.profile,
                "smart_capture.reasons": tuple(reason.code for reason in assessment.reasons),
            },
        ),
    ]
    prediction = assessment.prediction
    if prediction is not None:
        stages.append(
            Stage(
                "classify",
                judged_ns,
                judged_ns + round(1e6 * times.classify_ms),
                {
                    "smart_capture.model": prediction.model,
                    "smart_capture.tier": prediction.tier,
                    "smart_capture.tier_reason": prediction.tier_reason,
                },
            )
        )
    return stages
