"""``smart-capture replay``: recorded previews through the code of a live session."""

from __future__ import annotations

import json
from collections import Counter, deque
from collections.abc import Iterable, Iterator
from fractions import Fraction
from itertools import chain, islice
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.live import Live
from rich.table import Table

from capture.cli.exits import ExitCode
from capture.cli.styles import STATE_STYLES
from capture.errors import ConfigurationError
from capture.gates.profile import load_profile
from capture.gates.stability import Stability, StabilityState
from capture.measure.gyro import GyroSample
from capture.replay.frames import read_frames
from capture.replay.gpmf import read_gopro_gyro
from capture.replay.gyro_files import read_gyro_csv
from capture.replay.plot import draw_replay
from capture.replay.run import ReplayStep, record_of
from capture.replay.run import replay as play
from capture.session import Session, SessionConfig
from capture.settings import load_settings

_ROWS = 16
_PLOT_TYPES = (".png", ".jpg", ".jpeg", ".webp")


def _seconds(text: str) -> float:
    """Read 0.0167 or 1/60."""
    try:
        return float(Fraction(text))
    except (ValueError, ZeroDivisionError):
        raise typer.BadParameter(f"{text!r} is neither a number nor a fraction") from None


def replay(
    source: Annotated[
        Path,
        typer.Argument(
            metavar="CLIP|FOLDER",
            help="A clip, or a folder of pictures with --fps or a timestamps.csv "
            "(file,captured_at_ms).",
        ),
    ],
    gyro: Annotated[
        Path | None,
        typer.Option(
            metavar="CSV",
            help="timestamp_ms,x_rad_s,y_rad_s,z_rad_s in the camera's axes: x right, y down, "
            "z into the scene. A GoPro clip brings its own.",
        ),
    ] = None,
    exposure_s: Annotated[
        float,
        typer.Option(
            parser=_seconds,
            metavar="SECONDS",
            help="Exposure time of the still: 0.0167 or 1/60.",
            show_default="1/60",
        ),
    ] = 1 / 60,
    still_width: Annotated[
        int, typer.Option(min=0, metavar="PX", help="Width of the still; 0: as the preview.")
    ] = 0,
    focal_px: Annotated[
        float,
        typer.Option(
            min=0.0, metavar="PX", help="Focal length in pixels of the still; 0: without the gyro."
        ),
    ] = 0.0,
    rolling_shutter_ms: Annotated[
        float, typer.Option(min=0.0, metavar="MS", help="From the first row to the last.")
    ] = 0.0,
    fps: Annotated[
        float | None, typer.Option(min=0.1, help="Frames a second; a clip says so itself.")
    ] = None,
    profile: Annotated[
        str | None,
        typer.Option(help="default, strict, lenient, or the path of a TOML file.", metavar="NAME"),
    ] = None,
    jsonl: Annotated[
        bool, typer.Option("--jsonl", help="One JSON line a frame on stdout.")
    ] = False,
    plot: Annotated[
        Path | None,
        typer.Option(metavar="PNG", help="Draw speed, predicted blur and state over time."),
    ] = None,
) -> None:
    """Say of every recorded preview how steady the camera was.

    dx_px and dy_px are the movement of the picture's content since the frame before, in
    pixels of the clip: x right, y down.

    Exit codes: 0 done, 1 some pictures could not be read, 2 wrong use or no clip.
    """
    if plot is not None and plot.suffix.lower() not in _PLOT_TYPES:
        raise ConfigurationError(f"--plot {plot}: give a name that ends in {_PLOT_TYPES[0]}")
    limits = load_profile(load_settings(default_profile=profile).default_profile)
    config = SessionConfig(
        profile=limits.name,
        exposure_time_s=exposure_s,
        still_width_px=still_width,
        focal_length_px=focal_px,
        rolling_shutter_ms=rolling_shutter_ms,
    )
    samples = _samples(source, gyro, focal_px)
    frames = read_frames(source, fps=fps, max_pixels=limits.size.max_pixels)
    steps = play(Session.start(config, limits), frames, samples)
    done = list(_print_jsonl(steps) if jsonl else _print_table(steps))
    said = [step.stability for step in done if step.stability is not None]
    if plot is not None:
        _save_plot(plot, source.name, said)
    if not jsonl:
        _print_summary(said)
    unread = len(said) < len(done)
    raise typer.Exit(ExitCode.SOME_FAILED if unread else ExitCode.DONE)


def _samples(source: Path, gyro: Path | None, focal_px: float) -> list[GyroSample]:
    if gyro is None:
        return read_gopro_gyro(source) if source.is_file() and focal_px > 0 else []
    if focal_px == 0:
        raise ConfigurationError("--gyro needs --focal-px: an angle is no pixel")
    return read_gyro_csv(gyro)


def _print_jsonl(steps: Iterable[ReplayStep]) -> Iterator[ReplayStep]:
    for step in steps:
        typer.echo(json.dumps(record_of(step)))
        yield step


def _print_table(steps: Iterator[ReplayStep]) -> Iterator[ReplayStep]:
    # Before the head of the table: what cannot be replayed at all is told without one.
    first = list(islice(steps, 1))
    newest: deque[ReplayStep] = deque(maxlen=_ROWS)
    console = Console()
    with Live(_table(newest), console=console, refresh_per_second=10) as live:
        for step in chain(first, steps):
            newest.append(step)
            live.update(_table(newest))
            yield step
    if not console.is_terminal:
        console.line()


def _table(steps: Iterable[ReplayStep]) -> Table:
    table = Table(box=None, padding=(0, 2, 0, 0))
    for name in ("frame", "ms", "dx", "dy", "px/s", "blur"):
        table.add_column(name, justify="right")
    for name in ("source", "state"):
        table.add_column(name)
    table.add_column("hint", no_wrap=True, overflow="ellipsis")
    for step in steps:
        stability = step.stability
        head = (str(step.frame), f"{step.captured_at_ms:.0f}")
        if stability is None:
            table.add_row(*head, *[""] * 6, str(step.error), style="red")
            continue
        table.add_row(
            *head,
            _written(stability.dx_px, 2),
            _written(stability.dy_px, 2),
            _written(stability.speed_px_s, 0),
            _written(stability.predicted_blur_px, 2),
            stability.source.value.lower(),
            stability.state.value,
            stability.hint,
            style=STATE_STYLES[stability.state],
        )
    return table


def _written(value: float | None, digits: int) -> str:
    return "-" if value is None else f"{value:.{digits}f}"


def _print_summary(said: list[Stability]) -> None:
    counts = Counter(stability.state for stability in said)
    shares = ", ".join(
        f"{state.value} {100 * counts[state] / len(said):.0f} %"
        for state in StabilityState
        if counts[state]
    )
    typer.echo(f"{len(said)} frames: {shares}" if said else "no frame could be read")


def _save_plot(plot: Path, title: str, said: list[Stability]) -> None:
    try:
        draw_replay(title, said).save(plot)
    except OSError as error:
        raise ConfigurationError(f"--plot {plot}: {error}") from error
