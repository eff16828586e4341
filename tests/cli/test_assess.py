"""``smart-capture assess`` as a user runs it: a process, its output, its exit code."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from typer.testing import CliRunner

from capture.cli.app import app

SAMPLES = Path(__file__).parents[2] / "samples" / "demo"
RECORD_KEYS = {
    *("path", "status", "error", "width_px", "height_px", "verdict", "reasons", "blur"),
    *("exposure", "noise_sigma", "classification", "provenance"),
}


def assess(*arguments: object) -> subprocess.CompletedProcess[str]:
    """Run the command and return its output and exit code."""
    command = [sys.executable, "-m", "capture", "assess", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, timeout=100)


def records(*arguments: object) -> list[dict[str, Any]]:
    done = assess("--jsonl", *arguments)
    return [json.loads(line) for line in done.stdout.splitlines()]


def test_a_picture_is_judged_and_named() -> None:
    """The good sample is accepted, and the record holds every promised key."""
    (record,) = records(SAMPLES / "good.jpg")
    assert set(record) >= RECORD_KEYS
    assert (record["status"], record["verdict"]) == ("ok", "ACCEPT")
    assert record["classification"]["labels"][0]["label"] == "tree frog"


def test_a_refused_picture_says_why_and_is_not_classified() -> None:
    """Reasons come with value, limit, scalar and a hint; no inference is spent on it."""
    (record,) = records(SAMPLES / "dark.jpg")
    assert record["verdict"] == "RETAKE"
    assert record["classification"] is None
    for reason in record["reasons"]:
        assert set(reason) >= {"code", "measure", "value", "limit", "scalar", "hint"}


@pytest.fixture
def mixed_folder(tmp_path: Path) -> Path:
    """A folder with one good picture and two that cannot be read."""
    (tmp_path / "a.jpg").write_bytes((SAMPLES / "good.jpg").read_bytes())
    (tmp_path / "b.jpg").write_bytes((SAMPLES / "good.jpg").read_bytes()[:20_000])
    (tmp_path / "c.jpg").write_bytes(b"")
    return tmp_path


def test_one_bad_file_is_a_row_and_not_the_end(mixed_folder: Path) -> None:
    """Every file of a folder has its record, in the order of the names; exit code 1."""
    done = assess("--jsonl", "--no-classify", mixed_folder)
    statuses = [json.loads(line)["status"] for line in done.stdout.splitlines()]
    assert statuses == ["ok", "TRUNCATED", "EMPTY"]
    assert done.returncode == 1


def test_a_file_that_is_not_there_is_a_row_too(tmp_path: Path) -> None:
    """A missing file is UNREADABLE, in words."""
    (record,) = records(tmp_path / "none.jpg")
    assert record["status"] == "UNREADABLE"
    assert "No such file" in record["error"]


def test_a_name_is_shown_and_does_nothing(tmp_path: Path) -> None:
    """Control characters and markup in a file's name reach no terminal."""
    name = tmp_path / "\x1b[31mred\r[bold].jpg"
    name.write_bytes(b"")
    done = assess(name)
    assert done.returncode == 1
    assert not {"\x1b", "\r"} & set(done.stdout)
    assert r"\x1b[31mred\r[bold].jpg" in "".join(done.stdout.split())


def test_the_path_is_the_one_that_was_given() -> None:
    """Callers join their own tables by it."""
    given = os.path.relpath(SAMPLES / "good.jpg")
    if not given.startswith(os.curdir):
        given = os.path.join(os.curdir, given)  # noqa: PTH118 - Path would drop it
    (record,) = records("--no-classify", given)
    assert record["path"] == given


def test_a_name_that_cannot_be_looked_up_is_a_row_too() -> None:
    """Whatever the file system says of one path, the others are judged."""
    impossible, good = records("--no-classify", "x" * 300 + ".jpg", SAMPLES / "good.jpg")
    assert (impossible["status"], good["verdict"]) == ("UNREADABLE", "ACCEPT")


def test_a_pipe_is_a_row_and_nobody_waits_for_it(tmp_path: Path) -> None:
    """What is no regular file is not opened: it might never end."""
    os.mkfifo(tmp_path / "pipe.jpg")
    piped, good = records("--no-classify", tmp_path / "pipe.jpg", SAMPLES / "good.jpg")
    assert (piped["status"], piped["error"]) == ("UNREADABLE", "not a regular file")
    assert good["verdict"] == "ACCEPT"


def test_folders_are_walked_as_an_archive_is(tmp_path: Path) -> None:
    """Sorted by name, at any depth; dot folders and archives are left out."""
    for name in ("b.jpg", "a/z.jpg", "a.jpg", ".trash/c.jpg", "notes.txt", "more.zip"):
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_bytes((SAMPLES / "flat.jpg").read_bytes())
    paths = [record["path"] for record in records("--no-classify", tmp_path)]
    assert paths == [str(tmp_path / name) for name in ("a/z.jpg", "a.jpg", "b.jpg")]


def test_odd_bytes_in_a_name_can_be_printed(tmp_path: Path) -> None:
    """A name that is no UTF-8 is written with its bytes escaped."""
    Path(os.fsdecode(bytes(tmp_path) + b"/od\xffd.jpg")).write_bytes(b"no picture")
    (record,) = records("--no-classify", tmp_path)
    assert record["path"] == f"{tmp_path}/od\\xffd.jpg"


def test_the_table_shows_verdict_and_reasons() -> None:
    """What people see names the verdict and the limit that was not met."""
    done = assess("--no-classify", SAMPLES / "dark.jpg")
    assert "RETAKE" in done.stdout
    assert "UNDEREXPOSED" in done.stdout
    assert done.returncode == 0


def test_strict_exit_tells_scripts_of_a_refusal() -> None:
    """3 when any verdict is not ACCEPT, 0 when all are."""
    assert assess("--strict-exit", "--no-classify", SAMPLES / "dark.jpg").returncode == 3
    assert assess("--strict-exit", "--no-classify", SAMPLES / "good.jpg").returncode == 0


def test_wrong_use_is_told_in_one_line(tmp_path: Path) -> None:
    """No pictures, no such profile, no place for pages: exit code 2 and no trace."""
    good = SAMPLES / "good.jpg"
    for arguments in ([tmp_path], ["--profile", "strikt", good], ["--explain", good, good]):
        done = assess(*arguments)
        assert done.returncode == 2
        assert done.stderr.startswith("smart-capture: ")
        assert "Traceback" not in done.stderr
        assert "Errno" not in done.stderr


def test_what_is_asked_for_wins_over_the_settings() -> None:
    """Labels are left out where the settings say so, unless the command asks for them."""
    for flags, is_classified in (([], False), (["--classify"], True)):
        done = CliRunner().invoke(
            app,
            ["assess", "--jsonl", *flags, str(SAMPLES / "good.jpg")],
            env={"SMART_CAPTURE_CLASSIFY": "false"},
        )
        record = json.loads(done.stdout)
        assert (record["classification"] is not None) == is_classified


def test_an_interrupt_is_no_failure_of_the_pictures_in_hand(tmp_path: Path) -> None:
    """Ctrl-C ends it without a word of workers that were let go."""
    for number in range(300):
        (tmp_path / f"{number:03d}.jpg").symlink_to(SAMPLES / "good.jpg")
    process = subprocess.Popen(
        [sys.executable, "-m", "capture", "assess", tmp_path, "--jsonl", "--no-classify"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    assert process.stdout is not None
    assert process.stdout.readline()
    process.send_signal(signal.SIGINT)
    _, complaints = process.communicate(timeout=60)
    assert process.returncode == 130
    assert b"Traceback" not in complaints


def test_numbers_do_not_depend_on_the_number_of_workers() -> None:
    """One worker and two give the same records, to the last digit."""
    pictures = [SAMPLES / name for name in ("good.jpg", "defocused.jpg", "flat.jpg")]
    one, two = (records("--workers", count, *pictures) for count in (1, 2))
    assert one == two


def test_explain_writes_a_page_per_picture(tmp_path: Path) -> None:
    """The page is a picture with the verdict's colour on it, however long the picture's name."""
    long = tmp_path / f"{'x' * 250}.jpg"
    long.write_bytes((SAMPLES / "good.jpg").read_bytes())
    done = assess("--no-classify", "--explain", tmp_path, SAMPLES / "dark.jpg", long)
    assert done.returncode == 0, done.stderr
    pages = sorted(tmp_path.glob("*.png"))
    assert [page.name for page in pages] == ["0000-dark.png", f"0001-{'x' * 60}.png"]
    for page in pages:
        pixels = cv2.imread(str(page))
        assert pixels is not None
        assert np.ptp(pixels) > 200
