"""What a worker leaves out when it is told to."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from capture.assessment import Assessment
from capture.gates.profile import load_profile
from capture.images import EncodedImage
from capture.server.desk import still_job
from capture.v1 import smart_capture_pb2
from capture.worker import Worker

PICTURE = EncodedImage((Path(__file__).parents[1] / "samples" / "demo" / "good.jpg").read_bytes())


def test_the_server_asks_for_no_perceptual_hash() -> None:
    """No message carries it; all other measures, and the verdict, are the same without it."""
    job = still_job(PICTURE, load_profile("default"), smart_capture_pb2.AssessmentOptions())
    worker = Worker(None)
    served = worker(job)
    kept = worker(replace(job, perceptual_hash=True))
    assert isinstance(served, Assessment)
    assert isinstance(kept, Assessment)
    assert kept.measures.perceptual_hash is not None
    assert served.measures == replace(kept.measures, perceptual_hash=None)
    assert served.reasons == kept.reasons
