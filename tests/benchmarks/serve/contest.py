"""The same load on every server in turn, each measurement between two of the bare loop."""

from __future__ import annotations

import os
import signal
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from tests.benchmarks.serve.bare import Bare
from tests.benchmarks.serve.bench import DEADLINE_S, JOB_TIMEOUT_S, Bench
from tests.benchmarks.serve.load import RUN_IN_S, LoadError, Seen, result_of, start_load
from tests.benchmarks.serve.peers.environment import PeerError
from tests.benchmarks.serve.processes import Service

FACTORS = (0.5, 1.0, 2.0, 5.0, 10.0)
"""Offered load, in capacities of the bare loop."""

ROUND_COUNT = 7
"""Of throughput: a machine that is not one's own makes a round swing by a tenth."""

PEERS_ROUND_STEP = 3
"""Peers take part in every third, so that theirs lie in the same stretch of time."""

SETTLE_TIMEOUT_S = 3.0
"""How long a server may go on for callers who have left, before it is started anew."""


@dataclass
class Standing:
    """A server, and how it did.

    Attributes
    ----------
    title, setup, protocol : str
        See `tests.benchmarks.serve.peers.environment.Peer`.
    start : callable
        Starts the server anew; raises `PeerError`.
    round_step : int
        It takes part in every such round of throughput.
    service : Service or None
        None when it does not run.
    remark : str
        Why not.
    capacity : list
        What four clients saw, and the bare loop beside it.
    goodput : dict
        The same by offered load, in capacities of the bare loop.
    health, killed : dict or None
        What was seen of health checks, and when a worker was killed.
    pss_mb : float or None
        Memory of all its processes after the first load.
    unsettled : list of float
        Offered loads after which it was still at work for callers who had left.
    """

    title: str
    setup: str
    protocol: str
    start: Callable[[], Service]
    round_step: int = 1
    service: Service | None = None
    remark: str = ""
    capacity: list[tuple[Seen, Bare]] = field(default_factory=list)
    goodput: dict[float, tuple[Seen, Bare]] = field(default_factory=dict)
    health: Seen | None = None
    killed: Seen | None = None
    pss_mb: float | None = None
    unsettled: list[float] = field(default_factory=list)

    @property
    def capacity_ratios(self) -> list[float]:
        """Capacity over that of the bare loop, by round."""
        return [seen["rate"] / bare.rate for seen, bare in self.capacity]

    @property
    def capacity_ratio(self) -> float:
        """The median of the rounds."""
        return statistics.median(self.capacity_ratios)

    def run(self) -> bool:
        """See to it that it runs; False when it cannot."""
        if self.service is None and not self.remark:
            try:
                self.service = self.start()
            except PeerError as error:
                self.remark = str(error)
        return self.service is not None


class Contest:
    """Measures servers in turns.

    Parameters
    ----------
    bench : Bench
        Measures the bare loop.
    standings : list of Standing
        Who takes part.
    """

    def __init__(self, bench: Bench, standings: list[Standing]) -> None:
        self._bench = bench
        self._standings = standings

    def each(
        self, name: str, measure: Callable[[Standing, Service], None], round_number: int = 0
    ) -> None:
        """Take one measurement of every server that runs, and takes part in this round."""
        for standing in self._standings:
            if round_number % standing.round_step == 0 and standing.run():
                assert standing.service is not None
                print(f"{name}: {standing.title}", file=sys.stderr)
                try:
                    measure(standing, standing.service)
                except LoadError:
                    standing.service, standing.remark = None, f"could not be measured: {name}"

    def capacity(self) -> None:
        """Four clients, each with one call open."""

        def measure(standing: Standing, service: Service) -> None:
            def load(_: float) -> Seen:
                cpu_s = service.cpu_s()
                seen = self._bench.load(
                    service, "closed", protocol=standing.protocol, client_count=4
                )
                cpu_ms = 1e3 * (service.cpu_s() - cpu_s) / max(1, seen["count"])
                return seen | {"cpu_ms": cpu_ms}

            standing.capacity.append(self._bench.between(load, bare_s=self._bench.duration_s))
            standing.pss_mb = standing.pss_mb or service.pss_mb()

        for number in range(ROUND_COUNT):
            self.each(f"capacity, round {number + 1}", measure, number)

    def goodput(self, factor: float) -> None:
        """Open load; callers leave at their deadline, and what comes later does not count."""

        def measure(standing: Standing, service: Service) -> None:
            def load(rate: float) -> Seen:
                cpu_s = service.front_cpu_s()
                seen = self._bench.load(
                    service,
                    "open",
                    protocol=standing.protocol,
                    rate=factor * rate,
                    timeout_s=DEADLINE_S,
                )
                taken_s = service.front_cpu_s() - cpu_s
                front_share = taken_s / (self._bench.duration_s + RUN_IN_S)
                # Nobody waits any more: what it still does is not the bare loop's to pay.
                if not _settles(service):
                    standing.unsettled.append(factor)
                    standing.service = None
                    standing.run()
                return seen | {"front_share": front_share}

            standing.goodput[factor] = self._bench.between(load)

        self.each(f"goodput at {factor:g} x capacity", measure)

    def health(self) -> None:
        """Health checks while 16 clients saturate the server."""
        duration_s = self._bench.duration_s

        def measure(standing: Standing, service: Service) -> None:
            saturation = start_load(
                service.port,
                self._bench.pictures,
                "closed",
                protocol=standing.protocol,
                duration_s=duration_s + 2,
                client_count=16,
            )
            time.sleep(1.5)
            standing.health = self._bench.load(service, "health", protocol=standing.protocol)
            result_of(saturation)

        self.each("health", measure)

    def kill(self) -> None:
        """Kill the busiest worker while four clients call."""

        def measure(standing: Standing, service: Service) -> None:
            load, _ = hurt(self._bench, standing, service, signal.SIGKILL)
            standing.killed = result_of(load)

        self.each("kill -9", measure)


def hurt(
    bench: Bench, standing: Standing, service: Service, number: signal.Signals
) -> tuple[subprocess.Popen[bytes], int]:
    """Send a signal to the busiest worker while four clients call; return the load and whom."""
    load = start_load(
        service.port,
        bench.pictures,
        "closed",
        protocol=standing.protocol,
        duration_s=bench.duration_s + JOB_TIMEOUT_S,
        client_count=4,
    )
    time.sleep(1.0 + bench.duration_s / 3)
    pid = _busiest(service)
    os.kill(pid, number)
    return load, pid


def _busiest(service: Service) -> int:
    before = service.cpu_s_by_pid()
    time.sleep(0.5)
    after = service.cpu_s_by_pid()
    workers = set(after) - {service.pid}
    return max(workers, key=lambda pid: after[pid] - before.get(pid, 0.0))


def _settles(service: Service) -> bool:
    """Wait until a server is idle; False when it still works after some seconds."""
    ends_s = time.monotonic() + SETTLE_TIMEOUT_S
    while time.monotonic() < ends_s:
        cpu_s = service.cpu_s()
        time.sleep(0.3)
        if service.cpu_s() - cpu_s < 0.05:
            return True
    return False
