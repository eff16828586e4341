"""Exposure, noise and decoding against the truth and against the clock.

``python -m tests.benchmarks.exposure`` prints the tables and writes them to ``results/``;
``make bench-gates`` calls `main` too. Intervals are 95 %, by drawing whole brackets with
replacement. The development corpus is needed: SMART_CAPTURE_CORPUS names its folder.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import simplejpeg
from numpy.typing import NDArray
from skimage.exposure import is_low_contrast

from capture.drawing import BLUE, GREY, Box, Canvas
from capture.gates.profile import load_profile
from capture.images import EncodedImage, decode_image
from capture.measure.exposure import measure_exposure
from capture.measure.luma import linear_to_srgb, srgb_to_linear
from capture.measure.noise import measure_noise
from capture.prepare.exposure import (
    BracketFrame,
    cross_validate,
    read_brackets,
    read_good_photos,
)
from capture.prepare.figures import roc_auc, scene_interval

ROOT = Path(__file__).parents[2]
CORPUS = Path(os.environ.get("SMART_CAPTURE_CORPUS", ROOT.parent / "shared" / "corpus"))
RESULTS = Path(__file__).parent / "results"
MAX_PIXELS = 120_000_000

GOOD_PHOTOS = ("training_bases", "photos_*", "imagenet_one_per_class", "documents_phone")
ROUND_COUNT = 15

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the table."""

    what: str
    ours: str
    beside: str = ""


def main(results: Path = RESULTS) -> None:
    """Measure, print, and write ``exposure.md`` and ``exposure.png``."""
    if not CORPUS.is_dir():
        print(f"exposure: skipped, there is no corpus at {CORPUS}")
        return
    cv2.setNumThreads(1)
    frames, good_photos = read_brackets(CORPUS), read_good_photos(CORPUS)
    estimates_ev = cross_validate(frames, good_photos)
    rows = [
        *offset_rows(frames, estimates_ev),
        *range_rows(frames),
        *clipping_rows(),
        *noise_rows(),
        *time_rows(),
    ]
    table = "\n".join(markdown(rows))
    print(table)
    results.mkdir(parents=True, exist_ok=True)
    (results / "exposure.md").write_text(table + "\n")
    plot(frames, estimates_ev).save(results / "exposure.png")


def markdown(rows: list[Row]) -> Iterator[str]:
    """Write the table."""
    yield "| exposure, noise, decoding | ours | beside |"
    yield "|---|---|---|"
    for row in rows:
        yield f"| {row.what} | {row.ours} | {row.beside} |"


def offset_rows(frames: list[BracketFrame], estimates_ev: Floats) -> Iterator[Row]:
    """Compare the cross-validated offset with the shutter, beside log-mean luminance."""
    true_ev = np.array([frame.offset_ev for frame in frames])
    scenes = np.array([frame.scene for frame in frames])
    near = np.abs(true_ev) <= 3.1
    log_mean = np.log2(srgb_to_linear(np.arange(256) / 255) + 1e-3)
    baseline_ev = np.array([frame.tones.shares @ log_mean for frame in frames])
    baseline_ev -= np.median((baseline_ev - true_ev)[near])

    def with_interval(figure: Callable[[NDArray[np.int64]], float]) -> str:
        low, high = scene_interval(figure, scenes)
        return f"{figure(np.arange(len(frames))):.2f} ({low:.2f} to {high:.2f})"

    def mean_error(values_ev: Floats) -> Callable[[NDArray[np.int64]], float]:
        return lambda rows: float(
            np.abs(values_ev - true_ev)[rows][near[rows]].mean() if near[rows].any() else np.nan
        )

    def auc(values_ev: Floats, stops: int) -> Callable[[NDArray[np.int64]], float]:
        sign = np.sign(stops)

        def figure(rows: NDArray[np.int64]) -> float:
            values, truth = sign * values_ev[rows], true_ev[rows]
            return roc_auc(values[np.abs(truth - stops) < 0.4], values[np.abs(truth) <= 0.5])

        return figure

    count = f"{len(set(scenes))} brackets, {int(near.sum())} frames"
    yield Row(
        f"offset, mean absolute error within 3 stops, EV ({count})",
        with_interval(mean_error(estimates_ev)),
        f"log-mean luminance {with_interval(mean_error(baseline_ev))}",
    )
    for stops in (-1, -2, -3, 1, 2, 3):
        yield Row(
            f"offset, AUC of {stops:+d} EV against well exposed",
            with_interval(auc(estimates_ev, stops)),
            f"log-mean luminance {with_interval(auc(baseline_ev, stops))}",
        )
    pairs = [
        (offset_ev_of_file(path), offset_ev_of_file(other))
        for path in sorted(CORPUS.glob("exposure_mefb_pairs/**/*_A.*"))
        for other in path.parent.glob(f"{path.stem[:-2]}_B.*")
    ]
    ordered = sum(under < over for under, over in pairs)
    yield Row("under- below overexposed frame of a pair", f"{ordered} of {len(pairs)}")
    limits = load_profile("default").exposure
    good = np.array([offset_ev_of_file(path) for path in good_photos()])
    outside = (good < limits.min_offset_ev) | (good > limits.max_offset_ev)
    yield Row(
        "ordinary photos outside the default limits of the offset",
        f"{100 * outside.mean():.1f} % of {len(good)}",
    )


def range_rows(frames: list[BracketFrame]) -> Iterator[Row]:
    """Flag frames four stops too dark by their range, beside scikit-image."""
    limit = load_profile("default").exposure.min_dynamic_range_stops
    bases = [luma_of(path) for path in sorted(CORPUS.glob("training_bases/*.jpg"))]
    dark = [darkened(luma, stops=4) for luma in bases]
    flagged = np.array([dynamic_range_of(luma) < limit for luma in dark])
    peer = np.array([is_low_contrast(luma) for luma in dark])
    yield Row(
        f"dynamic range below {limit} stops at -4 EV, in linear light ({len(dark)} photos)",
        f"{100 * flagged.mean():.0f} %",
        f"is_low_contrast {100 * peer.mean():.0f} %",
    )
    good = [luma_of(path) for path in good_photos()]
    wrong = np.array([dynamic_range_of(luma) < limit for luma in good])
    wrong_peer = np.array([is_low_contrast(luma) for luma in good])
    yield Row(
        "the same on ordinary photos",
        f"{100 * wrong.mean():.1f} % of {len(good)}",
        f"is_low_contrast {100 * wrong_peer.mean():.1f} %",
    )
    deep = [frame for frame in frames if frame.offset_ev <= -3.6]
    found = np.array([range_of_shares(frame.tones.shares) < limit for frame in deep])
    yield Row(
        "the same on real frames at -4 EV and below, most with lamps or windows in them",
        f"{100 * found.mean():.0f} % of {len(deep)}",
    )


def clipping_rows() -> Iterator[Row]:
    """Compare the clipped shares with a plain count over full-size channels."""
    worst, count = 0.0, 0
    for path in good_photos():
        decoded = decode_image(EncodedImage(path.read_bytes()), MAX_PIXELS)
        color = decoded.color if decoded.color is not None else decoded.luma[..., np.newaxis]
        exposure = measure_exposure(decoded.luma, decoded.color)
        highlights = (color >= 252).any(axis=2).mean() - exposure.clipped_highlight_fraction
        shadows = (color <= 6).all(axis=2).mean() - exposure.clipped_shadow_fraction
        worst, count = max(worst, abs(highlights), abs(shadows)), count + 1
    yield Row(f"clipped shares, worst difference over {count} photos, points", f"{100 * worst:.4f}")


def noise_rows() -> Iterator[Row]:
    """Add known noise to photos; the median estimate and its middle 80 %."""
    random = np.random.default_rng(0)
    photos = [luma_of(path) for path in sorted(CORPUS.glob("training_bases/*.jpg"))[::4]]
    for sigma in (1, 4, 12):
        ours, haar = [], []
        for luma in photos:
            noise = random.normal(0, sigma, luma.shape)
            noisy = np.clip(np.round(luma + noise), 0, 255).astype(np.uint8)
            ours.append(measure_noise(noisy) or np.nan)
            haar.append(haar_sigma(noisy))
        yield Row(
            f"noise of {sigma} levels added to {len(photos)} photos",
            spread(np.array(ours)),
            f"Haar wavelet median {spread(np.array(haar))}",
        )


def time_rows() -> Iterator[Row]:
    """Compare bytes to numbers with bare decodes, in processor time of one thread."""
    source = cv2.imread(str(sorted(CORPUS.glob("photos_banana/*.JPG"))[0]))
    for megapixels, size in ((12, (4000, 3000)), (2, (1632, 1224))):
        pixels = cv2.resize(source, size, interpolation=cv2.INTER_CUBIC)
        grain = np.random.default_rng(0).normal(0, 3, pixels.shape)
        pixels = np.clip(pixels + grain, 0, 255).astype(np.uint8)
        data = cv2.imencode(".jpg", pixels, [cv2.IMWRITE_JPEG_QUALITY, 92])[1].tobytes()
        samples = np.frombuffer(data, np.uint8)
        image = EncodedImage(data)
        decoded = decode_image(image, MAX_PIXELS)
        ours, luma, opencv, usual, exposure, noise = least_ms(
            [
                lambda image=image: judged(image),
                lambda data=data: simplejpeg.decode_jpeg(data, "GRAY"),
                lambda samples=samples: cv2.imdecode(samples, cv2.IMREAD_GRAYSCALE),
                lambda samples=samples: usual_gate(samples),
                lambda decoded=decoded: measure_exposure(decoded.luma, decoded.color),
                lambda decoded=decoded: measure_noise(decoded.luma),
            ]
        )
        yield Row(
            f"{megapixels} MP JPEG ({len(data) / 1e6:.1f} MB) to luma, colour, exposure and noise",
            f"{ours:.1f} ms (of it exposure {exposure:.1f}, noise {noise:.1f})",
            f"bare luma: simplejpeg {luma:.1f} ms, OpenCV {opencv:.1f} ms; "
            f"OpenCV colour and Laplacian {usual:.1f} ms",
        )


def judged(image: EncodedImage) -> None:
    """Decode, count and measure."""
    decoded = decode_image(image, MAX_PIXELS)
    measure_exposure(decoded.luma, decoded.color)
    measure_noise(decoded.luma)


def usual_gate(samples: NDArray[np.uint8]) -> float:
    """What most gates do: colour, grey, variance of the Laplacian."""
    grey = cv2.cvtColor(cv2.imdecode(samples, cv2.IMREAD_COLOR), cv2.COLOR_BGR2GRAY)
    return float(cv2.Laplacian(grey, cv2.CV_64F).var())


def least_ms(calls: list[Callable[[], object]]) -> list[float]:
    """Return the least disturbed of several rounds, taken in turns, in ms."""
    times = np.empty((ROUND_COUNT, len(calls)))
    for call in calls:
        call()
    for round_times in times:
        for index, call in enumerate(calls):
            started = time.thread_time()
            call()
            round_times[index] = 1e3 * (time.thread_time() - started)
    return [float(value) for value in times.min(axis=0)]


def good_photos() -> list[Path]:
    """Return ordinary photos, meant to look as they do."""
    files = (path for pattern in GOOD_PHOTOS for path in CORPUS.glob(f"{pattern}/*"))
    return sorted(path for path in files if path.suffix.lower() in (".jpg", ".jpeg"))


def luma_of(path: Path) -> NDArray[np.uint8]:
    """Read the luma of a picture."""
    return decode_image(EncodedImage(path.read_bytes()), MAX_PIXELS).luma


def offset_ev_of_file(path: Path) -> float:
    """Measure the offset of a picture, as if it had no EXIF."""
    offset_ev = measure_exposure(luma_of(path), None).offset_ev
    assert offset_ev is not None
    return offset_ev


def dynamic_range_of(luma: NDArray[np.uint8]) -> float:
    """Measure the range of a picture."""
    return measure_exposure(luma, None).dynamic_range_stops


def range_of_shares(shares: Floats) -> float:
    """Measure the range of a picture that has these levels."""
    counts = np.round(shares * 250_000).astype(int)
    levels = np.repeat(np.arange(256), counts).astype(np.uint8)
    return dynamic_range_of(levels[: len(levels) // 100 * 100].reshape(100, -1))


def darkened(luma: NDArray[np.uint8], stops: float) -> NDArray[np.uint8]:
    """Take light away, and add the noise of the sensor that would remain."""
    light = srgb_to_linear(luma / 255) / 2**stops
    noise = np.random.default_rng(1).normal(0, 1, light.shape) * np.sqrt(2e-4 * light + 1e-6)
    return np.round(255 * linear_to_srgb(np.clip(light + noise, 0, 1))).astype(np.uint8)


def haar_sigma(luma: NDArray[np.uint8]) -> float:
    """Return the median absolute diagonal Haar detail over 0.6745 (Donoho 1995)."""
    rows, columns = (edge // 2 * 2 for edge in luma.shape)
    even = luma[:rows, :columns].astype(float)
    detail = (even[::2, ::2] - even[1::2, ::2] - even[::2, 1::2] + even[1::2, 1::2]) / 2
    return float(np.median(np.abs(detail)) / 0.6745)


def spread(values: Floats) -> str:
    """Write the median, and the middle 80 %."""
    low, median, high = np.nanpercentile(values, [10, 50, 90])
    return f"{median:.2f} ({low:.2f} to {high:.2f})"


def plot(frames: list[BracketFrame], estimates_ev: Floats) -> Canvas:
    """Draw the estimated against the true offset of every frame."""
    canvas, area, reach = Canvas(640, 660), Box(70, 50, 540, 540), 6.0
    canvas.text("Exposure offset of real brackets, held-out scenes", 70, 32, size=18, weight=700)

    def point(true_ev: float, estimate_ev: float) -> tuple[float, float]:
        x = area.x + area.width * (true_ev + reach) / (2 * reach)
        return x, area.y + area.height * (reach - estimate_ev) / (2 * reach)

    canvas.frame(area, GREY)
    canvas.lines(np.array([point(-reach, -reach), point(reach, reach)]), GREY)
    for stops in range(-6, 7, 2):
        x, y = point(stops, stops)
        mark = f"{stops:+d}" if stops else "0"
        canvas.text(mark, round(x) - 10, area.y + area.height + 22, size=14)
        canvas.text(mark, area.x - 30, round(y) + 5, size=14)
    for frame, estimate_ev in zip(frames, estimates_ev, strict=True):
        if abs(frame.offset_ev) <= reach:
            x, y = point(frame.offset_ev, float(np.clip(estimate_ev, -reach, reach)))
            canvas.fill(Box(round(x) - 3, round(y) - 3, 6, 6), BLUE, 0.6)
    canvas.text("true offset by the shutter, EV", 240, 640, size=14)
    canvas.text("estimated, EV", 70, area.y + 18, size=14)
    return canvas


if __name__ == "__main__":
    main()
