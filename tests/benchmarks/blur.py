"""The blur measure against simulated truth, real labels, its peers and the clock.

``python -m tests.benchmarks.blur`` prints the table and writes it to ``results/`` with a
picture; ``make bench-gates`` calls `main` too. Scenes are those that the shipped model was not
trained on. Intervals are 95 %, by drawing whole scenes with replacement. Thresholds are frozen
on the scenes of one half of the cameras and used on the other half.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import simplejpeg
from numpy.typing import NDArray

from capture.assess import assess_image
from capture.gates.profile import load_profile
from capture.images import EncodedImage
from capture.measure.blur import measure_blur
from capture.prepare.bases import Base
from capture.prepare.figures import (
    angle_error_deg,
    calibration_error,
    detection_threshold,
    rank_correlation,
    roc_auc,
    scene_interval,
    share_at_least,
)
from tests.benchmarks.blur_plots import plot
from tests.benchmarks.blur_scenes import (
    Flags,
    Floats,
    Judged,
    judge_hard,
    judge_scenes,
    list_held_out,
)
from tests.benchmarks.exposure import least_ms, usual_gate
from tests.benchmarks.real_blur import read_real_photos

ROOT = Path(__file__).parents[2]
CORPUS = Path(os.environ.get("SMART_CAPTURE_CORPUS", ROOT.parent / "shared" / "corpus"))
RESULTS = Path(__file__).parent / "results"
SEED = 100
FLAT_COUNT = 50

Rows = NDArray[np.int64]
Figure = Callable[[Rows], float]


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the table."""

    what: str
    ours: str
    floor: str = ""
    goal: str = ""
    beside: str = ""


def main(results: Path = RESULTS) -> None:
    """Measure, print, and write ``blur.md`` and ``blur.png``."""
    if not CORPUS.is_dir():
        print(f"blur: skipped, there is no corpus at {CORPUS}")
        return
    cv2.setNumThreads(1)
    bases = list_held_out(CORPUS)
    judged = judge_scenes(bases)
    rows = [
        *pooled_rows(judged),
        *motion_rows(judged),
        *size_rows(judged),
        *real_rows(),
        *flat_rows(),
        *hard_rows(bases),
        *time_rows(),
    ]
    table = "\n".join(markdown(rows, len(set(judged.truth["scene"]))))
    print(table)
    results.mkdir(parents=True, exist_ok=True)
    (results / "blur.md").write_text(table + "\n")
    plot(judged).save(results / "blur.png")


def pooled_rows(judged: Judged) -> Iterator[Row]:
    """Tell blurred from sharp, over all noise and up to ISO 400."""
    iso = judged.truth["iso"]
    limits = {
        "ISO 100 to 6400": (0.985, 0.992, 7, 3, 6, 3),
        "up to ISO 400": (0.994, 0.998, 2, 1, 2.5, 1),
    }
    slices = {"ISO 100 to 6400": iso >= 0, "up to ISO 400": iso <= 400}
    for name, inside in slices.items():
        auc_floor, auc_goal, sharp_floor, sharp_goal, bokeh_floor, bokeh_goal = limits[name]
        peers = {"variance of Laplacian": judged.laplacian, "blur_effect": judged.blur_effect}
        pooled, clear = judged.pooled & inside, (judged.sharp | judged.bokeh) & inside
        yield Row(
            f"pooled blur, {name}: AUC",
            _with_interval(judged, _auc(judged.score, pooled, clear), 3),
            f"{auc_floor}",
            f"{auc_goal}",
            "; ".join(
                f"{peer} {_auc(scores, pooled, clear)(_all(judged)):.2f}"
                for peer, scores in peers.items()
            ),
        )
        for which, floor, goal in (
            ("sharp", sharp_floor, sharp_goal),
            ("bokeh", bokeh_floor, bokeh_goal),
        ):
            passing = (judged.sharp if which == "sharp" else judged.bokeh) & inside
            yield Row(
                f"the same: {which} refused at 95 % detection",
                _with_interval(judged, _refused(judged.score, pooled, passing), 1, 100),
                f"{floor} %",
                f"{goal} %",
                "; ".join(
                    f"{peer} {100 * _refused(scores, pooled, passing)(_all(judged)):.0f} %"
                    for peer, scores in peers.items()
                ),
            )
        frozen = detection_threshold(judged.score[pooled & judged.first_half])
        other = ~judged.first_half
        above = (judged.score >= frozen).astype(float)
        shares = [
            _with_interval(judged, _mean(above, chosen & inside & other), 1, 100)
            for chosen in (judged.pooled, judged.sharp, judged.bokeh)
        ]
        yield Row(
            "the same, threshold frozen on half the cameras, used on the others",
            "detected {}, sharp refused {}, bokeh refused {}".format(*shares),
        )


def motion_rows(judged: Judged) -> Iterator[Row]:
    """Find long movement and ghosts; name kind and direction."""
    clear = judged.sharp | judged.bokeh
    for what, found, floor, goal in (
        ("movement of 20 to 60 px", judged.caused("line", "shake", low=20), "93 %", "98 %"),
        ("shake that dwells at a point", judged.caused("dwell"), "reported", "90 %"),
    ):
        yield Row(
            f"{what}: detected at 5 % false rejects",
            _with_interval(judged, _detected(judged.score, found, clear), 1, 100),
            floor,
            goal,
            "variance of Laplacian "
            f"{100 * _detected(judged.laplacian, found, clear)(_all(judged)):.0f} %",
        )
    wide = judged.caused("disk", "line", "shake", low=3)
    right = judged.is_motion == (judged.truth["cause"] != "disk")
    yield Row(
        "defocus told from motion, 3 px and more",
        _with_interval(judged, _mean(right.astype(float), wide), 1, 100),
        "85 %",
        "95 %",
    )
    error = angle_error_deg(judged.angle_deg, judged.truth["angle_deg"])
    for what, moved in (
        ("straight motion", judged.caused("line", low=8)),
        ("shake", judged.caused("shake", low=8)),
    ):
        yield Row(
            f"direction of {what} of 8 px and more: median error, degrees",
            _with_interval(judged, _median(error, moved), 1),
            "12",
            "5",
        )


def size_rows(judged: Judged) -> Iterator[Row]:
    """Compare blur_px with the truth, and the probability with its frequency."""
    truth = judged.truth["sigma_px"]
    ladder = judged.sharp | judged.bokeh | judged.caused("disk", "line", "shake", high=10)
    error = np.abs(judged.sigma_px - truth)
    yield Row(
        "blur_px, up to 10 px: mean absolute error, px",
        _with_interval(judged, _mean(error, ladder), 2),
        "0.31",
        "0.22",
    )
    relative = error / np.maximum(truth, 1e-9)
    yield Row(
        "blur_px from 1 px up: median relative error",
        _with_interval(judged, _median(relative, ladder & (truth >= 1)), 1, 100),
        "18 %",
        "12 %",
    )
    scenes = judged.truth["scene"]
    ordered = judged.caused("disk")
    orders = {
        scene: rank_correlation(judged.sigma_px[rows], truth[rows])
        for scene in np.unique(scenes)
        for rows in (np.flatnonzero(ordered & (scenes == scene)),)
    }
    order = np.array([orders[scene] for scene in scenes])
    yield Row(
        "blur_px, Spearman over the defocus ladder of a scene",
        _with_interval(judged, _mean(order, ordered), 3),
        "0.98",
        "0.99",
    )
    known = judged.pooled | judged.sharp | judged.bokeh
    yield Row(
        "expected calibration error of the probability",
        _with_interval(
            judged,
            lambda rows: calibration_error(
                judged.score[rows][known[rows]], judged.pooled[rows][known[rows]]
            ),
            3,
        ),
        "0.05",
        "0.02",
    )


def real_rows() -> Iterator[Row]:
    """Judge photos that were really blurred."""
    photos = read_real_photos(CORPUS)
    answers = [measure_blur(photo.luma).probability for photo in photos]
    ours = np.array([answer or 0.0 for answer in answers])
    peer = np.array([-float(cv2.Laplacian(photo.luma, cv2.CV_64F).var()) for photo in photos])
    blurred = np.array([photo.is_blurred for photo in photos])
    doubtful = np.array([photo.in_doubt for photo in photos])
    scenes = np.array([photo.scene for photo in photos])
    for what, kept in (
        ("real photos, as the corpus labels them", np.ones_like(blurred)),
        ("the same without 3 frames of a focus ramp called sharp, soft by eye", ~doubtful),
    ):
        yield Row(
            f"{what} ({int((kept & blurred).sum())} blurred, {int((kept & ~blurred).sum())} "
            "sharp): AUC",
            _interval(_auc(ours, kept & blurred, kept & ~blurred), scenes, 3),
            "0.985",
            "0.995",
            f"variance of Laplacian {roc_auc(peer[kept & blurred], peer[kept & ~blurred]):.3f}",
        )
        beside = _refused(peer, kept & blurred, kept & ~blurred)(np.arange(len(peer)))
        yield Row(
            "the same: sharp refused at 95 % detection",
            _interval(_refused(ours, kept & blurred, kept & ~blurred), scenes, 1, 100),
            "8 %",
            "3 %",
            f"variance of Laplacian {100 * beside:.0f} %",
        )
        yield Row(
            "the same at probability 0.5",
            f"detected {100 * (ours[kept & blurred] > 0.5).mean():.0f} %, "
            f"sharp refused {100 * (ours[kept & ~blurred] > 0.5).mean():.0f} %",
        )


def flat_rows() -> Iterator[Row]:
    """Show frames that hold nothing."""
    rng = np.random.default_rng(SEED)
    called = 0
    for _ in range(FLAT_COUNT):
        ends = rng.uniform(0, 255, (2, 2)) if rng.random() < 0.7 else rng.uniform(0, 25, (2, 2))
        plane = cv2.resize(ends, (1000, 700), interpolation=cv2.INTER_LINEAR)
        noisy = plane + rng.normal(0, rng.choice([0, 1, 3, 8]), plane.shape)
        blur = measure_blur(np.clip(noisy, 0, 255).astype(np.uint8))
        called += blur.probability is not None and blur.probability > 0.5
    yield Row("flat, sky and night frames called blurred", f"{called} of {FLAT_COUNT}", "0", "0")


def hard_rows(bases: tuple[Base, ...]) -> Iterator[Row]:
    """Show sharp captures that look soft: dense fog, and a tiny subject as macros have it."""
    for what, name in (
        ("sharp scenes in dense fog (60 to 85 % airlight)", "fog"),
        ("tiny sharp subjects (6 to 12 % of the frame, background blurred by 8 to 14 px)", "macro"),
    ):
        probability, scenes = judge_hard(bases, name)
        called = (np.nan_to_num(probability, nan=0.0) > 0.5).astype(float)
        every = np.ones(len(called), bool)
        unsaid = 100 * np.isnan(probability).mean()
        yield Row(
            f"{what} called blurred ({len(called)} frames; nothing said of {unsaid:.0f} %)",
            _interval(_mean(called, every), scenes, 1, 100),
            "",
            "10 %",
        )


def time_rows() -> Iterator[Row]:
    """Compare bytes to verdict with bare decodes, in processor time of one thread."""
    source = cv2.imread(str(min(CORPUS.glob("photos_banana/*.JPG"))))
    profile = load_profile("default")
    for megapixels, size, floors in (
        (12, (4000, 3000), ("2.2 x luma, 0.45 x usual", "1.4 x, 0.3 x")),
        (2, (1632, 1224), ("2.5 x usual", "1 x")),
    ):
        pixels = cv2.resize(source, size, interpolation=cv2.INTER_CUBIC)
        data = cv2.imencode(".jpg", pixels, [cv2.IMWRITE_JPEG_QUALITY, 92])[1].tobytes()
        samples = np.frombuffer(data, np.uint8)
        image = EncodedImage(data)
        luma = simplejpeg.decode_jpeg(data, "GRAY")[..., 0]
        verdict, bare, usual, blur = least_ms(
            [
                lambda image=image: assess_image(image, profile, None),
                lambda samples=samples: cv2.imdecode(samples, cv2.IMREAD_GRAYSCALE),
                lambda samples=samples: usual_gate(samples),
                lambda luma=luma: measure_blur(luma),
            ]
        )
        yield Row(
            f"{megapixels} MP JPEG ({len(data) / 1e6:.1f} MB) to verdict, one thread",
            f"{verdict:.0f} ms, of it blur {blur:.0f}: {verdict / bare:.1f} x luma decode, "
            f"{verdict / usual:.2f} x usual",
            *floors,
            f"luma decode {bare:.0f} ms; usual: colour decode and Laplacian {usual:.0f} ms",
        )


def markdown(rows: list[Row], scene_count: int) -> Iterator[str]:
    """Write the table."""
    yield f"| blur, {scene_count} held-out scenes | measured | floor | goal | beside |"
    yield "|---|---|---|---|---|"
    for row in rows:
        yield f"| {row.what} | {row.ours} | {row.floor} | {row.goal} | {row.beside} |"


def _all(judged: Judged) -> Rows:
    return np.arange(len(judged.score))


def _with_interval(judged: Judged, figure: Figure, digits: int, factor: float = 1) -> str:
    return _interval(figure, judged.truth["scene"], digits, factor)


def _interval(figure: Figure, scenes: NDArray[np.str_], digits: int, factor: float = 1) -> str:
    numbers = (figure(np.arange(len(scenes))), *scene_interval(figure, scenes))
    value, low, high = (f"{factor * number:.{digits}f}" for number in numbers)
    return f"{value}{' %' if factor == 100 else ''} ({low} to {high})"


def _auc(scores: Floats, blurred: Flags, clear: Flags) -> Figure:
    return lambda rows: roc_auc(scores[rows][blurred[rows]], scores[rows][clear[rows]])


def _refused(scores: Floats, blurred: Flags, clear: Flags) -> Figure:
    return lambda rows: share_at_least(
        scores[rows][clear[rows]], detection_threshold(scores[rows][blurred[rows]])
    )


def _detected(scores: Floats, blurred: Flags, clear: Flags) -> Figure:
    return lambda rows: share_at_least(
        scores[rows][blurred[rows]], float(np.quantile(scores[rows][clear[rows]], 0.95))
    )


def _mean(values: Floats, chosen: Flags) -> Figure:
    return lambda rows: float(np.nanmean(values[rows][chosen[rows]]))


def _median(values: Floats, chosen: Flags) -> Figure:
    return lambda rows: float(np.nanmedian(values[rows][chosen[rows]]))


if __name__ == "__main__":
    main()
