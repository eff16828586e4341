"""How far a run has come, on one line of the terminal."""

from __future__ import annotations

from types import TracebackType
from typing import Self

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    ProgressColumn,
    SpinnerColumn,
    Task,
    TextColumn,
    TimeRemainingColumn,
)
from rich.text import Text

from capture.archive.tally import Effort, Tally
from capture.cli.styles import VERDICT_STYLES

REFRESHES_PER_SECOND = 4
"""Drawing takes time from the workers: about a millisecond each time."""


class ScoreProgress:
    """A line with rate, remaining time and verdicts, drawn a few times a second.

    Parameters
    ----------
    hidden : bool
        Show nothing.
    """

    def __init__(self, *, hidden: bool) -> None:
        self._progress = Progress(
            SpinnerColumn(),
            TextColumn("{task.description}"),
            BarColumn(bar_width=24),
            MofNCompleteColumn(),
            _Rate(),
            TimeRemainingColumn(),
            _Verdicts(),
            console=Console(stderr=True),
            refresh_per_second=REFRESHES_PER_SECOND,
            transient=True,
            disable=hidden,
        )
        self._task = self._progress.add_task("scoring", total=None, tally=Tally())

    def __enter__(self) -> Self:
        self._progress.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._progress.stop()

    def show(self, tally: Tally) -> None:
        """Take the counts so far."""
        self._progress.update(self._task, completed=tally.seen_count, tally=tally)

    def expect(self, total: int) -> None:
        """Say how many pictures there are."""
        self._progress.update(self._task, total=total)

    def say(self, words: str) -> None:
        """Print a line above."""
        self._progress.console.print(words)


class _Rate(ProgressColumn):
    """Pictures a second; those whose rows stood already do not count."""

    def render(self, task: Task) -> Text:
        tally: Tally = task.fields["tally"]
        worked = tally.seen_count - tally.efforts[Effort.UNCHANGED]
        rate = worked / task.elapsed if task.elapsed else 0.0
        return Text(f"{rate:.1f}/s")


class _Verdicts(ProgressColumn):
    """How many pictures there are of each verdict."""

    def render(self, task: Task) -> Text:
        tally: Tally = task.fields["tally"]
        parts = [
            (f"{count} {verdict}", VERDICT_STYLES[verdict])
            for verdict, count in sorted(tally.verdicts.items())
        ]
        if tally.failures:
            parts.append((f"{tally.failures.total()} not judged", "magenta"))
        return Text("  ").join(Text(words, style) for words, style in parts)
