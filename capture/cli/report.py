"""``smart-capture report``: a ledger as one page."""

from __future__ import annotations

import asyncio
from collections import Counter
from datetime import UTC, datetime
from functools import partial
from heapq import nlargest
from pathlib import Path
from typing import Annotated

import typer

from capture.archive.finding import address_of, find
from capture.archive.groups import groups_of, pictures_of
from capture.archive.pictures import Picture
from capture.cli.status import LEDGER_HELP
from capture.errors import ConfigurationError, ImageError, UnreadableFileError
from capture.gates.profile import GroupLimits, load_profile
from capture.ledger.database import name_of
from capture.ledger.ledger import Ledger, open_ledger
from capture.review.figures import Gallery
from capture.review.gathering import gather
from capture.review.groups import Grouping, PictureGroup
from capture.review.page import write_page
from capture.review.thumbnails import thumbnails_of
from capture.settings import load_settings

MAX_FILE_BYTES = 256 << 20
MAX_GROUPED_COUNT = 200_000
SHOWN_GROUP_COUNT = 12
SHOWN_PICTURE_COUNT = 6


def report(
    ledger: Annotated[str, typer.Argument(help=LEDGER_HELP)],
    output: Annotated[
        Path, typer.Option("--output", "-o", help="The page to write.", metavar="FILE")
    ] = Path("report.html"),
) -> None:
    """Write one offline page: how many pictures can be used, and why the others cannot.

    Counts by verdict and reason, every measure with its limits drawn in, the pictures
    nearest to a limit and farthest beyond it, those that are alike and the best of them, and
    what could not be judged.
    """
    settings = load_settings()
    with open_ledger(ledger, create=False) as opened:
        findings = gather(opened)
        grouping = None
        if findings.judged_count <= MAX_GROUPED_COUNT:
            grouping = _grouping(opened, load_profile(settings.default_profile).groups)
    rows = [*findings.pictures()]
    rows += [row for group in (grouping.shown if grouping else ()) for row in group.rows]
    paths = sorted({row["path"] for row in rows})
    found = ((path, partial(_read, picture)) for path, picture in find(paths))
    thumbnails = asyncio.run(thumbnails_of(found, worker_count=settings.worker_count))
    name = name_of(ledger).rpartition("/")[2]
    gallery = Gallery(thumbnails, address_of)
    page = write_page(findings, gallery, grouping, name=name, made_at=datetime.now(UTC))
    try:
        output.write_text(page, encoding="utf-8")
    except OSError as error:
        raise ConfigurationError(f"cannot write {output}: {error.strerror}") from error
    typer.echo(f"{output}: {findings.count:,} pictures, {len(page) / 1e6:.1f} MB")


def _grouping(ledger: Ledger, limits: GroupLimits) -> Grouping:
    groups = list(groups_of(pictures_of(ledger), limits))
    counts = Counter(group.kind.value for group in groups)
    shown = []
    for group in nlargest(SHOWN_GROUP_COUNT, groups, key=lambda group: len(group.paths)):
        best_first = sorted(group.paths, key=lambda path: path != group.best)
        paths = best_first[:SHOWN_PICTURE_COUNT]
        rows = ledger.rows_at(paths)
        shown.append(
            PictureGroup(
                group.kind.value,
                group.reason,
                tuple(rows[path] for path in paths if path in rows),
                len(group.paths),
            )
        )
    return Grouping(dict(counts.most_common()), tuple(shown))


def _read(picture: Picture) -> bytes | None:
    try:
        picture.stamp()  # a pipe or a device is refused before it is opened
        return picture.read(MAX_FILE_BYTES)
    except (UnreadableFileError, ImageError):
        return None
