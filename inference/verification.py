"""Does the int8 network say what the fp32 network says, on this CPU?

The same int8 file lost 7 points of accuracy on a CPU whose kernels saturate. So a tier
that needs verification is used only where a record says that it passed: shipped with the
model, or measured here at first use on the small pictures that come with the package.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path
from time import perf_counter

import cv2
import numpy as np
from numpy.typing import NDArray

from inference.classifier import OnnxClassifier
from inference.cpu import cpu_signature
from inference.errors import ModelError
from inference.manifest import ModelManifest, TierFile
from inference.network_cache import cache_folder
from inference.preprocess import preprocess
from inference.whole_file import write_whole

PICTURES_FOLDER = Path(__file__).parent / "models" / "pictures"
"""Small pictures that ship with the package, for the check at first use."""

_SUFFIXES = frozenset({".jpg", ".jpeg", ".png"})

CONFIDENT = 0.5
"""Where the reference gives its first label more than this, the labels must agree."""
MIN_CONFIDENT_AGREEMENT = 0.995
MAX_MEAN_DIFFERENCE = 0.06
"""On the shipped pictures sound kernels give 0.036, 7-bit weights 0.053, a network quantized per
tensor, which loses 8 points of accuracy, 0.13."""


@dataclass(frozen=True, slots=True)
class Verification:
    """How a tier compared with the reference.

    Attributes
    ----------
    model : str
        ``name@version``.
    tier, reference : str
        Names of the two tiers.
    sha256, reference_sha256 : str
        Digests of the two files.
    cpu : str
        Where: see `inference.cpu`.
    picture_count : int
        Pictures that both were shown.
    confident_count : int
        Pictures of which the reference is sure.
    agreement : float
        Share of pictures with the same first label.
    confident_agreement : float
        The same among those the reference is sure of; 1 when there are none.
    mean_difference : float
        Mean absolute difference of the probability of the reference's first label.
    speed_ratio : float
        Median time of the reference by that of the tier; above 1 the tier is faster.
    """

    model: str
    tier: str
    reference: str
    sha256: str
    reference_sha256: str
    cpu: str
    picture_count: int
    confident_count: int
    agreement: float
    confident_agreement: float
    mean_difference: float
    speed_ratio: float

    @property
    def passed(self) -> bool:
        """Whether the tier may be used."""
        return (
            self.confident_count > 0
            and self.confident_agreement >= MIN_CONFIDENT_AGREEMENT
            and self.mean_difference <= MAX_MEAN_DIFFERENCE
        )


def verify(
    manifest: ModelManifest, tier: TierFile, pictures: Iterable[NDArray[np.uint8]]
) -> Verification:
    """Show pictures to a tier and to the reference, and compare.

    Parameters
    ----------
    manifest : ModelManifest
        The model; its last tier is the reference.
    tier : TierFile
        The tier in question.
    pictures : iterable of (H, W, 3) uint8
        BGR, upright.

    Raises
    ------
    ModelError
        If a network cannot be used, or there are no pictures.
    """
    reference_file = manifest.tiers[-1]
    candidate = OnnxClassifier(manifest, tier)
    reference = OnnxClassifier(manifest, reference_file)
    firsts: list[tuple[int, int]] = []
    confidences: list[float] = []
    differences: list[float] = []
    times: list[tuple[float, float]] = []
    for color in pictures:
        pixels = preprocess(color, manifest.preprocessing)
        start = perf_counter()
        got = candidate.probabilities(pixels)
        between = perf_counter()
        expected = reference.probabilities(pixels)
        times.append((between - start, perf_counter() - between))
        first = int(expected.argmax())
        firsts.append((int(got.argmax()), first))
        confidences.append(float(expected[first]))
        differences.append(abs(float(got[first]) - float(expected[first])))
    if not firsts:
        raise ModelError("a verification needs pictures")
    agrees = np.array([ours == theirs for ours, theirs in firsts])
    sure = np.array(confidences) > CONFIDENT
    medians = np.median(np.array(times), axis=0)
    return Verification(
        model=manifest.id,
        tier=tier.name,
        reference=reference_file.name,
        sha256=tier.sha256,
        reference_sha256=reference_file.sha256,
        cpu=cpu_signature(),
        picture_count=len(firsts),
        confident_count=int(sure.sum()),
        agreement=float(agrees.mean()),
        confident_agreement=float(agrees[sure].mean()) if sure.any() else 1.0,
        mean_difference=float(np.mean(differences)),
        speed_ratio=float(medians[1] / medians[0]),
    )


def verified(manifest: ModelManifest, tier: TierFile) -> Verification:
    """Return the record of a tier for this CPU, measuring it now if there is none.

    Raises
    ------
    ModelError
        If it has to be measured and cannot be.
    """
    cpu = cpu_signature()
    name = _record_name(tier.sha256, manifest.tiers[-1].sha256, cpu)
    cache = cache_folder()
    kept = None if cache is None else cache / "verifications"
    for folder in (manifest.folder / "verifications", kept):
        record = None if folder is None else _read_record(folder / name)
        if record is not None and (record.sha256, record.cpu) == (tier.sha256, cpu):
            return record
    record = verify(manifest, tier, read_pictures(PICTURES_FOLDER))
    if kept is not None:
        with contextlib.suppress(ModelError):  # a read-only home: measured again next time
            write_record(record, kept)
    return record


def write_record(record: Verification, folder: Path) -> Path:
    """Write a record into a folder, in one step, and return its path.

    Raises
    ------
    ModelError
        If the folder cannot be written to.
    """
    path = folder / _record_name(record.sha256, record.reference_sha256, record.cpu)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        write_whole(path, json.dumps(asdict(record), indent=2) + "\n")
    except OSError as error:
        raise ModelError(f"{folder.name} cannot be written to: {error.strerror}") from error
    return path


def read_pictures(folder: Path, names: Iterable[str] | None = None) -> list[NDArray[np.uint8]]:
    """Return pictures of a folder: (H, W, 3) uint8, BGR, upright.

    Parameters
    ----------
    folder : Path
        Where they are.
    names : iterable of str or None
        File names; None for every JPEG and PNG there, by name.

    Raises
    ------
    ModelError
        If one that was named cannot be read, or there is none.
    """
    if names is None:
        paths = sorted(path for path in folder.glob("*") if path.suffix.lower() in _SUFFIXES)
    else:
        paths = [folder / name for name in names]
    pictures = []
    for path in paths:
        color = cv2.imread(str(path), cv2.IMREAD_COLOR)
        if color is not None:
            pictures.append(np.asarray(color, np.uint8))
        elif names is not None:
            raise ModelError(f"{path.name} cannot be read")
    if not pictures:
        raise ModelError(f"there are no pictures in {folder.name}")
    return pictures


def _record_name(sha256: str, reference_sha256: str, cpu: str) -> str:
    key = "\n".join((sha256, reference_sha256, cpu))
    return hashlib.sha256(key.encode()).hexdigest()[:16] + ".json"


def _read_record(path: Path) -> Verification | None:
    try:
        return Verification(**json.loads(path.read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError):
        return None
