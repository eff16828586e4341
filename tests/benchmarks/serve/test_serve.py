"""What the benchmark of serving makes of what it measures; the measuring itself is not tested."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.benchmarks.serve.bare import Bare, run_bare
from tests.benchmarks.serve.bench import Bench
from tests.benchmarks.serve.contest import Contest, Standing
from tests.benchmarks.serve.echo import echo
from tests.benchmarks.serve.load import run_load
from tests.benchmarks.serve.peers.environment import Peer, PeerError, PeerServer
from tests.benchmarks.serve.pictures import make_pictures
from tests.benchmarks.serve.plot import plot
from tests.benchmarks.serve.processes import Service
from tests.benchmarks.serve.report import add_standing, sheet_of_servers, sheet_of_service

ABSENT = Peer("absent", "Absent 1.0", "never there", "http", lambda *_: ["false"])


@pytest.fixture
def pictures(tmp_path: Path) -> Path:
    path = tmp_path / "pictures"
    make_pictures(2).save(path)
    return path


@pytest.fixture
def answering() -> Iterator[int]:
    """A server over HTTP that does nothing but answer."""
    with echo() as (_, http_port):
        yield http_port


def test_a_peer_that_does_not_start_is_a_line_that_says_so(pictures: Path, tmp_path: Path) -> None:
    """Nothing is raised, and the others are measured."""
    with PeerServer(ABSENT, tmp_path, pictures, tmp_path) as server:
        standing = Standing(ABSENT.title, ABSENT.setup, ABSENT.protocol, server.start)
        Contest(Bench(pictures, 0.1), [standing]).kill()
    assert standing.remark == "did not start"
    ((first, *figures),) = sheet_of_servers([standing]).lines
    assert first == "Absent 1.0: never there; did not start"
    assert not any(figures)


def test_a_measured_server_has_its_figures_in_the_tables_and_the_plot(
    pictures: Path, answering: int
) -> None:
    """What answers everything answers all that is offered, and loses nothing."""
    bare = run_bare(pictures, "accepted", process_count=1, duration_s=0.1)
    options = {"protocol": "http", "duration_s": 0.2}
    seen = run_load(answering, pictures, "open", rate=100.0, timeout_s=5.0, **options)
    assert seen["errors"] == {}
    assert seen["count"] == seen["offered_count"] > 0

    standing = Standing("Echo", "nothing", "http", _not_again)
    standing.goodput[2.0] = seen | {"front_share": 0.0}, bare
    bench = Bench(pictures, 0.2)
    add_standing(bench, standing)
    (row,) = sheet_of_service(bench.rows).lines
    share = f"{seen['rate'] / bare.rate:.2f}"
    assert row[1].startswith(f"{share}: ")
    assert f" | {share} | " in sheet_of_servers([standing]).markdown()
    assert (plot([standing]).pixels != plot([]).pixels).any()


def test_the_spread_of_throughput_is_in_both_tables(pictures: Path) -> None:
    """The median of the rounds, its range, and each of them in order."""
    standing = Standing("Steady", "at times", "http", _not_again)
    for rate in (90.0, 70.0, 80.0):
        seen = {"rate": rate, "cpu_ms": 20.0, "core_share": 0.1}
        standing.capacity.append((seen, Bare(rate=100.0, median_ms=20.0, cpu_ms=19.0)))
    bench = Bench(pictures, 0.2)
    add_standing(bench, standing)
    (row,) = bench.rows
    assert row.said.startswith("0.80 (0.70 to 0.90): 80.0/s")
    assert row.said.endswith("rounds 0.90, 0.70, 0.80")
    ((_, capacity, *_),) = sheet_of_servers([standing]).lines
    assert capacity == "0.80 (0.70 to 0.90)"


def test_peers_take_part_in_fewer_rounds(pictures: Path) -> None:
    """Their share of the time is better spent on the row that is held against a limit."""
    standings = [Standing(name, "", "http", _not_again) for name in ("ours", "theirs")]
    standings[1].round_step = 3
    for standing in standings:
        standing.service = Service(os.getpid(), 0)
    measured: list[str] = []
    contest = Contest(Bench(pictures, 0.2), standings)
    for number in range(7):
        contest.each("a round", lambda standing, _: measured.append(standing.title), number)
    assert (measured.count("ours"), measured.count("theirs")) == (7, 3)


def _not_again() -> None:
    raise PeerError("was not to be started")
