"""A whole session from Node.js, straight from the .proto."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from pathlib import Path

import pytest

from capture.demo.samples import load_samples

NODE_CLIENT = Path(__file__).parents[2] / "samples" / "clients" / "node"


@pytest.fixture(scope="module")
def modules(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What the client's package.json asks for, installed."""
    npm = shutil.which("npm")
    if npm is None or shutil.which("node") is None:
        pytest.skip("NO NODE.JS: the session from Node.js was not tried")
    folder = tmp_path_factory.mktemp("node")
    shutil.copy(NODE_CLIENT / "package.json", folder)
    quiet = ["--no-audit", "--no-fund", "--no-package-lock", "--loglevel=error"]
    done = subprocess.run(
        [npm, "install", *quiet], cwd=folder, capture_output=True, text=True, timeout=100
    )
    if done.returncode != 0:
        pytest.skip(f"NPM COULD NOT INSTALL, Node.js was not tried: {done.stderr[-300:]}")
    return folder / "node_modules"


def test_a_session_from_node_is_guided_and_judged(target, modules):
    """Guidance comes until READY, then every shot has the verdict that is expected."""
    done = subprocess.run(
        ["node", NODE_CLIENT / "session.js", target],
        env={**os.environ, "NODE_PATH": str(modules)},
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    said = [json.loads(line) for line in done.stdout.splitlines()]
    assert said[0]["started"]["profile"] == "default"
    states = [one["stability"]["state"] for one in said if "stability" in one]
    assert states[-1] == "STABILITY_STATE_READY"
    verdicts = [one["still"]["assessment"]["verdict"] for one in said if "still" in one]
    assert verdicts == [f"VERDICT_{still.verdict}" for still in load_samples().stills]


def test_a_server_that_is_not_there_is_said(modules):
    """The client ends with its reason, not with a trace."""
    done = subprocess.run(
        ["node", NODE_CLIENT / "session.js", "localhost:1"],
        env={**os.environ, "NODE_PATH": str(modules)},
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 2
    assert done.stderr.startswith("session.js: 14 UNAVAILABLE")
