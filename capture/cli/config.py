"""``smart-capture config``: each setting, and where its value came from."""

from __future__ import annotations

import json
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from capture.gates.profile import SHIPPED
from capture.settings import Settings, load_settings, origin_of


def config(
    json_: Annotated[bool, typer.Option("--json", help="As one JSON object on stdout.")] = False,
) -> None:
    """Show every setting, its value, and where the value came from.

    Flags win over the environment (SMART_CAPTURE_*), the environment over the file
    smart-capture.toml in the current folder, the file over the defaults.
    """
    settings = load_settings()
    rows = {
        name: (getattr(settings, name), origin_of(name), field.description or "")
        for name, field in Settings.model_fields.items()
    }
    if json_:
        values = {
            name: {"value": value, "origin": origin} for name, (value, origin, _) in rows.items()
        }
        print(json.dumps(values, default=str, indent=2))
        return
    table = Table("setting", "value", "from", "meaning", box=None)
    for name, (value, origin, meaning) in rows.items():
        table.add_row(name, "" if value is None else str(value), origin, meaning)
    console = Console()
    console.print(table)
    console.print(f"\nprofiles that ship: {', '.join(SHIPPED)}")
