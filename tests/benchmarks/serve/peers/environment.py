"""Peers: what they are, an environment for each, and how they are started and ended.

The pins of an environment are the file ``NAME.txt`` beside this module; environments lie in
the user's cache folder and are made once for each content of that file.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from inference.fork_server import _ENVIRONMENT
from inference.network_cache import cache_folder
from tests.benchmarks.serve.load import run_load
from tests.benchmarks.serve.pictures import ROOT
from tests.benchmarks.serve.processes import Service

HERE = Path(__file__).parent
_APPS = "tests.benchmarks.serve.peers"
_INSTALL_TIMEOUT_S = 600.0
_START_TIMEOUT_S = 60.0

Command = Callable[[Path, int, Path], list[str]]
"""From the environment's ``bin``, a port and an empty folder: how the server is started."""


class PeerError(Exception):
    """A peer cannot be installed or does not start; the text says which."""


@dataclass(frozen=True)
class Peer:
    """Another server.

    Attributes
    ----------
    name : str
        Of its pins.
    title, setup : str
        As they stand in the table: package and version, how it is run.
    protocol : str
        What it speaks, see `tests.benchmarks.serve.callers`.
    command : callable
        Starts it.
    """

    name: str
    title: str
    setup: str
    protocol: str
    command: Command


def environment_of(peer: Peer, folder: Path | None = None) -> Path:
    """Return the ``bin`` folder of a peer's environment; make it if it is not there.

    Parameters
    ----------
    peer : Peer
        Whose.
    folder : Path, optional
        Where environments lie; the user's cache folder if not given.

    Raises
    ------
    PeerError
        If it cannot be made.
    """
    base = folder or _default_folder()
    pins = HERE / f"{peer.name}.txt"
    key = hashlib.sha256(pins.read_bytes() + sys.version.encode()).hexdigest()[:12]
    place = base / f"{peer.name}-{key}"
    if not (place / "complete").exists():
        print(f"installing {peer.title} into {place}", file=sys.stderr)
        shutil.rmtree(place, ignore_errors=True)
        python = place / "bin" / "python"
        for command in (
            [sys.executable, "-m", "venv", str(place)],
            [str(python), "-m", "pip", "install", "--quiet", "--no-deps", "-r", str(pins)],
        ):
            try:
                subprocess.run(command, check=True, timeout=_INSTALL_TIMEOUT_S, stdout=sys.stderr)
            except (OSError, subprocess.SubprocessError) as error:
                print(error, file=sys.stderr)
                raise PeerError("could not be installed") from error
        (place / "complete").touch()
    return place / "bin"


def _default_folder() -> Path:
    cache = cache_folder()
    if cache is None:
        raise PeerError("could not be installed: there is no cache folder, give --environments")
    return cache / "bench-environments"


class PeerServer:
    """A peer in processes of its own; ``with`` ends all of them.

    It has the niceness, the allocator and the thread limits of the bare loop.

    Parameters
    ----------
    peer : Peer
        Which.
    binaries : Path
        Of its environment.
    pictures : Path
        What to ask it when it starts.
    folder : Path
        Exists; for its log and settings.
    """

    def __init__(self, peer: Peer, binaries: Path, pictures: Path, folder: Path) -> None:
        self._peer = peer
        self._binaries = binaries
        self._pictures = pictures
        self._folder = folder
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> Service:
        """Start it and wait for an answer.

        Raises
        ------
        PeerError
            If none comes within a minute.
        """
        self.stop()
        port = free_port()
        command = self._peer.command(self._binaries, port, self._folder)
        with (self._folder / "log").open("wb") as log:
            self._process = subprocess.Popen(
                ["nice", "-n", "10", *command],
                stdout=log,
                stderr=log,
                cwd=self._folder,
                env=os.environ | _ENVIRONMENT | {"PYTHONPATH": str(ROOT)},
                start_new_session=True,
            )
        self._wait_for(port)
        return Service(self._process.pid, port)

    def _wait_for(self, port: int) -> None:
        assert self._process is not None
        ends_s = time.monotonic() + _START_TIMEOUT_S
        protocol = self._peer.protocol
        time.sleep(0.5)  # a server that cannot start mostly says so at once
        while self._process.poll() is None and time.monotonic() < ends_s:
            seen = run_load(port, self._pictures, "ready", protocol=protocol, duration_s=5.0)
            if seen["is_ready"]:
                return
        self.stop()
        print((self._folder / "log").read_text(errors="replace")[-2000:], file=sys.stderr)
        raise PeerError("did not start")

    def stop(self) -> None:
        """Kill the process group: what a peer leaves undone is no concern here."""
        if self._process is not None:
            for pid in {self._process.pid, *Service(self._process.pid, 0).pids()}:
                _kill(pid)
            self._process.wait()
            self._process = None

    def __enter__(self) -> PeerServer:
        return self

    def __exit__(self, *exception: object) -> None:
        self.stop()


def _kill(pid: int) -> None:
    for send in (os.killpg, os.kill):
        try:
            send(pid, signal.SIGKILL)
        except (ProcessLookupError, PermissionError):
            continue


def free_port() -> int:
    """Return a port of this machine that nobody listens on."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port: int = listener.getsockname()[1]
        return port


def _mlserver(binaries: Path, port: int, folder: Path) -> list[str]:
    settings = {
        "host": "127.0.0.1",
        "grpc_port": port,
        "http_port": free_port(),
        "metrics_port": free_port(),
        "parallel_workers": 2,
        "debug": False,
    }
    model = {"name": "judge", "implementation": f"{_APPS}.mlserver_app.Judge"}
    (folder / "settings.json").write_text(json.dumps(settings))
    (folder / "model-settings.json").write_text(json.dumps(model))
    return [str(binaries / "mlserver"), "start", "."]


def _mosec(binaries: Path, port: int, _: Path) -> list[str]:
    module = [str(binaries / "python"), "-m", f"{_APPS}.mosec_app"]
    return [*module, "--address", "127.0.0.1", "--port", str(port), "--log-level", "warning"]


def _fastapi(binaries: Path, port: int, _: Path) -> list[str]:
    module = [str(binaries / "python"), "-m", "uvicorn", f"{_APPS}.fastapi_app:app"]
    options = ["--host", "127.0.0.1", "--port", str(port), "--workers", "2"]
    return [*module, *options, "--log-level", "warning"]


PEERS = (
    Peer(
        "mlserver",
        "MLServer 1.7.1",
        "gRPC, Open Inference Protocol, custom runtime, 2 parallel workers",
        "open-inference",
        _mlserver,
    ),
    Peer("mosec", "Mosec 0.9.8", "HTTP, 2 worker processes", "http", _mosec),
    Peer(
        "fastapi",
        "FastAPI 0.165 on uvicorn 0.54",
        "HTTP, 2 workers, one picture at a time in each",
        "http",
        _fastapi,
    ),
)
