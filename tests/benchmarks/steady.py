"""How steady is steady: `make bench-steady`.

Simulated cameras give the truth: previews rendered from photographs along hand-held
trajectories, samples of a gyroscope, the blur of the still that would be taken. Clips of the
corpus give reality. Every row stands beside its floor, its goal and, where there is one, the
ceiling that knowing the true past motion would reach.

Environment
-----------
SMART_CAPTURE_CORPUS
    Folder of the corpus; default ``../shared/corpus``. Rows that need it are skipped and
    say so; without its photographs the scenes come from scikit-image.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from functools import cache
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table
from skimage import data

from capture.gates.profile import load_profile
from capture.gates.stability import Stability
from capture.measure.gyro import GyroSample
from capture.measure.luma import LumaPlane, srgb_to_linear
from capture.measure.motion import (
    Motion,
    PreviewMeasures,
    bucketed_corners,
    measure_preview,
    reduce_preview,
)
from capture.replay.frames import RecordedFrame, read_frames
from capture.replay.run import replay
from capture.session import PreviewFrame, Session, SessionConfig
from tests.benchmarks.camera_simulation import (
    FOCAL_WIDTHS,
    FRAME_RATE_HZ,
    HEIGHT_PX,
    STILL_WIDTH_PX,
    WIDTH_PX,
    Trajectory,
    draw_foreground,
    halt,
    render_preview,
    shake,
)

CORPUS = Path(os.environ.get("SMART_CAPTURE_CORPUS", "../shared/corpus"))
RESULTS = Path(__file__).parent / "results"
PROFILE = load_profile("default")
SEED = 20_261
SEQUENCE_COUNT = 72
FRAME_COUNT = 36
FOREGROUNDS = (0.0, 0.10, 0.25)
EXPOSURES = (60, 125, 250)
GYRO_RATE_HZ = 200.0
GYRO_NOISE_RAD_S = np.deg2rad(0.1)
GYRO_BIAS_RAD_S = 0.005
STILL_LATENCY_MS = 1000 / FRAME_RATE_HZ
FRAME_MS = 1000 / FRAME_RATE_HZ
_WARM_UP = 8


@dataclass(frozen=True)
class Sequence:
    """One simulated camera, and what was measured of its previews."""

    trajectory: Trajectory
    times_ms: NDArray[np.float64]
    measures: list[PreviewMeasures]
    true_motions: list[Motion | None]
    gyro: list[GyroSample]
    foreground_fraction: float


@dataclass
class Report:
    """The table that is printed."""

    rows: list[tuple[str, str, str, str, str, str]] = field(default_factory=list)

    def add(
        self,
        name: str,
        value: float | None,
        floor: float,
        goal: float,
        *,
        higher: bool = False,
        digits: int = 3,
        unit: str = "",
        ceiling: float | None = None,
        note: str = "",
    ) -> None:
        """Add a row; a value of None was skipped."""
        if value is None:
            self.rows.append((name, "skipped", f"{floor:g}", f"{goal:g}", "", note))
            return
        reaches = (lambda limit: value >= limit) if higher else (lambda limit: value <= limit)
        mark = "goal" if reaches(goal) else "floor" if reaches(floor) else "MISSED"
        beside = note if ceiling is None else f"ceiling {ceiling:.{digits}f} {note}"
        self.rows.append(
            (name, f"{value:.{digits}f}{unit}", f"{floor:.3g}", f"{goal:.3g}", mark, beside.strip())
        )

    def print(self) -> None:
        """Print the table, as wide as it is."""
        table = Table(box=None, padding=(0, 2, 0, 0))
        for name, justify in zip(
            ("", "measured", "floor", "goal", "reached", ""),
            ("left", "right", "right", "right", "left", "left"),
            strict=True,
        ):
            table.add_column(name, justify=justify, no_wrap=True)  # type: ignore[arg-type]
        for row in self.rows:
            table.add_row(*row, style="red" if row[4] == "MISSED" else None)
        Console(width=170).print(table)

    def save(self, path: Path) -> None:
        """Write the table as Markdown."""
        head = "| steadiness | measured | floor | goal | reached | |\n|---|---|---|---|---|---|\n"
        path.write_text(head + "".join(f"| {' | '.join(row)} |\n" for row in self.rows))


def main() -> None:
    """Run everything; about two minutes on one core."""
    cv2.setNumThreads(1)
    report = Report()
    sequences = list(simulate())
    motion_rows(report, sequences)
    time_row(report, sequences[0])
    foresight_rows(report, sequences)
    halt_row(report)
    phone_row(report)
    fixed_camera_rows(report)
    report.print()
    RESULTS.mkdir(exist_ok=True)
    report.save(RESULTS / "steady.md")


# ---- simulation


@cache
def scenes() -> tuple[LumaPlane, ...]:
    """Return photographs larger than a preview, with detail in most of their parts.

    A bare wall behind somebody who walks has no motion to be found, by whatever method.
    """
    files = sorted((CORPUS / "training_bases").glob("*.jpg"))
    pictures = [cv2.imread(str(file), cv2.IMREAD_GRAYSCALE) for file in files]
    large = [p for p in pictures if p is not None and p.shape[0] > 560 and p.shape[1] > 740]
    if not large:
        print(f"no photographs in {CORPUS}: the scenes are those of scikit-image")
        own = (data.camera(), cv2.cvtColor(data.astronaut(), cv2.COLOR_RGB2GRAY), data.coins())
        large = [cv2.resize(p, (1000, 800), interpolation=cv2.INTER_CUBIC) for p in own]
    detailed = tuple(p.astype(np.uint8, copy=False) for p in large if _has_detail(p))
    print(f"{len(detailed)} of {len(large)} photographs have detail in half of their parts")
    return detailed


def _has_detail(picture: NDArray[np.generic]) -> bool:
    top, left = (picture.shape[0] - HEIGHT_PX) // 2, (picture.shape[1] - WIDTH_PX) // 2
    middle = picture[top : top + HEIGHT_PX, left : left + WIDTH_PX].astype(np.uint8)
    _, gradients = bucketed_corners(reduce_preview(middle).luma)
    return int((gradients > 2.0).sum()) >= 24


def simulate() -> Iterator[Sequence]:
    """Draw cameras, render and measure their previews."""
    rng = np.random.default_rng(SEED)
    pictures = scenes()
    for number in range(SEQUENCE_COUNT):
        behind, before = rng.choice(len(pictures), 2, replace=False)
        rms_px_s = float(np.exp(rng.uniform(np.log(1), np.log(50))))
        duration_ms = int(FRAME_COUNT * FRAME_MS) + 1300
        trajectory = shake(rng, duration_ms, rms_px_s)
        times_ms = 600 + FRAME_MS * np.arange(FRAME_COUNT)
        exposure_ms = float(rng.choice([4.0, 8.0, 16.0, 33.0]))
        fraction = FOREGROUNDS[number % len(FOREGROUNDS)]
        previews = render(
            rng, pictures[behind], pictures[before], trajectory, times_ms, exposure_ms, fraction
        )
        yield Sequence(
            trajectory,
            times_ms,
            measure(previews),
            true_motions(trajectory, times_ms, exposure_ms),
            trajectory.gyro_samples(rng, GYRO_RATE_HZ, GYRO_NOISE_RAD_S, GYRO_BIAS_RAD_S),
            fraction,
        )


def render(
    rng: np.random.Generator,
    behind: LumaPlane,
    before: LumaPlane,
    trajectory: Trajectory,
    times_ms: NDArray[np.float64],
    exposure_ms: float,
    foreground_fraction: float,
) -> list[LumaPlane]:
    """Render previews with the noise of a random ISO, 100 to 6400."""
    noise_sigma = float(np.exp(rng.uniform(np.log(0.7), np.log(8))))
    light = srgb_to_linear(behind.astype(np.float32) / 255).astype(np.float32)
    walker = draw_foreground(rng, before, foreground_fraction)
    return [
        render_preview(
            rng,
            light,
            trajectory,
            float(at_ms),
            exposure_ms=exposure_ms,
            noise_sigma=noise_sigma,
            foreground=walker,
        )
        for at_ms in times_ms
    ]


def measure(previews: list[LumaPlane]) -> list[PreviewMeasures]:
    """Measure each preview against the one before it."""
    measured: list[PreviewMeasures] = []
    for preview in previews:
        measured.append(measure_preview(preview, measured[-1].plane if measured else None))
    return measured


def true_motions(
    trajectory: Trajectory, times_ms: NDArray[np.float64], exposure_ms: float
) -> list[Motion | None]:
    """Return how the content really moved: between the mean places of the exposures."""
    moments = exposure_ms * np.linspace(-0.5, 0.5, 5)
    places = np.stack([trajectory.at(t + moments).mean(axis=0) for t in times_ms])
    moved = np.diff(places, axis=0) * (WIDTH_PX, WIDTH_PX, 1)
    return [None, *(Motion(x, y, float(np.rad2deg(r)), 1.0, 48, 48, 4) for x, y, r in moved)]


# ---- rows


def motion_rows(report: Report, sequences: list[Sequence]) -> None:
    """Error of the measured shift, in pixels of a 640 px preview."""
    errors: dict[float, list[float]] = {fraction: [] for fraction in FOREGROUNDS}
    unseen = 0
    for sequence in sequences:
        for measured, true in zip(sequence.measures, sequence.true_motions, strict=True):
            if true is None:
                continue
            if measured.motion is None:
                unseen += 1
                continue
            motion = measured.motion
            errors[sequence.foreground_fraction].append(
                float(np.hypot(motion.dx_px - true.dx_px, motion.dy_px - true.dy_px))
            )
    every = np.concatenate([np.array(values) for values in errors.values()])
    total = len(every) + unseen
    report.add("motion error a frame, median", float(np.median(every)), 0.05, 0.03, unit=" px")
    report.add("motion error a frame, RMSE", rms(every), 0.15, 0.10, unit=" px")
    free = np.array(errors[0.0])
    report.add("  without foreground", rms(free), 0.06, 0.05, unit=" px")
    for fraction in FOREGROUNDS[1:]:
        report.add(
            f"  foreground on {100 * fraction:.0f} %",
            rms(np.array(errors[fraction])),
            0.15,
            0.10,
            unit=" px",
        )
    report.add("frames without a motion", unseen / total, 0.02, 0.0, note="not asked for")


def rms(values: NDArray[np.float64]) -> float:
    """Root mean square."""
    return float(np.sqrt(np.square(values).mean()))


def time_row(report: Report, sequence: Sequence) -> None:
    """CPU time of one preview with its luma in hand, on one thread; and of the fold."""
    rng = np.random.default_rng(SEED)
    picture = scenes()[0]
    previews = render(rng, picture, picture, sequence.trajectory, sequence.times_ms, 16.0, 0.0)
    spent_ms = []
    for _ in range(6):
        plane = None
        for preview in previews:
            start_s = time.thread_time()
            plane = measure_preview(preview, plane).plane
            spent_ms.append(1000 * (time.thread_time() - start_s))
    session = start(1 / 60)
    folded_ms = []
    for number, (at_ms, measures) in enumerate(
        zip(sequence.times_ms, sequence.measures, strict=True)
    ):
        start_s = time.thread_time()
        session, _ = session.observe_preview(PreviewFrame(number, float(at_ms)), measures)
        folded_ms.append(1000 * (time.thread_time() - start_s))
    report.add(
        "time per 640x480 preview",
        float(np.median(spent_ms)),
        1.2,
        0.7,
        unit=" ms",
        note=f"CPU, one thread; the fold after it {np.median(folded_ms):.2f} ms",
    )


def start(exposure_time_s: float) -> Session:
    """Open a session for a still of 4000 px."""
    config = SessionConfig(
        exposure_time_s=exposure_time_s,
        still_width_px=STILL_WIDTH_PX,
        focal_length_px=FOCAL_WIDTHS * STILL_WIDTH_PX,
    )
    return Session.start(config, PROFILE)


def drive(
    sequence: Sequence, exposure_time_s: float, *, gyro: bool = False, true_motion: bool = False
) -> list[Stability]:
    """Send a sequence through a session."""
    session = start(exposure_time_s)
    said = []
    sent = 0
    for number, at_ms in enumerate(sequence.times_ms):
        if gyro:
            due = [s for s in sequence.gyro[sent:] if s.captured_at_ms <= at_ms]
            sent += len(due)
            session = session.with_motion_samples(due)
        measures = sequence.measures[number]
        if true_motion:
            measures = replace(measures, motion=sequence.true_motions[number])
        session, stability = session.observe_preview(PreviewFrame(number, float(at_ms)), measures)
        said.append(stability)
    return said


def foresight_rows(report: Report, sequences: list[Sequence]) -> None:
    """Whether a still will blur more than 1 px, how much, and what READY is worth."""
    frame_floors = {60: 0.92, 125: 0.955, 250: 0.97}
    gyro_floors = {60: 0.97, 125: 0.985, 250: 0.99}
    wrong = {"frames": [0, 0], "gyro": [0, 0]}
    for denominator in EXPOSURES:
        exposure_s = 1 / denominator
        by_frames, truth = foretell(sequences, exposure_s)
        ceiling, _ = foretell(sequences, exposure_s, true_motion=True)
        blurred = truth > 1
        best = auc(ceiling[0], blurred)
        report.add(
            f"AUC of > 1 px from frames, 1/{denominator} s",
            auc(by_frames[0], blurred),
            frame_floors[denominator],
            best - 0.015,
            higher=True,
            ceiling=best,
            note=f"by the true past motion; {100 * blurred.mean():.0f} % blur",
        )
        wrong["frames"][0] += int((by_frames[1] & (truth > limit_px())).sum())
        wrong["frames"][1] += int(by_frames[1].sum())
    for denominator in EXPOSURES:
        exposure_s = 1 / denominator
        by_gyro, truth = foretell(sequences, exposure_s, gyro=True)
        report.add(
            f"AUC of > 1 px with gyro, 1/{denominator} s",
            auc(by_gyro[0], truth > 1),
            gyro_floors[denominator],
            0.99,
            higher=True,
        )
        wrong["gyro"][0] += int((by_gyro[1] & (truth > limit_px())).sum())
        wrong["gyro"][1] += int(by_gyro[1].sum())
        tangible = truth > 0.5
        error = np.abs(by_gyro[0] - truth)[tangible] / truth[tangible]
        report.add(
            f"gyro-predicted against true blur, 1/{denominator} s",
            float(np.median(error)),
            0.20,
            0.10,
            note="median relative error where the still blurs by more than 0.5 px",
        )
    for source, (bad, all_ready) in wrong.items():
        report.add(
            f"READY above the limit, {source}",
            bad / max(all_ready, 1),
            0.02,
            0.005,
            digits=4,
            note=f"of {all_ready} READY frames",
        )


def limit_px() -> float:
    """What the profile allows in the still."""
    return PROFILE.steadiness.max_predicted_blur_px * STILL_WIDTH_PX / 1000


def foretell(
    sequences: list[Sequence],
    exposure_time_s: float,
    *,
    gyro: bool = False,
    true_motion: bool = False,
) -> tuple[tuple[NDArray[np.float64], NDArray[np.bool_]], NDArray[np.float64]]:
    """Return predicted blur and READY, and the true blur of a still shot at that frame."""
    predicted, ready, truth = [], [], []
    for sequence in sequences:
        said = drive(sequence, exposure_time_s, gyro=gyro, true_motion=true_motion)
        for stability in said[_WARM_UP:]:
            # Unknown is answered like the worst: nobody is told to shoot.
            unknown = stability.predicted_blur_px is None
            predicted.append(np.inf if unknown else stability.predicted_blur_px)
            ready.append(stability.ready)
            truth.append(
                sequence.trajectory.still_blur_px(stability.captured_at_ms, exposure_time_s)
            )
    return (np.array(predicted), np.array(ready)), np.array(truth)


def auc(scores: NDArray[np.float64], labels: NDArray[np.bool_]) -> float:
    """Area under the ROC curve, by ranks."""
    ranks = np.empty(len(scores))
    ranks[np.argsort(scores, kind="stable")] = np.arange(1, len(scores) + 1)
    positive = int(labels.sum())
    negative = len(labels) - positive
    if not positive or not negative:
        return float("nan")
    return float((ranks[labels].sum() - positive * (positive + 1) / 2) / (positive * negative))


def halt_row(report: Report) -> None:
    """How long after a halt READY comes, above the dwell."""
    rng = np.random.default_rng(SEED + 1)
    pictures = scenes()
    late_ms = []
    for _ in range(12):
        trajectory, halted_ms = halt(rng, float(rng.uniform(20, 50)))
        times_ms = rng.uniform(600, 633) + FRAME_MS * np.arange(52)
        picture = pictures[int(rng.integers(len(pictures)))]
        previews = render(rng, picture, picture, trajectory, times_ms, 8.0, 0.0)
        sequence = Sequence(trajectory, times_ms, measure(previews), [], [], 0.0)
        ready_ms = [s.captured_at_ms for s in drive(sequence, 1 / 60) if s.ready]
        if not ready_ms:
            late_ms.append(float("inf"))
            continue
        late_ms.append(ready_ms[0] - halted_ms - PROFILE.steadiness.dwell_ms)
    report.add(
        "from standing still to READY, above the dwell",
        float(np.median(late_ms)),
        100,
        FRAME_MS,
        digits=0,
        unit=" ms",
        note=f"median of {len(late_ms)}; worst {max(late_ms):.0f} ms",
    )


def phone_row(report: Report) -> None:
    """Frame-based speed against the gyroscope of a real phone.

    The phone lay on a dashboard. Its axes (camera x is minus its y, camera y minus its x)
    and its clock (10 ms ahead of the frames) were found by correlating both.
    """
    name = "phone clip: speed by frames against gyro"
    folder = CORPUS / "video_gyro_lhaippp"
    if not folder.is_dir():
        report.add(name, None, 0.9, 0.97, note=f"no corpus at {CORPUS}")
        return
    times_ms = 1000 * np.loadtxt(folder / "framestamp.txt")
    table = np.loadtxt(folder / "gyro.txt", delimiter=",")
    frames = []
    for number in range(100, 164):
        luma = cv2.imread(str(folder / "frames" / f"RE_frame-{number}.jpg"), cv2.IMREAD_GRAYSCALE)
        frames.append(RecordedFrame(number - 100, float(times_ms[number - 1]), luma))
    said = [step.stability for step in replay(start(1 / 125), frames)]
    gyro_ms, rates = 1000 * table[:, 3] - 10, table[:, :3]
    speeds, turns = [], []
    for before, stability in zip(frames[:-1], said[1:], strict=True):
        if stability is None or stability.speed_px_s is None:
            continue
        inside = (gyro_ms > before.captured_at_ms) & (gyro_ms <= stability.captured_at_ms)
        speeds.append(stability.speed_px_s)
        turns.append(float(np.hypot(*rates[inside, :2].mean(axis=0))))
    report.add(
        name,
        float(np.corrcoef(speeds, turns)[0, 1]),
        0.9,
        0.97,
        higher=True,
        note=f"correlation over {len(speeds)} of {len(frames) - 1} intervals",
    )


def fixed_camera_rows(report: Report) -> None:
    """Share of the time that a camera on a pole is READY once the dwell is over."""
    for clip, what in (("vtest.avi", "people walk"), ("tree.avi", "wind")):
        name = f"fixed camera READY, {clip} ({what})"
        file = CORPUS / "video_reference_opencv" / clip
        if not file.is_file():
            report.add(name, None, 0.97, 1.0, note=f"no corpus at {CORPUS}")
            continue
        frames = list(read_frames(file, fps=None, max_pixels=10_000_000))
        said = [s.stability for s in replay(start(1 / 60), frames) if s.stability is not None]
        first = next((k for k, s in enumerate(said) if s.ready), len(said))
        after = [s for s in said if s.captured_at_ms >= PROFILE.steadiness.dwell_ms]
        report.add(
            name,
            sum(s.ready for s in after) / len(after),
            0.97,
            1.0,
            higher=True,
            note=f"of {len(after)} frames; first at frame {first}, "
            f"since then {100 * sum(s.ready for s in said[first:]) / (len(said) - first):.1f} %",
        )


if __name__ == "__main__":
    main()
