"""``smart-capture assess``: judge pictures and say why."""

from __future__ import annotations

import asyncio
import json
from collections import deque
from collections.abc import AsyncIterator, Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Annotated, Any, TypeAlias

import typer
from rich.console import Console
from rich.progress import Progress
from rich.table import Table

from capture.archive.engines import LocalEngine
from capture.archive.one_picture import MAX_FILE_BYTES
from capture.archive.pictures import Picture
from capture.archive.sources import files_at
from capture.assessment import Assessment, error_record_of, record_of
from capture.cli.exits import ExitCode
from capture.cli.styles import VERDICT_STYLES, as_it_is
from capture.drawing import Canvas
from capture.errors import ConfigurationError, ImageError, UnreadableFileError
from capture.gates.profile import Profile, load_profile
from capture.gates.verdict import Verdict
from capture.images import EncodedImage, decode_image
from capture.jobs import StillJob, Unjudged
from capture.pool import worker_pool
from capture.review.explain import draw_explanation
from capture.settings import Settings, load_settings

Record: TypeAlias = dict[str, Any]

Verdicts: TypeAlias = set[str | None]
"""Those that there were; None of pictures that could not be judged."""


def assess(
    paths: Annotated[
        list[str], typer.Argument(help="Pictures, or folders of pictures.", metavar="PATH...")
    ],
    profile: Annotated[
        str | None,
        typer.Option(help="default, strict, lenient, or the path of a TOML file.", metavar="NAME"),
    ] = None,
    jsonl: Annotated[
        bool, typer.Option("--jsonl", help="One JSON record per picture on stdout.")
    ] = False,
    classify: Annotated[
        bool | None,
        typer.Option(help="Say what is in accepted pictures; as the settings say if not given."),
    ] = None,
    workers: Annotated[
        int | None, typer.Option(min=1, help="Worker processes; one per core if not given.")
    ] = None,
    explain: Annotated[
        Path | None,
        typer.Option(help="Folder for a page per picture: tile map, histogram, reasons."),
    ] = None,
    strict_exit: Annotated[
        bool, typer.Option("--strict-exit", help="Exit with 3 when a verdict is not ACCEPT.")
    ] = False,
) -> None:
    """Judge pictures: are they sharp and well exposed, and what is in them?

    Exit codes: 0 done, 1 some pictures could not be read, 2 wrong use, 3 with --strict-exit when
    a verdict is not ACCEPT.
    """
    settings = load_settings(worker_count=workers, default_profile=profile, classify=classify)
    limits = load_profile(settings.default_profile)
    pictures = list(files_at(paths))
    if not pictures:
        typer.echo("smart-capture: no pictures there", err=True)
        raise typer.Exit(ExitCode.WRONG_USE)
    if explain is not None:
        _make_folder(explain)
    records = judge_pictures(pictures, limits, settings, explain=explain)
    printing = _print_jsonl(records) if jsonl else _print_table(records, len(pictures))
    raise typer.Exit(_exit_code(asyncio.run(printing), strict=strict_exit))


async def judge_pictures(
    pictures: Sequence[Picture],
    profile: Profile,
    settings: Settings,
    *,
    explain: Path | None = None,
) -> AsyncIterator[Record]:
    """Yield the record of every picture, in their order, a few judged ahead.

    Parameters
    ----------
    pictures : sequence of Picture
        What to judge.
    profile : Profile
        The limits.
    settings : Settings
        How many workers, their limits and their models.
    explain : Path or None
        Folder to which a page per judged picture is written.
    """
    worker_count = min(settings.worker_count, len(pictures))
    classify = settings.classify
    job_of = partial(StillJob, profile=profile, classify=classify, explain=explain is not None)
    pool = worker_pool(settings, classify=classify, worker_count=worker_count, nice=0)
    async with LocalEngine(pool) as engine:
        ahead: deque[asyncio.Task[Record]] = deque()
        try:
            for index, picture in enumerate(pictures):
                # Cut, as a name may be as long as a name can be; the number tells them apart.
                page = explain and explain / f"{index:04d}-{Path(picture.path).stem[:60]}.png"
                ahead.append(asyncio.create_task(_record(picture, engine, job_of, page)))
                if len(ahead) > 2 * worker_count:
                    yield await ahead.popleft()
            while ahead:
                yield await ahead.popleft()
        finally:  # before the workers end: it is no failure of theirs
            for task in ahead:
                task.cancel()
            await asyncio.gather(*ahead, return_exceptions=True)


async def _record(
    picture: Picture,
    engine: LocalEngine,
    job_of: Callable[[EncodedImage], StillJob],
    page: Path | None,
) -> Record:
    try:
        image = EncodedImage(await asyncio.to_thread(_read, picture))
    except (ImageError, UnreadableFileError) as error:
        return error_record_of(picture.path, error.code, str(error))
    match await engine.answer(job_of(image)):
        case Assessment() as assessment:
            if page is not None:
                _draw(Path(picture.path).name, image, assessment).save(page)
            return record_of(picture.path, assessment)
        case Unjudged(code, message):
            return error_record_of(picture.path, code, message)
        case other:
            raise TypeError(f"a still was answered with {type(other).__name__}")


def _make_folder(explain: Path) -> None:
    try:
        explain.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ConfigurationError(f"--explain {explain}: {error.strerror}") from error


def _read(picture: Picture) -> bytes:
    picture.stamp()  # a pipe or a device is refused before it is opened
    return picture.read(MAX_FILE_BYTES)


def _draw(name: str, image: EncodedImage, assessment: Assessment) -> Canvas:
    pixels = assessment.measures.width_px * assessment.measures.height_px
    return draw_explanation(name, decode_image(image, max_pixels=pixels), assessment)


async def _print_jsonl(records: AsyncIterator[Record]) -> Verdicts:
    verdicts: Verdicts = set()
    async for record in records:
        print(json.dumps(record, ensure_ascii=False), flush=True)
        verdicts.add(record["verdict"])
    return verdicts


async def _print_table(records: AsyncIterator[Record], count: int) -> Verdicts:
    table = Table(box=None, pad_edge=False, collapse_padding=True)
    table.add_column("verdict", no_wrap=True)
    table.add_column("picture", overflow="fold")
    table.add_column("blur", justify="right", no_wrap=True)
    table.add_column("exposure", justify="right", no_wrap=True)
    table.add_column("why, or what is in it", overflow="fold")
    verdicts: Verdicts = set()
    console = Console()
    with Progress(console=console, transient=True) as progress:
        task = progress.add_task("judging", total=count)
        async for record in records:
            table.add_row(*_row(record))
            verdicts.add(record["verdict"])
            progress.advance(task)
    console.print(table)
    return verdicts


def _row(record: Record) -> tuple[str, ...]:
    path = as_it_is(record["path"])
    if record["status"] != "ok":
        return f"[bold red]{record['status']}[/]", path, "", "", as_it_is(record["error"])
    verdict, what = record["verdict"], record["classification"]
    lines = [f"{_limit_not_met(reason)}\n[dim]{reason['hint']}[/]" for reason in record["reasons"]]
    if what is not None:
        lines.append(
            ", ".join(f"{item['label']} {item['probability']:.2f}" for item in what["labels"][:3])
        )
    blur_px, offset_ev = record["blur"]["blur_px"], record["exposure"]["offset_ev"]
    return (
        f"[{VERDICT_STYLES[verdict]}]{verdict}[/]",
        path,
        "" if blur_px is None else f"{blur_px:.1f} px",
        "" if offset_ev is None else f"{offset_ev:+.1f} EV",
        "\n".join(lines),
    )


def _limit_not_met(reason: Record) -> str:
    value, limit = reason["value"], reason["limit"]
    sign = ">" if value > limit else "<"
    return f"{reason['code']} {value:.3g} {sign} {limit:.3g}"


def _exit_code(verdicts: Verdicts, *, strict: bool) -> ExitCode:
    if None in verdicts:
        return ExitCode.SOME_FAILED
    if strict and verdicts != {Verdict.ACCEPT.value}:
        return ExitCode.NOT_AS_EXPECTED
    return ExitCode.DONE
