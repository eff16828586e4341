"""Other people's programs over the same photos, each in an environment of its own.

Environments are made once, with pinned versions, in the user's cache folder; what cannot be
installed or does not run is a reason in words, not the end of the benchmark.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

from tests.benchmarks.archive_pace import NICENESS, Pace

HERE = Path(__file__).parent / "peers"
CACHE = Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache")) / "smart-capture-benchmarks"
VERSIONS = {"cleanvision": "0.3.7", "fastdup": "2.54"}
INSTALL_TIMEOUT_S, RUN_TIMEOUT_S = 900, 1200


class PeerUnavailableError(Exception):
    """A peer that cannot be installed or run; the text says why."""


def python_of(peer: str) -> Path:
    """Return the interpreter of a peer's environment, made if need be.

    Raises
    ------
    PeerUnavailableError
        If it cannot be made.
    """
    requirements = HERE / f"{peer}.txt"
    folder = CACHE / f"{peer}-{VERSIONS[peer]}"
    python, ready = folder / "bin" / "python", folder / "installed.txt"
    if not ready.is_file() or ready.read_bytes() != requirements.read_bytes():
        _run([sys.executable, "-m", "venv", "--clear", str(folder)], INSTALL_TIMEOUT_S)
        install = ("-m", "pip", "--disable-pip-version-check", "install", "--quiet")
        pinned = ("--only-binary", ":all:", "--no-deps", "--requirement", str(requirements))
        _run([str(python), *install, *pinned], INSTALL_TIMEOUT_S)
        ready.write_bytes(requirements.read_bytes())
    return python


def pace_of_peer(peer: str, photos: Path) -> Pace:
    """Measure a peer over a folder; the start of its interpreter is left out.

    Raises
    ------
    PeerUnavailableError
        If it cannot be installed, fails, or passes photos over.
    """
    script = str(HERE / f"{peer}_run.py")
    printed = _run(
        ["nice", "-n", str(NICENESS), str(python_of(peer)), script, str(photos)], RUN_TIMEOUT_S
    )
    count, duration_s, cpu_s = json.loads(printed.splitlines()[-1])
    expected = sum(1 for _ in photos.iterdir())
    if count != expected:
        raise PeerUnavailableError(f"answered for {count} of {expected} photos")
    return Pace(count / duration_s, 1e3 * cpu_s / count)


def _run(command: list[str], timeout_s: float) -> str:
    environment = os.environ | {"SENTRY_OPT_OUT": "1"}  # fastdup reports home otherwise
    try:
        done = subprocess.run(
            command, capture_output=True, text=True, timeout=timeout_s, env=environment, check=False
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise PeerUnavailableError(str(error)) from error
    if done.returncode != 0:
        said = done.stderr.strip().splitlines() or [f"ended with {done.returncode}"]
        raise PeerUnavailableError(said[-1])
    return done.stdout
