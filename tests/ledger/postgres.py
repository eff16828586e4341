"""A real PostgreSQL server for tests: its own folder, its own socket, gone afterwards."""

from __future__ import annotations

import os
import pwd
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

SERVICE_USER = "postgres"
START_S = 60.0


def programs() -> Path | None:
    """The folder of initdb and postgres, which Debian keeps out of the path."""
    if found := shutil.which("initdb"):
        return Path(found).resolve().parent
    return max(Path("/usr/lib/postgresql").glob("*/bin"), default=None)


def unavailable(why: str) -> None:
    """Skip, unless whoever set the machine up says that there is a server."""
    if os.environ.get("SMART_CAPTURE_POSTGRESQL") == "required":
        pytest.fail(why)
    pytest.skip(why)


class PostgresServer:
    """A server that listens on a socket only, and ends with the process that started it."""

    def __init__(self, programs: Path, place: Path) -> None:
        self._programs = programs
        self._place = place
        self._user = SERVICE_USER if os.geteuid() == 0 else None  # it refuses to run as root
        self._process: subprocess.Popen[bytes] | None = None
        self.url = f"postgresql://tester@/postgres?host={place}"

    def create(self) -> None:
        """Make the files of an empty database."""
        if self._user:
            shutil.chown(self._place, self._user)
        words = ("-A", "trust", "-U", "tester", "-E", "UTF8", "--locale=C", "--no-sync")
        subprocess.run(
            [self._programs / "initdb", "-D", "data", *words],
            check=True,
            stdout=subprocess.DEVNULL,
            cwd=self._place,
            **self._identity(),
        )

    def start(self) -> None:
        """Start it and wait until it lets somebody in."""
        words = ["-D", "data", "-k", str(self._place), "-c", "listen_addresses=", "-c", "fsync=off"]
        # Even when the tests are killed, no server stays behind.
        if setpriv := shutil.which("setpriv"):
            bound = [setpriv, "--pdeathsig", "QUIT", "--"]
        else:
            bound = []
        with (self._place / "log").open("ab") as log:
            self._process = subprocess.Popen(
                [*bound, self._programs / "postgres", *words],
                stdout=log,
                stderr=log,
                cwd=self._place,
                **self._identity(),
            )
        ends_at = time.monotonic() + START_S
        ready = [self._programs / "pg_isready", "-q", "-h", self._place]
        while subprocess.run(ready, check=False).returncode:
            assert self._process.poll() is None, (self._place / "log").read_text()
            assert time.monotonic() < ends_at
            time.sleep(0.05)

    def stop(self) -> None:
        """End it at once, as a crash would: nothing is said to those connected."""
        if self._process is not None:
            self._process.send_signal(signal.SIGQUIT)
            self._process.wait()
            self._process = None

    def _identity(self) -> dict[str, object]:
        if self._user is None:
            return {}
        group = pwd.getpwnam(self._user).pw_gid
        return {"user": self._user, "group": group, "extra_groups": []}


@contextmanager
def postgres_server() -> Iterator[PostgresServer]:
    """Start a server with an empty database."""
    folder = programs()
    if folder is None:
        unavailable("needs a PostgreSQL server (Debian: apt-get install postgresql)")
    # The path of a socket is short by law: not below pytest's folders.
    with tempfile.TemporaryDirectory(prefix="sc-pg-") as place:
        server = PostgresServer(folder, Path(place))
        server.create()
        try:
            server.start()
            yield server
        finally:
            server.stop()
