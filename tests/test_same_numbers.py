"""The same bytes give the same numbers, whichever way they come in."""

from __future__ import annotations

import json
import sqlite3
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from capture.assessment import record_of
from capture.client import Client
from capture.demo.server_process import server_process

SAMPLES = Path(__file__).parents[1] / "samples" / "demo"
NAMES = ("good.jpg", "defocused.jpg", "shaken.jpg", "dark.jpg", "flat.jpg")

Numbers = dict[str, Any]


def numbers_of(record: dict[str, Any]) -> Numbers:
    """Everything that was measured and judged; not how long it took or what it is called."""
    return {key: record[key] for key in ("verdict", "reasons", "blur", "exposure", "noise_sigma")}


@pytest.fixture(scope="module")
def assessed() -> dict[str, Numbers]:
    """What ``assess`` says of the samples, with one worker."""
    command = [sys.executable, "-m", "capture", "assess", "--jsonl", "--no-classify"]
    paths = [str(SAMPLES / name) for name in NAMES]
    done = subprocess.run(
        [*command, "--workers", "1", *paths], capture_output=True, text=True, check=True
    )
    records = [json.loads(line) for line in done.stdout.splitlines()]
    return {Path(record["path"]).name: numbers_of(record) for record in records}


def test_calls_streams_and_sessions_give_what_assess_gives(assessed: dict[str, Numbers]) -> None:
    """Unary call, pipelined stream and camera session: equal to the last digit."""
    paths = [SAMPLES / name for name in NAMES]
    with server_process() as target, Client(target) as client:
        unary = [client.assess_image(path) for path in paths]
        piped = {answer.index: answer.assessment for answer in client.assess_images(paths)}
        with client.session() as session:
            stills = [session.judge_still(path).assessment for path in paths]
    for index, name in enumerate(NAMES):
        for assessment in (unary[index], piped[index], stills[index]):
            assert assessment is not None
            assert numbers_of(record_of(name, assessment)) == assessed[name]


@pytest.mark.parametrize("workers", [1, 2])
def test_the_ledger_holds_what_assess_gives(
    assessed: dict[str, Numbers], tmp_path: Path, workers: int
) -> None:
    """Scored into SQLite, for any number of workers: equal to the last digit."""
    ledger = tmp_path / "run.db"
    command = [sys.executable, "-m", "capture", "score", "--quiet", "--ledger", str(ledger)]
    paths = [str(SAMPLES / name) for name in NAMES]
    subprocess.run([*command, "--workers", str(workers), *paths], check=True, timeout=100)
    columns = (
        *("verdict", "blur_probability", "blur_px", "blur_px_at_reference", "motion_extent_px"),
        *("motion_angle_deg", "exposure_offset_ev", "clipped_highlight_fraction"),
        *("clipped_shadow_fraction", "dynamic_range_stops", "noise_sigma"),
    )
    with sqlite3.connect(ledger) as connection:
        query = f"select path, {', '.join(columns)} from assessments"
        rows = {Path(path).name: values for path, *values in connection.execute(query)}
    connection.close()
    for name in NAMES:
        found = assessed[name]
        blur, exposure = found["blur"], found["exposure"]
        assert rows[name] == [
            *(found["verdict"], blur["probability"], blur["blur_px"]),
            *(blur["blur_px_at_reference"], blur["motion_extent_px"], blur["motion_angle_deg"]),
            *(exposure["offset_ev"], exposure["clipped_highlight_fraction"]),
            *(exposure["clipped_shadow_fraction"], exposure["dynamic_range_stops"]),
            found["noise_sigma"],
        ]
