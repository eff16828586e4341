"""``smart-capture status``: how a ledger stands."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

from capture.cli.styles import VERDICT_STYLES
from capture.ledger.ledger import open_ledger
from capture.ledger.outcomes import Outcome
from capture.ledger.rows import Row

LEDGER_HELP = "A SQLite file, or a database URL such as postgresql://host/name."


def status(
    ledger: Annotated[str, typer.Argument(help=LEDGER_HELP)],
    json_: Annotated[bool, typer.Option("--json", help="As one JSON object.")] = False,
) -> None:
    """Show how a ledger stands: pictures by verdict and reason, failures, runs."""
    with open_ledger(ledger, create=False) as opened:
        outcomes, runs = opened.outcomes(), opened.runs()
    if json_:
        print(json.dumps(_json_of_status(outcomes, runs), indent=2))
        return
    console = Console()
    for table in _tables_of(outcomes):
        console.print(table)
    if runs and runs[0]["finished_at"] is None:
        console.print("The last run was stopped before its end: the same command goes on.")


@dataclass(frozen=True, slots=True)
class _Counts:
    """Pictures by verdict, by each of their reasons, and by why they were not judged."""

    verdicts: Counter[str]
    reasons: Counter[str]
    failures: Counter[str]


def _counts_of(outcomes: list[Outcome]) -> _Counts:
    counts = _Counts(Counter(), Counter(), Counter())
    for outcome in outcomes:
        if outcome.verdict is None:
            counts.failures[outcome.status] += outcome.count
        else:
            counts.verdicts[outcome.verdict] += outcome.count
        for code in outcome.reason_codes:
            counts.reasons[code] += outcome.count
    return counts


def _tables_of(outcomes: list[Outcome]) -> Iterator[Table]:
    counts = _counts_of(outcomes)
    pictures = Table("pictures", "verdict", box=None)
    for verdict, count in counts.verdicts.most_common():
        pictures.add_row(f"{count:,}", f"[{VERDICT_STYLES[verdict]}]{verdict}[/]")
    pictures.add_row(f"{counts.failures.total():,}", "[magenta]not judged[/]")
    yield pictures
    for title, counter in (("reason", counts.reasons), ("why not judged", counts.failures)):
        if counter:
            table = Table("pictures", title, box=None)
            for name, count in counter.most_common():
                table.add_row(f"{count:,}", name)
            yield table


def _json_of_status(outcomes: list[Outcome], runs: list[Row]) -> dict[str, Any]:
    counts = _counts_of(outcomes)
    return {
        "picture_count": sum(outcome.count for outcome in outcomes),
        "verdicts": dict(sorted(counts.verdicts.items())),
        "failures": dict(sorted(counts.failures.items())),
        "reasons": dict(sorted(counts.reasons.items())),
        "runs": [
            run | {key: _iso(run[key]) for key in ("started_at", "finished_at")} for run in runs
        ],
    }


def _iso(moment: datetime | None) -> str | None:
    return None if moment is None else moment.replace(tzinfo=UTC).isoformat()
