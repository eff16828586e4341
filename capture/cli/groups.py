"""``smart-capture groups``: copies, bursts, brackets and look-alikes of a ledger."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import asdict
from typing import Annotated

import typer
from rich.console import Console

from capture.archive.groups import Group, GroupKind, groups_of, pictures_of
from capture.cli.status import LEDGER_HELP
from capture.cli.styles import as_it_is
from capture.gates.profile import load_profile
from capture.ledger.ledger import open_ledger
from capture.settings import load_settings


def groups(
    ledger: Annotated[str, typer.Argument(help=LEDGER_HELP)],
    profile: Annotated[
        str | None,
        typer.Option(help="Whose [groups] say what belongs together.", metavar="NAME"),
    ] = None,
    kind: Annotated[
        list[GroupKind] | None, typer.Option(help="Only groups of this kind, may be repeated.")
    ] = None,
    jsonl: Annotated[bool, typer.Option("--jsonl", help="One JSON object a group.")] = False,
) -> None:
    """Show pictures that belong together, and which is the best of them and why.

    Told from stored rows: nothing is decoded, and no picture is moved or deleted.
    Pictures scored before hashes were kept are grouped only as exact copies.
    """
    limits = load_profile(load_settings(default_profile=profile).default_profile).groups
    with open_ledger(ledger, create=False) as opened:
        found = [
            group
            for group in groups_of(pictures_of(opened), limits)
            if group.kind in (kind or GroupKind)
        ]
    if jsonl:
        for group in found:
            typer.echo(json.dumps(asdict(group), ensure_ascii=False))
    else:
        _print(found)


def _print(found: list[Group]) -> None:
    console = Console(soft_wrap=True, highlight=False)
    for group in found:
        console.print(f"[bold]{group.kind}[/] of {len(group.paths)}: {group.reason}")
        for path in group.paths:
            mark = "[green]*[/]" if path == group.best else " "
            console.print(f"  {mark} {as_it_is(path)}")
    counts = Counter(group.kind for group in found)
    words = ", ".join(f"{counts[kind]:,} {kind}" for kind in GroupKind if counts[kind])
    console.print(f"groups: {words or 'none'}")
