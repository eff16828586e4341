"""``smart-capture demo``: a camera guided to rest, six shots judged, by real parts."""

from __future__ import annotations

import signal
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from types import FrameType
from typing import Annotated

import typer
from rich.console import Console

from capture.cli.exits import ExitCode
from capture.cli.styles import STATE_STYLES, VERDICT_STYLES
from capture.client import Client
from capture.demo.play import Shot, guide, shoot
from capture.demo.samples import DemoSamples, load_samples
from capture.demo.server_process import server_process
from capture.demo.sheet import contact_sheet
from capture.gates.stability import Stability

WAVERING_MS = 300.0
"""How long a hint must have stood before another one within the same state is printed."""


def demo(
    output: Annotated[
        Path, typer.Option(help="Where to write the contact sheet.", metavar="PNG")
    ] = Path("demo-contact-sheet.png"),
    speed: Annotated[
        float, typer.Option(min=0.1, max=4, help="Times faster than the burst was taken.")
    ] = 1.0,
    samples: Annotated[
        Path | None,
        typer.Option(help="Play these instead of the samples that ship.", metavar="FOLDER"),
    ] = None,
) -> None:
    """Watch a camera being guided and its shots being judged.

    Starts a server and plays a camera to it: a hand shakes, settles and holds still; then
    six shots, one of them good. Exit codes: 0 all verdicts as expected, 3 not.
    """
    signal.signal(signal.SIGTERM, _leave)
    console = Console(highlight=False)
    played = load_samples(samples)
    started_s = time.monotonic()
    with server_process() as target:
        console.print(
            f"server on {target}, up in {time.monotonic() - started_s:.1f} s; "
            f"a camera plays {len(played.frames)} previews to it\n"
        )
        guidance, shots = _play(console, target, played, speed)
    contact_sheet(played, guidance, shots).save(output)
    console.print(f"contact sheet: [bold]{output}[/]")
    raise typer.Exit(_conclude(console, played, guidance, shots))


def _play(
    console: Console, target: str, samples: DemoSamples, speed: float
) -> tuple[list[Stability], list[Shot]]:
    guidance: list[Stability] = []
    shots: list[Shot] = []
    with (
        Client(target) as client,
        client.session(
            profile=samples.profile,
            exposure_time_s=samples.exposure_time_s,
            still_width_px=samples.still_width_px,
            focal_length_px=samples.focal_length_px,
        ) as session,
    ):
        printed: Stability | None = None
        for stability in guide(session, samples, speed):
            guidance.append(stability)
            if _is_news(printed, stability):
                _print_guidance(console, stability)
                printed = stability
        console.print()
        for shot in shoot(session, samples):
            _print_shot(console, shot)
            shots.append(shot)
    return guidance, shots


def _is_news(before: Stability | None, now: Stability) -> bool:
    """Tell whether a person would want to read it: not each wavering of a hint."""
    if before is None or before.state is not now.state:
        return True
    waited_ms = now.captured_at_ms - before.captured_at_ms
    return before.hint_code is not now.hint_code and waited_ms >= WAVERING_MS


def _print_guidance(console: Console, now: Stability) -> None:
    blur = "   -" if now.predicted_blur_px is None else f"{now.predicted_blur_px:4.1f}"
    console.print(
        f"{now.captured_at_ms / 1000:5.2f} s  [{STATE_STYLES[now.state]}]{now.state:<8}[/]  "
        f"predicted blur {blur} px  {now.hint}",
        soft_wrap=True,
    )


def _print_shot(console: Console, shot: Shot) -> None:
    assessment = shot.judged.assessment
    times, prediction = assessment.times, assessment.prediction
    took = f"decode {times.decode_ms:.0f}, measure {times.measure_ms:.0f}"
    if prediction is not None:
        took += f", classify {times.classify_ms:.0f}"
    console.print(
        f"{shot.expected.file.name:<16} [{VERDICT_STYLES[assessment.verdict]}]"
        f"{assessment.verdict}[/]  [dim]after {shot.answered_ms:.0f} ms ({took})[/]",
        soft_wrap=True,
    )
    for reason in assessment.reasons:
        numbers = f"{reason.measure} {reason.value:.2f}, limit {reason.limit:.2f}"
        console.print(f"    {reason.code}: {numbers}; {reason.hint}", soft_wrap=True)
    if prediction is not None:
        labels = ", ".join(f"{one.label} {one.probability:.2f}" for one in prediction.labels[:3])
        console.print(
            f"    {labels}  [dim]tier {prediction.tier}: {prediction.tier_reason}[/]",
            soft_wrap=True,
        )
    if shot.judged.taken_anyway:
        console.print("    the retake limit is reached: a client would keep this shot, flagged")


def _conclude(
    console: Console,
    samples: DemoSamples,
    guidance: Sequence[Stability],
    shots: Sequence[Shot],
) -> ExitCode:
    surprises = [
        f"{shot.expected.file.name}: {surprise}" for shot in shots for surprise in shot.surprises
    ]
    last = guidance[-1] if guidance else None
    if last is None or not last.ready:
        surprises.append("the camera came to rest, and READY was not said")
    elif last.captured_at_ms < samples.ready_after_ms:
        surprises.append(f"READY at {last.captured_at_ms:.0f} ms, while the hand still moved")
    for surprise in surprises:
        console.print(f"[bold red]not as expected:[/] {surprise}")
    if not surprises:
        console.print(f"all {len(shots)} verdicts are as expected")
    return ExitCode.NOT_AS_EXPECTED if surprises else ExitCode.DONE


def _leave(number: int, _frame: FrameType | None) -> None:
    """End by an exception, so that the server is ended too."""
    sys.exit(128 + number)
