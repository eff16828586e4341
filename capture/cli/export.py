"""``smart-capture export``: a ledger's rows as a file, its pictures by verdict."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from sqlalchemy import ColumnElement, func

from capture.archive.by_verdict import NOT_JUDGED, SortedOut, sort_out
from capture.archive.export import FORMATS, export_rows
from capture.cli.exits import ExitCode
from capture.cli.status import LEDGER_HELP
from capture.errors import ConfigurationError
from capture.gates.verdict import Verdict
from capture.ledger.ledger import open_ledger
from capture.ledger.schema import assessments

VERDICTS = (*(verdict.value for verdict in Verdict), NOT_JUDGED)


def export(
    ledger: Annotated[str, typer.Argument(help=LEDGER_HELP)],
    output: Annotated[
        Path | None,
        typer.Option(
            "--output", "-o", help=f"Rows as a file: {', '.join(FORMATS)}.", metavar="FILE"
        ),
    ] = None,
    copy_to: Annotated[
        Path | None, typer.Option(help="Copy pictures into a folder per verdict.", metavar="DIR")
    ] = None,
    link_to: Annotated[
        Path | None,
        typer.Option(
            help="Link to pictures from a folder per verdict; out of archives they are copied.",
            metavar="DIR",
        ),
    ] = None,
    verdict: Annotated[
        list[str] | None,
        typer.Option(help=f"Only these, may be repeated: {', '.join(VERDICTS)}."),
    ] = None,
) -> None:
    """Take a ledger elsewhere: rows as CSV, JSON lines or Parquet, pictures by verdict.

    Pictures are only read: nothing is moved or deleted, and nothing that lies in the
    folder already is overwritten.

    Exit codes: 0 done, 1 some pictures have names that cannot be used there, 2 wrong use.
    """
    if output is None and copy_to is None and link_to is None:
        raise ConfigurationError("give --output, --copy-to or --link-to")
    condition = _condition(verdict or [])
    refused_count = 0
    with open_ledger(ledger, create=False) as opened:
        if output is not None:
            count = export_rows(opened.rows(condition), output)
            typer.echo(f"{output}: {count:,} rows")
        root = opened.common_folder(condition)
        for folder, link in ((copy_to, False), (link_to, True)):
            if folder is not None:
                done = sort_out(opened.rows(condition), folder, root, link=link)
                typer.echo(f"{folder}: {_words(done)}")
                refused_count += done.refused_count
    raise typer.Exit(ExitCode.SOME_FAILED if refused_count else ExitCode.DONE)


def _condition(verdicts: list[str]) -> ColumnElement[bool]:
    unknown = sorted(set(verdicts) - set(VERDICTS))
    if unknown:
        raise ConfigurationError(f"no verdict {', '.join(unknown)}; one of {', '.join(VERDICTS)}")
    # A picture without a verdict is one that was not judged.
    return func.coalesce(assessments.c.verdict, NOT_JUDGED).in_(verdicts or VERDICTS)


def _words(done: SortedOut) -> str:
    parts = [
        (done.laid_count, "laid out"),
        (done.present_count, "were there already"),
        (done.gone_count, "gone or changed since they were judged"),
        (done.refused_count, "not laid out: their names cannot be used there"),
    ]
    return ", ".join(f"{count:,} {words}" for count, words in parts if count) or "nothing"
