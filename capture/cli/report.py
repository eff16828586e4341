"""``smart-capture report``: a ledger as one page."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from capture.archive.containers import picture_at
from capture.cli.status import LEDGER_HELP
from capture.errors import ConfigurationError, ImageError, UnreadableFileError
from capture.ledger.database import name_of
from capture.ledger.ledger import open_ledger
from capture.review.findings import gather
from capture.review.page import write_page
from capture.review.thumbnails import thumbnails_of
from capture.settings import load_settings

MAX_FILE_BYTES = 256 << 20


def report(
    ledger: Annotated[str, typer.Argument(help=LEDGER_HELP)],
    output: Annotated[
        Path, typer.Option("--output", "-o", help="The page to write.", metavar="FILE")
    ] = Path("report.html"),
) -> None:
    """Write one offline page: how many pictures can be used, and why the others cannot.

    Counts by verdict and reason, every measure with its limits drawn in, the pictures
    nearest to a limit and farthest beyond it, and what could not be judged.
    """
    settings = load_settings()
    with open_ledger(ledger, create=False) as opened:
        findings = gather(opened)
    paths = dict.fromkeys(row["path"] for row in findings.pictures())
    thumbnails = asyncio.run(thumbnails_of(paths, _read, worker_count=settings.worker_count))
    name = name_of(ledger).rpartition("/")[2]
    page = write_page(findings, thumbnails, name=name, made_at=datetime.now(UTC))
    try:
        output.write_text(page, encoding="utf-8")
    except OSError as error:
        raise ConfigurationError(f"cannot write {output}: {error.strerror}") from error
    typer.echo(f"{output}: {findings.count:,} pictures, {len(page) / 1e6:.1f} MB")


def _read(path: str) -> bytes | None:
    try:
        return picture_at(path).read(MAX_FILE_BYTES)
    except (UnreadableFileError, ImageError):
        return None
