"""One picture, judged: decode, measure, judge, and classify what is accepted."""

from __future__ import annotations

from time import perf_counter
from typing import TYPE_CHECKING, Protocol

from capture import __version__
from capture.assessment import Assessment, StageTimes, provenance_of
from capture.gates.shot import judge
from capture.gates.verdict import Verdict, verdict_of
from capture.images import DecodedImage, EncodedImage, decode_image
from capture.measure.blur import measure_blur
from capture.measure.exposure import measure_exposure
from capture.measure.measures import StillMeasures
from capture.measure.noise import measure_noise
from capture.measure.perceptual_hash import measure_perceptual_hash

if TYPE_CHECKING:
    from typing import Any

    from numpy.typing import NDArray

    from capture.gates.profile import Profile
    from inference.prediction import Prediction


class Classifier(Protocol):
    """Says what is in a picture."""

    def classify(self, color: NDArray[Any], *, max_label_count: int) -> Prediction:
        """Label an upright (H, W, 3) uint8 BGR picture."""
        ...


def assess_image(
    image: EncodedImage,
    profile: Profile,
    classifier: Classifier | None,
    *,
    max_label_count: int = 5,
    explain: bool = False,
    perceptual_hash: bool = True,
) -> Assessment:
    """Judge one picture; only an accepted one reaches the classifier.

    Parameters
    ----------
    image : EncodedImage
        Bytes as they came.
    profile : Profile
        The limits.
    classifier : Classifier or None
        None leaves the prediction empty.
    max_label_count : int
        Labels to ask for, at least 1.
    explain : bool
        Fill in the tiles of the blur measure.
    perceptual_hash : bool
        Take the perceptual hash: no verdict needs it, only who groups pictures.

    Raises
    ------
    ImageError
        If the bytes cannot be judged at all.
    """
    started = perf_counter()
    decoded = decode_image(image, profile.size.max_pixels)
    decoded_at = perf_counter()
    measures = measure_still(decoded, explain=explain, perceptual_hash=perceptual_hash)
    reasons = judge(measures, profile)
    judged_at = perf_counter()
    prediction = None
    if classifier is not None and verdict_of(reasons) is Verdict.ACCEPT:
        prediction = classifier.classify(decoded.upright_color(), max_label_count=max_label_count)
    return Assessment(
        measures=measures,
        reasons=reasons,
        prediction=prediction,
        provenance=provenance_of(profile, decoded.decode, __version__),
        times=StageTimes(
            decode_ms=1e3 * (decoded_at - started),
            measure_ms=1e3 * (judged_at - decoded_at),
            classify_ms=1e3 * (perf_counter() - judged_at),
        ),
        settings=decoded.settings,
    )


def measure_still(
    decoded: DecodedImage, *, explain: bool = False, perceptual_hash: bool = True
) -> StillMeasures:
    """Take every measure of a decoded picture; `explain` and the hash as of `assess_image`."""
    height_px, width_px = decoded.luma.shape
    return StillMeasures(
        width_px=width_px,
        height_px=height_px,
        blur=measure_blur(decoded.luma, explain=explain),
        exposure=measure_exposure(
            decoded.luma,
            decoded.color,
            color_luma=decoded.color_luma,
            exposure_value=decoded.settings.exposure_value,
        ),
        noise_sigma=measure_noise(decoded.luma),
        perceptual_hash=measure_perceptual_hash(decoded.luma) if perceptual_hash else None,
    )
