"""``smart-capture top``: a server's sessions, rates, workers and latencies, live."""

from __future__ import annotations

import json
import time
from dataclasses import asdict
from datetime import timedelta
from typing import Annotated

import typer
from rich.columns import Columns
from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.table import Table
from rich.text import Text

from capture.cli.styles import VERDICT_STYLES
from capture.top.reading import Reading, read_metrics
from capture.top.summary import Summary, summarize

_STATE_STYLES = {
    "idle": "green",
    "busy": "blue",
    "starting": "bold yellow",
    "missing": "bold red",
    "waiting": "yellow",
}
_BREAKER_STYLES = {"closed": "dim", "half_open": "bold yellow", "open": "bold red"}


def top(
    target: Annotated[
        str, typer.Argument(metavar="HOST:PORT", help="Where the server tells its metrics.")
    ],
    interval: Annotated[
        float, typer.Option(min=0.1, help="Seconds between two looks.", metavar="SECONDS")
    ] = 2.0,
    once: Annotated[bool, typer.Option("--once", help="One look, and end.")] = False,
    json_: Annotated[
        bool, typer.Option("--json", help="One JSON object per look, on a line.")
    ] = False,
) -> None:
    """Watch a server: sessions, rates, workers, refusals, latencies. Ctrl-C ends it.

    The server has to run with --metrics-port. Rates and quantiles are those of the time
    between two looks.
    """
    before = read_metrics(target)
    console = Console()
    if once:
        time.sleep(interval)
        _print(console, target, summarize(before, read_metrics(target)), as_json=json_)
        return
    try:
        if json_:
            while True:
                time.sleep(interval)
                now = read_metrics(target)
                _print(console, target, summarize(before, now), as_json=True)
                before = now
        _watch(console, target, before, interval)
    except KeyboardInterrupt:
        return


def _watch(console: Console, target: str, before: Reading, interval_s: float) -> None:
    shown: RenderableType = Text(f"watching {target}", style="dim")
    with Live(shown, console=console, screen=console.is_terminal, auto_refresh=False) as live:
        while True:
            time.sleep(interval_s)
            try:
                now = read_metrics(target)
            except ConnectionError as error:  # it may come back: a restart, a network
                live.update(Group(Text(str(error), style="bold red"), shown), refresh=True)
                continue
            shown = view_of(target, summarize(before, now))
            live.update(shown, refresh=True)
            before = now


def _print(console: Console, target: str, summary: Summary, *, as_json: bool) -> None:
    if as_json:
        print(json.dumps({"target": target, **asdict(summary)}), flush=True)
    else:
        console.print(view_of(target, summary))


def view_of(target: str, summary: Summary) -> RenderableType:
    """Draw a summary for a terminal."""
    return Group(
        _headline(target, summary),
        Text(),
        Columns([_states(summary), _answers(summary), _troubles(summary)], padding=(0, 4)),
        Text(),
        _latencies(summary),
    )


def _headline(target: str, summary: Summary) -> Text:
    parts = [f"smart-capture {summary.version} at {target}"]
    if summary.uptime_s is not None:
        parts.append(f"up {timedelta(seconds=round(summary.uptime_s))}")
    parts.append(f"{summary.session_count} session{'s' * (summary.session_count != 1)}")
    if summary.front_cpu_share is not None:
        parts.append(f"front {summary.front_cpu_share:.0%} of a core")
    if summary.front_memory_mb is not None:
        parts.append(f"{summary.front_memory_mb:.0f} MiB")
    return Text(", ".join(parts), style="bold")


def _states(summary: Summary) -> Table:
    table = _table("workers and jobs", "now")
    for state, count in {**summary.worker_counts, **summary.job_counts}.items():
        style = _STATE_STYLES.get(state, "") if count else "dim"
        what = "workers" if state in summary.worker_counts else "jobs"
        table.add_row(f"{what} {state}", f"{count}", style=style)
    if summary.breaker_state:
        style = _BREAKER_STYLES.get(summary.breaker_state, "")
        table.add_row("breaker", summary.breaker_state.replace("_", " "), style=style)
    for event, count in summary.worker_events.items():
        table.add_row(
            f"{event.replace('_', ' ')} so far", f"{count}", style="bold red" if count else "dim"
        )
    return table


def _answers(summary: Summary) -> Table:
    table = _table("answers", "per s")
    for kind, rates in summary.answer_rates.items():
        for outcome, rate in rates.items():
            table.add_row(f"{kind} {outcome}", f"{rate:.1f}", style=VERDICT_STYLES.get(outcome, ""))
    for tier, rate in summary.tier_rates.items():
        table.add_row(f"by {tier}", f"{rate:.1f}")
    return _or_nothing(table)


def _troubles(summary: Summary) -> Table:
    table = _table("not answered", "per s")
    if summary.skipped_rate:
        table.add_row("previews skipped", f"{summary.skipped_rate:.1f}")
    if summary.abandoned_rate:
        table.add_row("callers gone", f"{summary.abandoned_rate:.1f}")
    for what, rates in (("refused", summary.refusal_rates), ("error", summary.error_rates)):
        for name, rate in rates.items():
            table.add_row(f"{what} {name}", f"{rate:.1f}", style="red")
    return _or_nothing(table)


def _latencies(summary: Summary) -> Table:
    columns = ("p50 ms", "p90 ms", "p99 ms", "queue ms", "service ms", "observed / predicted")
    table = _table("latency", *columns)
    for kind, latency in summary.latencies.items():
        times = (
            latency.p50_ms,
            latency.p90_ms,
            latency.p99_ms,
            latency.queue_ms,
            latency.service_ms,
        )
        table.add_row(
            kind,
            *(_number(value, ".1f") for value in times),
            _number(summary.prediction_ratio[kind], ".2f"),
        )
    return table


def _table(*columns: str) -> Table:
    table = Table(box=None, pad_edge=False, header_style="dim")
    for number, column in enumerate(columns):
        table.add_column(column, justify="right" if number else "left", no_wrap=True)
    return table


def _or_nothing(table: Table) -> Table:
    if not table.row_count:
        table.add_row("nothing", "", style="dim")
    return table


def _number(value: float | None, form: str) -> str:
    return "-" if value is None else format(value, form)
