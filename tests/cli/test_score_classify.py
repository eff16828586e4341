"""Accepted pictures of an archive get labels, through the same workers."""

from __future__ import annotations

import json
from pathlib import Path

from typer.testing import CliRunner

from capture.cli import app
from capture.ledger.ledger import open_ledger

PICTURES = Path(__file__).parents[2] / "samples" / "demo"


def score(ledger: Path, *words: str) -> dict[str, int]:
    files = [str(PICTURES / name) for name in ("good.jpg", "shaken.jpg", "dark.jpg")]
    done = CliRunner().invoke(app.app, ["score", *files, "--ledger", str(ledger), "--json", *words])
    summary = json.loads(done.stdout)
    return {name: summary[f"{name}_count"] for name in ("scored", "reused", "unchanged")}


def test_only_accepted_pictures_are_labelled(tmp_path: Path) -> None:
    """Asked for later, labels cost the accepted pictures only; asked again, nothing."""
    ledger = tmp_path / "run.db"
    assert score(ledger)["scored"] == 3
    assert score(ledger, "--classify") == {"scored": 1, "reused": 0, "unchanged": 2}
    assert score(ledger, "--classify")["unchanged"] == 3
    with open_ledger(ledger) as opened:
        rows = {Path(row["path"]).name: row for row in opened.rows()}
    assert rows["good.jpg"]["labels"][0]["label"] == "tree frog"
    assert rows["good.jpg"]["model"].startswith("efficientnet-lite0@")
    assert {rows[name]["labels"] for name in ("shaken.jpg", "dark.jpg")} == {None}
