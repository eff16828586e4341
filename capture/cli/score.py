"""``smart-capture score``: archives into a ledger."""

from __future__ import annotations

import asyncio
import json
import sys
import time
from contextlib import ExitStack
from dataclasses import dataclass
from enum import StrEnum
from functools import partial
from threading import Event
from typing import Annotated, Any

import typer
from rich.console import Console

from capture import __version__
from capture.archive.engines import Engine, LocalEngine
from capture.archive.file_worker import archive_pool
from capture.archive.judging import Judging
from capture.archive.lookups import recalling
from capture.archive.run import ArchiveRun
from capture.archive.sources import STDIN, Sources, spooled
from capture.archive.tally import Effort, Tally
from capture.archive.walk import LeftOut
from capture.cli.exits import ExitCode
from capture.cli.score_progress import ScoreProgress
from capture.cli.status import LEDGER_HELP
from capture.cli.stopping import STOPPED, stoppable, stopping_on_signals
from capture.cli.styles import VERDICT_STYLES
from capture.errors import ConfigurationError, LedgerError
from capture.gates.profile import load_profile
from capture.ledger.database import name_of
from capture.ledger.ledger import Ledger, open_ledger
from capture.settings import Settings, load_settings
from inference.registry import Registry


class EngineName(StrEnum):
    """Where pictures are judged."""

    LOCAL = "local"
    DASK = "dask"


@dataclass(frozen=True, slots=True)
class Summary:
    """What one pass came to.

    Attributes
    ----------
    tally : Tally
        What was seen.
    run_id : int
        The run in the ledger.
    is_complete : bool
        Whether all was seen.
    left_out : LeftOut
        What the listing left out.
    duration_s : float
        With the starting and ending of the workers.
    """

    tally: Tally
    run_id: int
    is_complete: bool
    left_out: LeftOut
    duration_s: float


def score(
    sources: Annotated[
        list[str],
        typer.Argument(
            help="Files, folders, globs, zips, tars, URLs; - reads a list of them from stdin.",
            metavar="SOURCE",
        ),
    ],
    ledger: Annotated[str, typer.Option(help=LEDGER_HELP, metavar="FILE")],
    profile: Annotated[
        str | None,
        typer.Option(help="default, strict, lenient, or the path of a TOML file.", metavar="NAME"),
    ] = None,
    classify: Annotated[
        bool, typer.Option("--classify", help="Say what is in the accepted pictures, too.")
    ] = False,
    workers: Annotated[
        int | None, typer.Option(min=1, help="Worker processes; one per core if not given.")
    ] = None,
    engine: Annotated[
        EngineName, typer.Option(help="Where pictures are judged.")
    ] = EngineName.LOCAL,
    scheduler: Annotated[
        str | None,
        typer.Option(
            help="Of a running Dask cluster, such as tcp://host:8786; without, one is started.",
            metavar="ADDRESS",
        ),
    ] = None,
    retry_failed: Annotated[
        bool,
        typer.Option("--retry-failed", help="Try again what has ended its workers, too."),
    ] = False,
    quiet: Annotated[bool, typer.Option("--quiet", help="Print errors only.")] = False,
    json_: Annotated[
        bool, typer.Option("--json", help="Print the summary as one JSON object, no progress.")
    ] = False,
) -> None:
    """Judge an archive of pictures into a ledger, and go on where it was stopped.

    Only new or changed pictures are decoded, and again those that could not be read or ran
    out of time; a new profile, or an engine that measures as the one before, judges stored
    measures again.
    In folders, files that are no pictures by name are left out, and whatever begins with a
    dot; a file that is named is taken as it is. Pictures are only read: nothing is moved or
    deleted. URLs are opened with the credentials that their store's own tools take, from the
    environment or their files.

    Exit codes: 0 done, 1 some pictures could not be judged (their rows say why),
    2 wrong use, 130 stopped by Ctrl-C or SIGTERM.
    """
    settings = load_settings(worker_count=workers, default_profile=profile)
    limits = load_profile(settings.default_profile)
    started = _engine(engine, scheduler, settings, classify=classify)
    with stoppable(quiet=quiet), ExitStack() as stack:
        named = [name for name in sources if name != STDIN]
        listed = stack.enter_context(spooled(sys.stdin.buffer)) if STDIN in sources else None
        pictures = Sources(named, listed)
        opened = stack.enter_context(open_ledger(ledger))
        judging = Judging(
            limits,
            __version__,
            classify,
            retry_failed,
            opened.max_pixels_of,
            Registry(settings.models_folder).active().id if classify else None,
        )
        run_id = opened.begin_run(
            [*pictures.names, *([STDIN] if listed else [])],
            limits,
            __version__,
            classify=classify,
        )
        try:
            with ScoreProgress(hidden=quiet or json_) as progress:
                summary = asyncio.run(_score(pictures, opened, judging, started, run_id, progress))
        except LedgerError as error:
            raise LedgerError(
                f"{error}; what was committed stays, and the same command goes on from there"
            ) from error
        if json_:
            print(json.dumps(_json_of(summary, name_of(ledger)), indent=2))
        elif not quiet:
            _print(summary, name_of(ledger))
    raise typer.Exit(_exit_code(summary))


def _engine(
    name: EngineName, scheduler: str | None, settings: Settings, *, classify: bool
) -> Engine:
    make_pool = partial(archive_pool, settings, classify=classify)
    if name is EngineName.LOCAL:
        if scheduler is not None:
            raise ConfigurationError("--scheduler is of a Dask cluster: add --engine dask")
        return LocalEngine(make_pool())
    try:
        from capture.archive.dask_engine import DaskEngine
    except ImportError as error:
        raise ConfigurationError(
            f"--engine dask needs {error.name}: pip install 'smart-capture[archive]'"
        ) from error
    return DaskEngine(make_pool, scheduler, settings.worker_count)


async def _score(
    pictures: Sources,
    ledger: Ledger,
    judging: Judging,
    engine: Engine,
    run_id: int,
    progress: ScoreProgress,
) -> Summary:
    started = time.monotonic()
    given_up = Event()
    # Signals are heard until the engine is closed, though what they stop is made within it.
    with ExitStack() as stack:
        async with engine:
            run = ArchiveRun(ledger, engine, judging, run_id=run_id, on_progress=progress.show)

            def stop() -> None:
                progress.say("stopping: what is in hand is finished first")
                run.stop()

            stack.enter_context(stopping_on_signals(stop))
            counting = asyncio.create_task(_count(pictures, given_up, progress))
            try:
                tally = await run.score(pictures.listing(recalling(ledger, judging)))
            finally:
                given_up.set()
                await counting
    duration_s = time.monotonic() - started
    return Summary(tally, run_id, run.is_complete, pictures.left_out, duration_s)


async def _count(pictures: Sources, given_up: Event, progress: ScoreProgress) -> None:
    total = await asyncio.to_thread(pictures.count, given_up)
    if total is not None:
        progress.expect(total)


def _print(summary: Summary, ledger: str) -> None:
    console = Console()
    tally = summary.tally
    efforts = ", ".join(
        f"{tally.efforts[effort]} {words}"
        for effort, words in (
            (Effort.SCORED, "scored"),
            (Effort.REUSED, "judged from stored measures"),
            (Effort.UNCHANGED, "unchanged"),
        )
        if tally.efforts[effort]
    )
    console.print(f"{tally.seen_count} pictures in {summary.duration_s:.1f} s: {efforts or 'none'}")
    for verdict, count in sorted(tally.verdicts.items()):
        console.print(f"  {count:>8}  [{VERDICT_STYLES[verdict]}]{verdict}[/]")
    for code, count in sorted(tally.failures.items()):
        console.print(f"  {count:>8}  [magenta]{code}[/], not judged")
    if words := _words_for(summary.left_out):
        console.print(f"Left out: {words}")
    if summary.is_complete:
        console.print(f"Look at it with: smart-capture report {ledger}", highlight=False)
    else:
        console.print(STOPPED)


def _words_for(left_out: LeftOut) -> str:
    parts = [
        (left_out.other_file_count, "that are no pictures by name"),
        (left_out.hidden_file_count, "hidden files"),
        (left_out.hidden_folder_count, "hidden folders"),
    ]
    return ", ".join(f"{count} {words}" for count, words in parts if count)


def _json_of(summary: Summary, ledger: str) -> dict[str, Any]:
    tally = summary.tally
    return {
        "ledger": ledger,
        "run_id": summary.run_id,
        "complete": summary.is_complete,
        "picture_count": tally.seen_count,
        **{f"{effort.value}_count": tally.efforts[effort] for effort in Effort},
        "verdicts": dict(sorted(tally.verdicts.items())),
        "failures": dict(sorted(tally.failures.items())),
        "skipped_file_count": summary.left_out.file_count,
        "hidden_file_count": summary.left_out.hidden_file_count,
        "hidden_folder_count": summary.left_out.hidden_folder_count,
        "duration_s": round(summary.duration_s, 3),
    }


def _exit_code(summary: Summary) -> ExitCode:
    if not summary.is_complete:
        return ExitCode.INTERRUPTED
    return ExitCode.SOME_FAILED if summary.tally.failures else ExitCode.DONE
