"""The two tables of ``make bench-serve``: what the service does, and what servers do."""

from __future__ import annotations

import os
import statistics
from collections.abc import Sequence
from dataclasses import astuple, dataclass

from rich.table import Table

from tests.benchmarks.serve.bench import CORE_COUNT, DEADLINE_S, Bench, Row
from tests.benchmarks.serve.contest import FACTORS, ROUND_COUNT, SETTLE_TIMEOUT_S, Standing
from tests.benchmarks.serve.load import RUN_IN_S, Seen

_QUIET_LOAD = 0.5


@dataclass(frozen=True)
class Sheet:
    """A table of text.

    Attributes
    ----------
    header : tuple of str
        Names of the columns.
    lines : list
        As wide as the header.
    """

    header: tuple[str, ...]
    lines: list[tuple[str, ...]]

    def markdown(self) -> str:
        """Return it as a table of Markdown."""
        rule = ("---",) * len(self.header)
        lines = (self.header, rule, *self.lines)
        return "".join(f"| {' | '.join(line)} |\n" for line in lines)

    def printed(self) -> Table:
        """Return it as it is printed."""
        table = Table(*self.header, box=None)
        for line in self.lines:
            table.add_row(*line)
        return table


def sheet_of_service(rows: Sequence[Row]) -> Sheet:
    """Return the figures of the service against what they have to be."""
    header = ("measure", "measured", "floor", "goal", "reached", "bare loop", "load generator")
    return Sheet(header, [astuple(row) for row in rows])


def add_standing(bench: Bench, standing: Standing) -> None:
    """Add what the contest found of the service to its own table."""
    if standing.capacity:
        bares = [bare for _, bare in standing.capacity]
        bench.row(
            "throughput of unary 720p JPEGs, all accepted, against the bare loop",
            f"{_capacity(standing)}: {_rates(standing)}",
            standing.capacity_ratio,
            (0.90, 0.95),
            beside=f"{_median_and_range([bare.rate for bare in bares], '.1f')}/s, "
            f"{statistics.median(bare.cpu_ms for bare in bares):.1f} ms of CPU each",
            share=max(seen["core_share"] for seen, _ in standing.capacity),
        )
    limits = {2.0: (0.75, 0.88), 10.0: (0.65, 0.85)}
    for factor, (seen, bare) in standing.goodput.items():
        bench.row(
            f"answered within {1e3 * DEADLINE_S:.0f} ms at {factor:g}x capacity, "
            "against the bare loop",
            f"{seen['rate'] / bare.rate:.2f}: {seen['rate']:.1f}/s of "
            f"{seen['offered_count'] / bench.duration_s:.0f}/s, p50 {seen['p50_ms']:.0f}, p99 "
            f"{seen['p99_ms']:.0f} ms, front {seen['front_share']:.2f} cores, late "
            f"{seen['errors'].get('DEADLINE_EXCEEDED', 0)}",
            seen["rate"] / bare.rate,
            limits.get(factor),
            beside=f"{bare.rate:.1f}/s",
            share=seen["core_share"],
        )
    if standing.health:
        bench.row(
            "health check p99 while saturated, ms",
            f"{standing.health['p99_ms']:.1f}, p50 {standing.health['p50_ms']:.1f}",
            standing.health["p99_ms"],
            (10, 5),
            share=standing.health["core_share"],
        )
    if standing.killed:
        lost_count = _lost_count(standing.killed)
        bench.row(
            "kill -9 a worker under load: requests lost",
            f"{lost_count} of {standing.killed['count'] + lost_count}",
            lost_count,
            (0, 0),
            share=standing.killed["core_share"],
        )
        bench.row(
            "kill -9 a worker under load: longest stall, ms",
            f"{standing.killed['longest_ms']:.0f}; nobody answered for "
            f"{standing.killed['longest_gap_ms']:.0f}",
            standing.killed["longest_ms"],
            (300, 100),
        )
    if standing.pss_mb:
        bench.row(
            "memory (PSS), 2 workers and both models, MB",
            f"{standing.pss_mb:.0f}",
            standing.pss_mb,
            (260, 200),
        )


def sheet_of_servers(standings: Sequence[Standing]) -> Sheet:
    """Return a line for each server; one that did not run says why."""
    header = (
        "server",
        "capacity",
        *(f"{factor:g}x" for factor in FACTORS),
        "health p99, ms",
        "kill -9: lost",
        "longest stall, ms",
        "PSS, MB",
        "generator, cores",
    )
    return Sheet(header, [_line(standing) for standing in standings])


def said_before(accepted: Sequence[bytes], bench: Bench, load_average: float) -> str:
    """Return what was run, and on what."""
    busy = " It was busy with other things, so that only the ratios say something."
    mean_kib = statistics.mean(map(len, accepted)) / 1024
    return (
        f"{CORE_COUNT} workers each, on {os.cpu_count()} cores shared with the load generator; "
        f"{len(accepted)} accepted 720p pictures of {mean_kib:.0f} KiB; {bench.duration_s:g} s "
        f"for each measurement; load average of the machine before the start "
        f"{load_average:.1f}.{busy if load_average > _QUIET_LOAD else ''}"
    )


def said_of_generator(grpc: Seen, http: Seen) -> str:
    """Return what the load generator can do at most."""
    return (
        "Against servers that do nothing but answer, on the same cores, the load generator sends "
        f"{grpc['rate']:.0f} pictures/s over gRPC and {http['rate']:.0f}/s over HTTP, taking "
        f"{grpc['core_share']:.2f} and {http['core_share']:.2f} cores."
    )


def page(preamble: str, of_service: Sheet, of_servers: Sheet, generator: str) -> str:
    """Return the results as a page of Markdown."""
    return f"""# Serving

`make bench-serve` wrote this. {preamble}

{of_service.markdown()}
## Beside other servers

In turns in the same run, and each measurement between two of the bare loop. All do the work of
the bare loop: `capture.worker` decodes, judges and classifies the same bytes with the same
int8 model (fp32 where it is unsure), one picture at a time in each of two processes, with the
bare loop's niceness, allocator and thread limits. Peers answer with the verdict and the first
label, Smart Capture with the whole assessment.

*Capacity* is four clients without deadlines, the median of the rounds and their range: Smart
Capture in all {ROUND_COUNT}, peers in every third, each between two runs of the bare loop that
are as long; *0.5x* to *10x* is offered load in capacities of
the bare loop, calls coming at random, after {RUN_IN_S:g} s that does not count. Only answers
within {1e3 * DEADLINE_S:.0f} ms of when the call was due count. Both are shares of the bare
loop's pictures/s. A caller leaves at its deadline: gRPC says so to the server, HTTP closes the
connection. A star: {SETTLE_TIMEOUT_S:g} s after the last caller had left the server was still at
work for them, and was started anew. *Longest stall* is the longest call, or the longest time
without any answer.

{of_servers.markdown()}
{generator}

![goodput against offered load](serve.png)
"""


def _line(standing: Standing) -> tuple[str, ...]:
    runs = [seen for seen, _ in (*standing.capacity, *standing.goodput.values())]
    share = f"{max(seen['core_share'] for seen in runs):.2f}" if runs else ""
    killed, health = standing.killed, standing.health
    title = f"{standing.title}: {standing.setup}"
    return (
        f"{title}; {standing.remark}" if standing.remark else title,
        _capacity(standing) if standing.capacity else "",
        *(_goodput(standing, factor) for factor in FACTORS),
        f"{health['p99_ms']:.1f}" if health else "",
        str(_lost_count(killed)) if killed else "",
        f"{max(killed['longest_ms'], killed['longest_gap_ms']):.0f}" if killed else "",
        f"{standing.pss_mb:.0f}" if standing.pss_mb else "",
        share,
    )


def _goodput(standing: Standing, factor: float) -> str:
    if factor not in standing.goodput:
        return ""
    seen, bare = standing.goodput[factor]
    return f"{seen['rate'] / bare.rate:.2f}{'*' if factor in standing.unsettled else ''}"


def _capacity(standing: Standing) -> str:
    return _median_and_range(standing.capacity_ratios, ".2f")


def _median_and_range(values: Sequence[float], form: str) -> str:
    middle, least, most = statistics.median(values), min(values), max(values)
    return f"{middle:{form}} ({least:{form}} to {most:{form}})"


def _rates(standing: Standing) -> str:
    rate = statistics.median(seen["rate"] for seen, _ in standing.capacity)
    cpu_ms = statistics.median(seen["cpu_ms"] for seen, _ in standing.capacity)
    rounds = ", ".join(f"{ratio:.2f}" for ratio in standing.capacity_ratios)
    return f"{rate:.1f}/s, {cpu_ms:.1f} ms of CPU each; rounds {rounds}"


def _lost_count(killed: dict[str, object]) -> int:
    errors = killed["errors"]
    assert isinstance(errors, dict)
    return sum(errors.values())
