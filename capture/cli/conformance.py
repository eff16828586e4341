"""``smart-capture conformance``: does this engine find what the pack says?"""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from capture.cli.exits import ExitCode
from capture.conformance import TOLERANCES, Check, check_pack, pack_folder


def conformance(
    pack: Annotated[
        Path | None, typer.Argument(help="Folder of a pack; the one that ships if not given.")
    ] = None,
    jsonl: Annotated[
        bool, typer.Option("--jsonl", help="One JSON object per value on stdout.")
    ] = False,
) -> None:
    """Check the installed engine against the conformance pack.

    Exit codes: 0 all values agree, 2 no such pack, 3 some do not.
    """
    checks = list(check_pack(pack or pack_folder()))
    if jsonl:
        for check in checks:
            print(json.dumps(asdict(check) | {"holds": check.holds}))
    else:
        _print_table(checks)
    failed = any(not check.holds for check in checks)
    raise typer.Exit(ExitCode.NOT_AS_EXPECTED if failed else ExitCode.DONE)


def _print_table(checks: list[Check]) -> None:
    console = Console()
    summary = Table("measure", "pictures", "agree", "tolerance", box=None)
    for measure in dict.fromkeys(check.measure for check in checks):
        of_measure = [check for check in checks if check.measure == measure]
        agree = sum(check.holds for check in of_measure)
        style = "" if agree == len(of_measure) else "bold red"
        tolerance = TOLERANCES.get(measure)
        summary.add_row(
            measure,
            str(len(of_measure)),
            str(agree),
            "equal" if tolerance is None else f"{tolerance:g}",
            style=style,
        )
    console.print(summary)
    for check in checks:
        if not check.holds:
            console.print(
                f"[bold red]{check.file}[/] {check.measure}: "
                f"{check.found} found, {check.expected} expected"
            )
