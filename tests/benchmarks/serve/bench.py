"""What every measurement needs: the bare loop between any two, and rows of a table."""

from __future__ import annotations

import os
import statistics
from collections.abc import Callable
from dataclasses import astuple, dataclass
from pathlib import Path

from tests.benchmarks.serve.bare import Bare, run_bare
from tests.benchmarks.serve.load import Seen, run_load
from tests.benchmarks.serve.processes import Service

CORE_COUNT = min(2, os.cpu_count() or 1)
DEADLINE_S = 0.3
JOB_TIMEOUT_S = 2.0


@dataclass(frozen=True)
class Row:
    """One line of the table of the service.

    Attributes
    ----------
    measure, said : str
        What was measured, and the figure.
    floor, goal, reached : str
        What it has to be, what it should be, and which of the two it is.
    beside : str
        What the bare loop did in the same run.
    generator : str
        The load generator's share of the cores.
    """

    measure: str
    said: str
    floor: str
    goal: str
    reached: str
    beside: str
    generator: str


class Bench:
    """One run.

    Parameters
    ----------
    pictures : Path
        Where the pictures lie.
    duration_s : float
        Length of each measurement; the bare loop between two takes half as long, unless more
        hangs on it.
    """

    def __init__(self, pictures: Path, duration_s: float) -> None:
        self.pictures = pictures
        self.duration_s = duration_s
        self.rows: list[Row] = []
        self._last_bare: Bare | None = None

    def bare(self, *, process_count: int = CORE_COUNT, duration_s: float | None = None) -> Bare:
        """Run the bare loop over accepted pictures."""
        duration_s = duration_s or self.duration_s / 2
        return run_bare(
            self.pictures, "accepted", process_count=process_count, duration_s=duration_s
        )

    def load(self, under_test: Service, mode: str, **options: object) -> Seen:
        """Put load on a server."""
        options = {"duration_s": self.duration_s} | options
        return run_load(under_test.port, self.pictures, mode, **options)

    def between(
        self, measure: Callable[[float], Seen], *, bare_s: float | None = None
    ) -> tuple[Seen, Bare]:
        """Measure between two runs of the bare loop; return it, and their mean."""
        before = self._last_bare or self.bare(duration_s=bare_s)
        seen = measure(before.rate)
        after = self._last_bare = self.bare(duration_s=bare_s)
        pairs = zip(astuple(before), astuple(after), strict=True)
        return seen, Bare(*(statistics.mean(pair) for pair in pairs))

    def row(
        self,
        measure: str,
        said: str,
        value: float | None = None,
        limits: tuple[float, float] | None = None,
        *,
        beside: str = "",
        share: float | None = None,
    ) -> None:
        """Add a line to the table.

        Parameters
        ----------
        measure, said, beside : str
            See `Row`.
        value : float, optional
            What is held against the limits.
        limits : (float, float), optional
            Floor and goal; the lower, the better, unless the goal is above the floor.
        share : float, optional
            Cores that the load generator took.
        """
        floor, goal = ("", "") if limits is None else (f"{limits[0]:g}", f"{limits[1]:g}")
        reached = "" if value is None or limits is None else _reached(value, *limits)
        cores = "" if share is None else f"{share:.2f} cores"
        self.rows.append(Row(measure, said, floor, goal, reached, beside, cores))


def _reached(value: float, floor: float, goal: float) -> str:
    sign = 1 if goal > floor else -1
    if sign * value >= sign * goal:
        return "goal"
    return "floor" if sign * value >= sign * floor else "no"
