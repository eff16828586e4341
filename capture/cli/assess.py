"""``smart-capture assess``: judge pictures and say why."""

from __future__ import annotations

import asyncio
import json
from collections import deque
from collections.abc import AsyncIterator, Iterable, Iterator
from pathlib import Path
from typing import Annotated, Any, TypeAlias

import typer
from rich.console import Console
from rich.progress import Progress
from rich.table import Table

from capture.assessment import Assessment, error_record_of, record_of
from capture.cli.exits import ExitCode
from capture.gates.profile import Profile, load_profile
from capture.gates.verdict import Verdict
from capture.pool import answer_of, worker_pool
from capture.settings import Settings, load_settings
from capture.worker import StillJob, Unjudged

Record: TypeAlias = dict[str, Any]

PICTURE_SUFFIXES = frozenset(
    {".jpg", ".jpeg", ".jpe", ".png", ".apng", ".webp", ".tif", ".tiff"}
    | {".bmp", ".avif", ".heic", ".heif", ".gif"}
)
STYLES = {"ACCEPT": "bold green", "RETAKE": "bold red", "CANNOT_ASSESS": "bold yellow"}


def assess(
    paths: Annotated[list[Path], typer.Argument(help="Pictures, or folders of pictures.")],
    profile: Annotated[
        str | None,
        typer.Option(help="default, strict, lenient, or the path of a TOML file.", metavar="NAME"),
    ] = None,
    jsonl: Annotated[
        bool, typer.Option("--jsonl", help="One JSON record per picture on stdout.")
    ] = False,
    classify: Annotated[bool, typer.Option(help="Say what is in the accepted pictures.")] = True,
    workers: Annotated[
        int | None, typer.Option(min=1, help="Worker processes; one per core if not given.")
    ] = None,
    strict_exit: Annotated[
        bool, typer.Option("--strict-exit", help="Exit with 3 when a verdict is not ACCEPT.")
    ] = False,
) -> None:
    """Judge pictures: are they sharp and well exposed, and what is in them?

    Exit codes: 0 done, 1 some pictures could not be read, 2 wrong use.
    """
    settings = load_settings(worker_count=workers)
    limits = load_profile(profile or settings.default_profile)
    pictures = list(expand(paths))
    if not pictures:
        typer.echo("smart-capture: no pictures there", err=True)
        raise typer.Exit(ExitCode.WRONG_USE)
    records = judge_files(pictures, limits, settings, classify=classify)
    shown = asyncio.run(_print_jsonl(records) if jsonl else _print_table(records, len(pictures)))
    raise typer.Exit(_exit_code(shown, strict=strict_exit))


def expand(paths: Iterable[Path]) -> Iterator[Path]:
    """Yield files as they are, and the pictures below folders sorted by name."""
    for path in paths:
        if path.is_dir():
            yield from sorted(
                file
                for file in path.rglob("*")
                if file.suffix.lower() in PICTURE_SUFFIXES and file.is_file()
            )
        else:
            yield path


async def judge_files(
    files: list[Path], profile: Profile, settings: Settings, *, classify: bool
) -> AsyncIterator[Record]:
    """Yield the record of every file, in their order, a few judged ahead."""
    worker_count = min(settings.worker_count, len(files))
    async with worker_pool(settings, classify=classify, worker_count=worker_count) as pool:
        ahead: deque[tuple[Path, asyncio.Task[Any]]] = deque()
        for file in files:
            job = StillJob(image=None, path=str(file), profile=profile, classify=classify)
            ahead.append((file, asyncio.create_task(answer_of(pool, job))))
            if len(ahead) > 2 * worker_count:
                yield await _record(*ahead.popleft())
        while ahead:
            yield await _record(*ahead.popleft())


async def _record(file: Path, answer: asyncio.Task[Any]) -> Record:
    match await answer:
        case Assessment() as assessment:
            return record_of(str(file), assessment)
        case Unjudged(code, message):
            return error_record_of(str(file), code, message)
        case other:
            raise TypeError(f"a still was answered with {type(other).__name__}")


async def _print_jsonl(records: AsyncIterator[Record]) -> list[Record]:
    shown = []
    async for record in records:
        print(json.dumps(record, ensure_ascii=False), flush=True)
        shown.append(record)
    return shown


async def _print_table(records: AsyncIterator[Record], count: int) -> list[Record]:
    table = Table("picture", "verdict", "blur", "exposure", "why, or what is in it", box=None)
    shown = []
    console = Console()
    with Progress(console=console, transient=True) as progress:
        task = progress.add_task("judging", total=count)
        async for record in records:
            table.add_row(*_row(record))
            shown.append(record)
            progress.advance(task)
    console.print(table)
    return shown


def _row(record: Record) -> tuple[str, ...]:
    if record["status"] != "ok":
        return record["path"], f"[bold red]{record['status']}[/]", "", "", record["error"]
    verdict = record["verdict"]
    why = "\n".join(
        f"{reason['code']}: {reason['value']:.2g} against {reason['limit']:.2g}; {reason['hint']}"
        for reason in record["reasons"]
    )
    what = record["classification"]
    labels = (
        ", ".join(f"{label['label']} {label['probability']:.2f}" for label in what["labels"][:3])
        if what
        else ""
    )
    blur_px, offset_ev = record["blur"]["blur_px"], record["exposure"]["offset_ev"]
    return (
        record["path"],
        f"[{STYLES[verdict]}]{verdict}[/]",
        "" if blur_px is None else f"{blur_px:.1f} px",
        "" if offset_ev is None else f"{offset_ev:+.1f} EV",
        why or labels,
    )


def _exit_code(records: Iterable[Record], *, strict: bool) -> ExitCode:
    records = list(records)
    if any(record["status"] != "ok" for record in records):
        return ExitCode.SOME_UNREADABLE
    if strict and any(record["verdict"] != Verdict.ACCEPT for record in records):
        return ExitCode.NOT_ALL_ACCEPTED
    return ExitCode.DONE
