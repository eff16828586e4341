"""The archive commands as a person runs them: real processes, killed and stopped."""

from __future__ import annotations

import io
import json
import random
import signal
import socket
import sqlite3
import subprocess
import sys
import tarfile
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from capture.cli import app
from tests.archive.pictures import jpeg

COUNT = 200
DEADLINE_S = 60.0


def command(*words: str | Path) -> list[str]:
    return [sys.executable, "-m", "capture", *(str(word) for word in words)]


def run(*words: str | Path, stdin: bytes = b"") -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(command(*words), input=stdin, capture_output=True, check=False)


def call(*words: str | Path, stdin: bytes = b"") -> Result:
    """As `run`, within this process: quicker, where nothing is killed."""
    return CliRunner().invoke(app.app, [str(word) for word in words], input=stdin)


def rows_of(ledger: Path) -> list[tuple[Any, ...]]:
    with closing(sqlite3.connect(ledger)) as plain:
        return plain.execute("SELECT * FROM assessments ORDER BY path").fetchall()


def count_of(ledger: Path) -> int:
    try:
        with closing(sqlite3.connect(f"file:{ledger}?mode=ro", uri=True)) as plain:
            return int(plain.execute("SELECT count(*) FROM assessments").fetchone()[0])
    except sqlite3.OperationalError:  # not there yet
        return 0


@contextmanager
def scoring(photos: Path, ledger: Path) -> Iterator[subprocess.Popen[bytes]]:
    """A run in progress, of which something is committed already."""
    before = count_of(ledger)
    process = subprocess.Popen(
        command("score", photos, "--ledger", ledger),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )
    ends_at = time.monotonic() + DEADLINE_S
    while count_of(ledger) == before and process.poll() is None:
        assert time.monotonic() < ends_at
        time.sleep(0.02)
    try:
        yield process
    finally:
        if process.poll() is None:
            process.kill()
            process.communicate()


@pytest.fixture(scope="module")
def photos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Many small pictures, and some files that are none."""
    folder = tmp_path_factory.mktemp("photos")
    for number in range(COUNT):
        (folder / f"{number:04d}.jpg").write_bytes(jpeg(number, 96, 80))
    for number in range(5):
        (folder / f"{number:04d}_cut.jpg").write_bytes(jpeg(number, 96, 80)[:-200])
    return folder


@pytest.fixture(scope="module")
def whole(photos: Path, tmp_path_factory: pytest.TempPathFactory) -> list[tuple[Any, ...]]:
    """The rows of a run by one worker that nothing happened to, and that was told to be quiet."""
    ledger = tmp_path_factory.mktemp("whole") / "run.db"
    done = run("score", photos, "--ledger", ledger, "--workers", "1", "--quiet")
    assert (done.returncode, done.stdout, done.stderr) == (1, b"", b"")
    return rows_of(ledger)


def test_a_killed_run_ends_with_the_same_rows(
    photos: Path, whole: list[tuple[Any, ...]], tmp_path: Path
) -> None:
    """SIGKILL after commits and at random moments, two workers: no row lost, doubled or other."""
    ledger = tmp_path / "run.db"
    rng = random.Random(5)
    for _ in range(2):
        with scoring(photos, ledger) as process:
            time.sleep(rng.uniform(0, 0.1))
            process.send_signal(signal.SIGKILL)
    assert 0 < count_of(ledger) < len(whole)
    assert run("score", photos, "--ledger", ledger, "--workers", "2").returncode == 1
    assert rows_of(ledger) == whole
    status = json.loads(call("status", ledger, "--json").stdout)
    assert [(r["resume_count"], r["scored_count"]) for r in status["runs"]] == [(2, len(whole))]


def test_ctrl_c_stops_cleanly_and_says_how_to_go_on(
    photos: Path, whole: list[tuple[Any, ...]], tmp_path: Path
) -> None:
    """What was in hand is committed, the exit code is the shell's, and the same command goes on."""
    ledger = tmp_path / "run.db"
    with scoring(photos, ledger) as process:
        process.send_signal(signal.SIGINT)
        output, _ = process.communicate()
    assert process.returncode == 130
    assert b"The same command goes on" in output
    assert b"Traceback" not in output
    assert run("score", photos, "--ledger", ledger).returncode == 1
    assert rows_of(ledger) == whole


def test_a_second_ctrl_c_ends_what_waits_for_a_silent_store(tmp_path: Path) -> None:
    """A web server that takes the call and says nothing holds nobody who wants to leave."""
    with socket.create_server(("127.0.0.1", 0)) as silent:
        process = subprocess.Popen(
            command(
                "score",
                f"http://127.0.0.1:{silent.getsockname()[1]}/a.jpg",
                "--ledger",
                tmp_path / "run.db",
            ),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        )
        caller, _ = silent.accept()
        with caller:
            process.send_signal(signal.SIGINT)
            assert process.stdout is not None
            assert any(b"stopping" in line for line in process.stdout)
            process.send_signal(signal.SIGINT)
            output, _ = process.communicate(timeout=DEADLINE_S)
    assert process.returncode == 130
    assert b"The same command goes on" in output
    assert b"Traceback" not in output


def test_sigterm_stops_as_ctrl_c_does(photos: Path, tmp_path: Path) -> None:
    """As service managers stop what they run."""
    with scoring(photos, tmp_path / "run.db") as process:
        process.send_signal(signal.SIGTERM)
        output, _ = process.communicate()
    assert process.returncode == 130
    assert b"The same command goes on" in output
    assert b"Traceback" not in output


def test_a_run_that_is_stopped_while_it_starts_says_how_to_go_on(
    photos: Path, whole: list[tuple[Any, ...]], tmp_path: Path
) -> None:
    """Before a picture is judged, by either signal."""
    for number in (signal.SIGTERM, signal.SIGINT):
        ledger = tmp_path / f"{number.name}.db"
        process = subprocess.Popen(
            command("score", photos, "--ledger", ledger),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        )
        ends_at = time.monotonic() + DEADLINE_S
        while not ledger.exists():
            assert time.monotonic() < ends_at
            time.sleep(0.005)
        process.send_signal(number)
        output, _ = process.communicate()
        assert process.returncode == 130, output
        assert b"The same command goes on" in output
        assert b"Traceback" not in output
    assert run("score", photos, "--ledger", ledger).returncode == 1
    assert rows_of(ledger) == whole


def test_a_ledger_and_its_log_copied_in_flight_go_on(
    photos: Path, whole: list[tuple[Any, ...]], tmp_path: Path
) -> None:
    """As after a power cut: the files as they lay, the log torn at any byte."""
    ledger, copy = tmp_path / "run.db", tmp_path / "copy.db"
    with scoring(photos, ledger):
        copy.write_bytes(ledger.read_bytes())
        log = (tmp_path / "run.db-wal").read_bytes()
    (tmp_path / "copy.db-wal").write_bytes(log[: random.Random(3).randrange(len(log))])
    with closing(sqlite3.connect(copy)) as plain:
        assert plain.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    assert run("score", photos, "--ledger", copy).returncode == 1
    assert [row[:-1] for row in rows_of(copy)] == [row[:-1] for row in whole]


def test_a_disk_that_is_full_stops_the_run_and_loses_nothing(
    photos: Path, whole: list[tuple[Any, ...]], tmp_path: Path
) -> None:
    """One line that says how to go on; with room again, the same command does."""
    ledger = tmp_path / "run.db"
    # Any file may grow to 600 blocks of 512 bytes: a batch or two. By a shell, since a fork
    # of a process that runs gRPC may abort: no preexec_fn.
    limited = ["sh", "-c", 'ulimit -f 600; exec "$@"', "sh"]
    stopped = subprocess.run(
        [*limited, *command("score", photos, "--ledger", ledger, "--workers", "1")],
        capture_output=True,
        check=False,
    )
    assert stopped.returncode == 2
    assert stopped.stderr.strip().endswith(b"the same command goes on from there")
    assert b"Traceback" not in stopped.stderr
    assert 0 < count_of(ledger) < len(whole)
    assert run("score", photos, "--ledger", ledger).returncode == 1
    assert rows_of(ledger) == whole


def test_numbers_are_those_of_assess(photos: Path, whole: list[tuple[Any, ...]]) -> None:
    """The same file gives the same record fields by either command."""
    file = photos / "0007.jpg"
    record = json.loads(call("assess", file, "--jsonl", "--no-classify").stdout)
    (row,) = (row for row in whole if row[0] == str(file))
    numbers = [record["blur"]["blur_px"], record["exposure"]["offset_ev"], record["noise_sigma"]]
    assert set(numbers) <= set(row)
    assert json.dumps(record["reasons"], ensure_ascii=False, separators=(",", ":")) in row


def test_a_list_on_stdin_is_scored(photos: Path, tmp_path: Path) -> None:
    """`find | score -` works, and the summary is one JSON object."""
    names = "\n".join(str(photos / name) for name in ("0001.jpg", "0002.jpg", "gone.jpg"))
    done = call("score", "-", "--ledger", tmp_path / "run.db", "--json", stdin=names.encode())
    summary = json.loads(done.stdout)
    assert done.exit_code == 1
    assert (summary["picture_count"], summary["complete"]) == (3, True)
    assert summary["failures"] == {"UNREADABLE": 1}


def test_a_name_that_comes_twice_counts_once(tmp_path: Path) -> None:
    """In a tar that was added to, and by sources that overlap: the summary agrees with the rows."""
    (tmp_path / "a.jpg").write_bytes(jpeg(1, 96, 80))
    (tmp_path / "sub").mkdir()
    with tarfile.open(tmp_path / "added.tar", "w") as archive:
        for data in (b"no picture", jpeg(2, 96, 80), b"", jpeg(3, 96, 80)):
            info = tarfile.TarInfo("b.jpg")
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
    sources: list[Path] = [tmp_path, tmp_path / "a.jpg", tmp_path / "sub" / ".." / "*.jpg"]
    for _ in range(4):
        done = call("score", *sources, "--ledger", tmp_path / "run.db", "--json")
        summary = json.loads(done.stdout)
        assert (summary["picture_count"], summary["failures"]) == (2, {})
        assert sum(summary["verdicts"].values()) == count_of(tmp_path / "run.db") == 2
        assert done.exit_code == 0
        (member,) = (row for row in rows_of(tmp_path / "run.db") if row[0].endswith("b.jpg"))
        assert sha256(jpeg(3, 96, 80)).hexdigest() in member


def test_what_is_left_out_is_told_with_its_reason(tmp_path: Path) -> None:
    """Hidden is one reason, the name of no picture another."""
    for name in ("a.jpg", ".b.jpg", "notes.txt", ".thumbnails/c.jpg"):
        (tmp_path / "in" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "in" / name).write_bytes(jpeg(1, 96, 80))
    words: list[str | Path] = ["score", tmp_path / "in", "--ledger", tmp_path / "run.db"]
    told = call(*words).stdout
    assert "Left out: 1 that are no pictures by name, 1 hidden files, 1 hidden folders" in told
    summary = json.loads(call(*words, "--json").stdout)
    counts = ("skipped_file_count", "hidden_file_count", "hidden_folder_count")
    assert [summary[count] for count in counts] == [2, 1, 1]


@pytest.mark.parametrize("command_name", ["score", "status", "report", "export"])
def test_wrong_use_is_one_line(
    command_name: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """A source or a ledger that is not there: exit code 2, no traceback, nothing made."""
    place = [str(tmp_path / "nowhere")]
    more = {"score": ["--ledger", str(tmp_path / "run.db")], "export": ["-o", "rows.csv"]}
    words = ["smart-capture", command_name, *place, *more.get(command_name, [])]
    monkeypatch.setattr(sys, "argv", words)
    with pytest.raises(SystemExit) as ended:
        app.run()
    assert ended.value.code == 2
    assert capsys.readouterr().err.count("\n") == 1
    assert list(tmp_path.iterdir()) == []


def test_report_and_export_follow_a_run(photos: Path, tmp_path: Path) -> None:
    """From pictures to a page and a table, by the commands of the README."""
    ledger, page, table = tmp_path / "run.db", tmp_path / "report.html", tmp_path / "rows.csv"
    call("score", photos / "000*.jpg", "--ledger", ledger, "--quiet")
    assert call("report", ledger, "-o", page).exit_code == 0
    assert page.read_text().count("data:image/jpeg") > 10
    assert call("export", ledger, "-o", table, "--verdict", "NOT_JUDGED").exit_code == 0
    assert table.read_text().count("_cut.jpg") == 5
