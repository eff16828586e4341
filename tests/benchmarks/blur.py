"""The blur measure against simulated truth, real labels, its peers and the clock.

``python -m tests.benchmarks.blur`` prints the table and writes it to ``results/`` with a
picture; ``make bench-gates`` calls `main` too. Scenes are those that the shipped model was not
trained on. Intervals are 95 %, by drawing whole scenes with replacement. Thresholds are frozen
on the scenes of one half of the cameras and used on the other half.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
import simplejpeg

from capture.assess import assess_image
from capture.gates.profile import load_profile
from capture.images import EncodedImage
from capture.measure.blur import measure_blur
from capture.prepare.bases import Base
from capture.prepare.blur_set import MIN_SUBJECT_DETAIL
from capture.prepare.figures import (
    angle_error_deg,
    calibration_error,
    detection_threshold,
    rank_correlation,
)
from tests.benchmarks.archive_peers import PeerUnavailableError
from tests.benchmarks.blur_cleanvision import judge_by_cleanvision
from tests.benchmarks.blur_figures import (
    Figure,
    Row,
    Rows,
    auc_of,
    detected_of,
    interval_of,
    mean_of,
    median_of,
    refused_of,
)
from tests.benchmarks.blur_hard import flat_rows, hard_rows, night_rows, real_rows
from tests.benchmarks.blur_plots import plot
from tests.benchmarks.blur_scenes import (
    Judged,
    judge_scenes,
    list_held_out,
)
from tests.benchmarks.exposure import least_ms, usual_gate

ROOT = Path(__file__).parents[2]
CORPUS = Path(os.environ.get("SMART_CAPTURE_CORPUS", ROOT.parent / "shared" / "corpus"))
RESULTS = Path(__file__).parent / "results"
CLEANVISION_STEP = 3
_DETAIL = f"detail ({MIN_SUBJECT_DETAIL} of the scene's mean and more)"


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
        *cleanvision_rows(judged, bases),
        *motion_rows(judged),
        *size_rows(judged),
        *real_rows(CORPUS),
        *flat_rows(),
        *hard_rows(bases),
        *night_rows(bases),
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
            _with_interval(judged, auc_of(judged.score, pooled, clear), 3),
            f"{auc_floor}",
            f"{auc_goal}",
            "; ".join(
                f"{peer} {auc_of(scores, pooled, clear)(_all(judged)):.2f}"
                for peer, scores in peers.items()
            ),
        )
        for which, clear_part, floor, goal in (
            ("sharp", judged.sharp, f"{sharp_floor} %", f"{sharp_goal} %"),
            ("bokeh", judged.bokeh, f"{bokeh_floor} %", f"{bokeh_goal} %"),
            (f"bokeh whose sharp part holds {_DETAIL}", judged.bokeh_of_subject, "", ""),
        ):
            passing = clear_part & inside
            yield Row(
                f"the same: {which} refused at 95 % detection",
                _with_interval(judged, refused_of(judged.score, pooled, passing), 1, 100),
                floor,
                goal,
                "; ".join(
                    f"{peer} {100 * refused_of(scores, pooled, passing)(_all(judged)):.0f} %"
                    for peer, scores in peers.items()
                ),
            )
        frozen = detection_threshold(judged.score[pooled & judged.first_half])
        other = ~judged.first_half
        above = (judged.score >= frozen).astype(float)
        shares = [
            _with_interval(judged, mean_of(above, chosen & inside & other), 1, 100)
            for chosen in (judged.pooled, judged.sharp, judged.bokeh)
        ]
        yield Row(
            "the same, threshold frozen on half the cameras, used on the others",
            "detected {}, sharp refused {}, bokeh refused {}".format(*shares),
        )


def cleanvision_rows(judged: Judged, bases: tuple[Base, ...]) -> Iterator[Row]:
    """Put CleanVision, which is slow, beside us on a third of the scenes."""
    chosen = bases[::CLEANVISION_STEP]
    inside = np.isin(judged.truth["scene"], [base.name for base in chosen])
    try:
        scores = judge_by_cleanvision(chosen)
    except PeerUnavailableError as error:
        yield Row(f"CleanVision is not there: {error}", "")
        return
    peer = np.zeros(len(inside))
    peer[inside] = scores
    pooled, sharp, bokeh = (f & inside for f in (judged.pooled, judged.sharp, judged.bokeh))
    refused = [100 * refused_of(peer, pooled, clear)(_all(judged)) for clear in (sharp, bokeh)]
    yield Row(
        f"pooled blur, {len(chosen)} of the scenes (CleanVision is slow): AUC",
        _with_interval(judged, auc_of(judged.score, pooled, sharp | bokeh), 3),
        beside=f"CleanVision {auc_of(peer, pooled, sharp | bokeh)(_all(judged)):.2f}; "
        f"refuses {refused[0]:.0f} % sharp, {refused[1]:.0f} % bokeh",
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
            _with_interval(judged, detected_of(judged.score, found, clear), 1, 100),
            floor,
            goal,
            "variance of Laplacian "
            f"{100 * detected_of(judged.laplacian, found, clear)(_all(judged)):.0f} %",
        )
    wide = judged.caused("disk", "line", "shake", low=3)
    right = judged.is_motion == (judged.truth["cause"] != "disk")
    yield Row(
        "defocus told from motion, 3 px and more",
        _with_interval(judged, mean_of(right.astype(float), wide), 1, 100),
        "85 %",
        "95 %",
    )
    error = angle_error_deg(judged.angle_deg, judged.truth["angle_deg"])
    for what, moved in (
        ("straight motion", judged.caused("line", low=8)),
        ("shake", judged.caused("shake", low=8)),
        ("both", judged.caused("line", "shake", low=8)),
    ):
        named = 100 * np.isfinite(judged.angle_deg[moved]).mean()
        yield Row(
            f"direction of {what} of 8 px and more, named of {named:.0f} %: median error, degrees",
            _with_interval(judged, median_of(error, moved), 1),
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
        _with_interval(judged, mean_of(error, ladder), 2),
        "0.31",
        "0.22",
    )
    relative = error / np.maximum(truth, 1e-9)
    yield Row(
        "blur_px from 1 px up: median relative error",
        _with_interval(judged, median_of(relative, ladder & (truth >= 1)), 1, 100),
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
        _with_interval(judged, mean_of(order, ordered), 3),
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
    return interval_of(figure, judged.truth["scene"], digits, factor)


if __name__ == "__main__":
    main()
