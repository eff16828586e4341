"""Measure the service and its peers against the bare loop, in turns.

``python -m tests.benchmarks.serve`` takes every measurement, prints two tables and writes
them to ``results/`` with a picture; with names of parts it takes and prints those alone.
"""

from __future__ import annotations

import argparse
import os
import signal
import sys
import tempfile
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from pathlib import Path

from rich.console import Console

from tests.benchmarks.serve import own
from tests.benchmarks.serve.bench import CORE_COUNT, JOB_TIMEOUT_S, Bench
from tests.benchmarks.serve.contest import FACTORS, PEERS_ROUND_STEP, Contest, Standing
from tests.benchmarks.serve.echo import ceilings
from tests.benchmarks.serve.growth import growth
from tests.benchmarks.serve.peers.environment import (
    PEERS,
    Peer,
    PeerError,
    PeerServer,
    environment_of,
)
from tests.benchmarks.serve.pictures import make_pictures
from tests.benchmarks.serve.plot import plot
from tests.benchmarks.serve.processes import Service, service
from tests.benchmarks.serve.report import (
    add_standing,
    page,
    said_before,
    said_of_generator,
    sheet_of_servers,
    sheet_of_service,
)

RESULTS = Path(__file__).parents[1] / "results"
CONTEST = ("throughput", "goodput", "health", "kill")
OWN = ("cost", "latency", "stop", "cameras", "fairness", "growth", "restart")


def main() -> None:
    """Measure what is asked for, everything by default."""
    arguments = _arguments()
    # What is started here is ended by ``with``, also when this is told to end.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    parts = arguments.parts or (*CONTEST, *OWN)
    with tempfile.TemporaryDirectory() as name, ExitStack() as stack:
        path = Path(name) / "pictures"
        pictures = make_pictures()
        pictures.save(path)
        bench = Bench(path, arguments.duration_s)
        preamble = said_before(pictures.accepted, bench, os.getloadavg()[0])
        ours = Standing("Smart Capture", "gRPC, 2 workers", "capture", _starter(stack))
        standings = [ours]
        if set(parts) & set(CONTEST):
            standings += [
                _standing_of(peer, stack, path, arguments.environments)
                for peer in _chosen(arguments.peers)
            ]
            contest(Contest(bench, standings), parts)
            add_standing(bench, ours)
        if ours.run():
            alone(bench, ours, parts, arguments.growth_requests)
        most = said_of_generator(*ceilings(path))
    sheets = sheet_of_service(bench.rows), sheet_of_servers(standings)
    console = Console(width=200)
    for text in (preamble, sheets[0].printed(), sheets[1].printed(), most):
        console.print(text)
    if not arguments.parts:
        arguments.output.mkdir(parents=True, exist_ok=True)
        (arguments.output / "serve.md").write_text(page(preamble, *sheets, most))
        plot(standings).save(arguments.output / "serve.png")


def contest(measures: Contest, parts: Sequence[str]) -> None:
    """Take the measurements in which every server takes part."""
    if "throughput" in parts:
        measures.capacity()
    if "goodput" in parts:
        for factor in FACTORS:
            measures.goodput(factor)
    if "health" in parts:
        measures.health()
    if "kill" in parts:
        measures.kill()


def alone(bench: Bench, ours: Standing, parts: Sequence[str], growth_requests: int) -> None:
    """Take the measurements of the service alone."""
    under_test = ours.service
    assert under_test is not None
    if "cost" in parts:
        own.refused_cost(bench, under_test)
    if "latency" in parts:
        own.added_latency(bench, under_test)
    if "stop" in parts:
        own.stopped_worker(bench, ours, under_test)
    if "cameras" in parts:
        own.cameras(bench, under_test)
    if "fairness" in parts:
        own.fairness(bench, under_test)
    if "growth" in parts:
        growth(bench, under_test, growth_requests)
    if "restart" in parts:
        own.rolling_restart(bench)


def _starter(stack: ExitStack) -> Callable[[], Service]:
    running = stack.enter_context(ExitStack())

    def start() -> Service:
        running.close()
        limit_s = str(JOB_TIMEOUT_S)
        return running.enter_context(service(CORE_COUNT, SMART_CAPTURE_JOB_TIMEOUT_S=limit_s))

    return start


def _standing_of(
    peer: Peer, stack: ExitStack, pictures: Path, environments: Path | None
) -> Standing:
    standing = Standing(peer.title, peer.setup, peer.protocol, _never, PEERS_ROUND_STEP)
    try:
        binaries = environment_of(peer, environments)
    except PeerError as error:
        standing.remark = str(error)
    else:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        standing.start = stack.enter_context(PeerServer(peer, binaries, pictures, folder)).start
    return standing


def _never() -> Service:
    raise PeerError("is not installed")


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="bench-serve", description=__doc__)
    parser.add_argument("parts", nargs="*", help=f"any of {', '.join((*CONTEST, *OWN))}")
    parser.add_argument("--duration-s", type=float, default=4.0, help="of each measurement")
    parser.add_argument(
        "--peers", default="all", help=f"all, none, or some of {_names()}, by commas"
    )
    parser.add_argument("--environments", type=Path, help="folder for those of the peers")
    parser.add_argument(
        "--growth-requests", type=int, default=20_000, help="more of them show slower growth"
    )
    parser.add_argument("--output", type=Path, default=RESULTS)
    arguments = parser.parse_args()
    if unknown := set(arguments.parts) - {*CONTEST, *OWN}:
        parser.error(f"no such part: {', '.join(sorted(unknown))}")
    if unknown := _asked(arguments.peers) - {"all", "none", *(peer.name for peer in PEERS)}:
        parser.error(f"no such peer: {', '.join(sorted(unknown))}")
    return arguments


def _names() -> str:
    return ", ".join(peer.name for peer in PEERS)


def _asked(text: str) -> set[str]:
    return set(text.split(","))


def _chosen(text: str) -> list[Peer]:
    return [peer for peer in PEERS if {peer.name, "all"} & _asked(text)]


if __name__ == "__main__":
    main()
