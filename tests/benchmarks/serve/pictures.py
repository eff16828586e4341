"""Pictures for the load: 720p JPEGs that are all accepted, all refused, and previews."""

from __future__ import annotations

import pickle
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import cv2
import numpy as np

from capture.assessment import Assessment
from capture.gates.profile import Profile, load_profile
from capture.gates.verdict import Verdict
from capture.images import EncodedImage
from capture.jobs import StillJob
from capture.worker import Worker, WorkerConfig, build_worker

ROOT = Path(__file__).parents[3]
SOURCES = ROOT / "inference" / "models" / "pictures"


@dataclass(frozen=True)
class Pictures:
    """JPEG files in memory.

    Attributes
    ----------
    accepted, refused : list of bytes
        1280 x 720.
    previews : list of bytes
        640 x 480.
    """

    accepted: list[bytes]
    refused: list[bytes]
    previews: list[bytes]

    def save(self, path: Path) -> None:
        """Write them for another process of this benchmark."""
        path.write_bytes(pickle.dumps(self))

    @staticmethod
    def load(path: Path) -> Pictures:
        """Read what `save` wrote."""
        pictures = pickle.loads(path.read_bytes())
        assert isinstance(pictures, Pictures)
        return pictures


def make_pictures(count: int = 16) -> Pictures:
    """Make pictures from the photos that ship with the package, sorted by their verdict.

    The photos are small: a 720p picture is a mosaic of fifteen, each at its own scale, so
    that it is as sharp and as hard to compress as a photo of that size.
    """
    worker = build_worker(WorkerConfig(classify=False))
    photos = [cv2.imread(str(file)) for file in sorted(SOURCES.glob("*.jpg"))]
    rng = np.random.default_rng(1)
    accepted, refused, previews = [], [], []
    for _ in range(count):
        chosen = [photos[index][8:248] for index in rng.permutation(len(photos))[:15]]
        frame = cv2.vconcat([cv2.hconcat(chosen[row : row + 5]) for row in (0, 5, 10)])
        sharp, soft = _jpeg(frame), _jpeg(cv2.GaussianBlur(frame, (0, 0), 6))
        if _verdict(worker, sharp) is Verdict.ACCEPT:
            accepted.append(sharp)
        if _verdict(worker, soft) is Verdict.RETAKE:
            refused.append(soft)
        previews.append(_jpeg(frame[:480, :640]))
    if not accepted or not refused:
        raise SystemExit(f"{len(accepted)} accepted and {len(refused)} refused: nothing to compare")
    return Pictures(accepted, refused, previews)


def still_job(data: bytes, *, classify: bool = True) -> StillJob:
    """Return the job that the service makes of a picture."""
    return StillJob(EncodedImage(data), _profile(), classify, perceptual_hash=False)


@cache
def _profile() -> Profile:
    """Read once, as servers do: peers pay for it with no picture."""
    return load_profile("default")


def _verdict(worker: Worker, data: bytes) -> Verdict | None:
    answer = worker(still_job(data, classify=False))
    return answer.verdict if isinstance(answer, Assessment) else None


def _jpeg(picture: cv2.typing.MatLike) -> bytes:
    return bytes(cv2.imencode(".jpg", picture, [cv2.IMWRITE_JPEG_QUALITY, 75])[1])
