"""A real PostgreSQL server for tests: its own folder, its own socket, gone afterwards."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

SERVICE_USER = "postgres"


def programs() -> Path | None:
    """The folder of initdb and pg_ctl, which Debian keeps out of the path."""
    if found := shutil.which("initdb"):
        return Path(found).parent
    return max(Path("/usr/lib/postgresql").glob("*/bin"), default=None)


@contextmanager
def postgres_server() -> Iterator[str]:
    """Start a server that listens on a socket only; yields the URL of an empty database."""
    folder = programs()
    if folder is None:
        pytest.skip("needs a PostgreSQL server (Debian: apt-get install postgresql)")
    # The path of a socket is short by law: not below pytest's folders.
    with tempfile.TemporaryDirectory(prefix="sc-pg-") as place:
        as_user: list[str] = []
        if os.geteuid() == 0:  # the server refuses to run as root
            if shutil.which("runuser") is None:
                pytest.skip("needs runuser, to start PostgreSQL from root")
            shutil.chown(place, SERVICE_USER)
            as_user = ["runuser", "-u", SERVICE_USER, "--"]

        def call(program: str, *words: str) -> None:
            subprocess.run(
                [*as_user, str(folder / program), *words],
                check=True,
                stdout=subprocess.DEVNULL,
                cwd=place,
            )

        data = f"{place}/data"
        call("initdb", "-D", data, "-A", "trust", "-U", "tester", "-E", "UTF8", "--no-sync")
        options = f"-c listen_addresses='' -k {place} -c fsync=off"
        call("pg_ctl", "-D", data, "-w", "-l", f"{place}/log", "-o", options, "start")
        try:
            yield f"postgresql://tester@/postgres?host={place}"
        finally:
            call("pg_ctl", "-D", data, "-w", "-m", "immediate", "stop")
