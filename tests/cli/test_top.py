"""``smart-capture top``, at a real server."""

from __future__ import annotations

import asyncio
import json
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from threading import Thread
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from capture import __version__
from capture.cli.app import app, run
from capture.client import Client
from capture.server.app import Server
from capture.settings import Settings

SAMPLES = Path(__file__).parents[2] / "samples" / "demo"


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    """A server with one worker that tells its metrics, in a thread of its own."""
    loop = asyncio.new_event_loop()
    thread = Thread(target=loop.run_forever)
    thread.start()

    def in_loop(coroutine: Any) -> None:
        asyncio.run_coroutine_threadsafe(coroutine, loop).result(60)

    server = Server(Settings(classify=False, port=0, metrics_port=0, worker_count=1))
    in_loop(server.start())
    yield server
    in_loop(server.stop(0))
    loop.call_soon_threadsafe(loop.stop)
    thread.join()
    loop.close()


def target_of(server: Server) -> str:
    return f"127.0.0.1:{server.metrics_port}"


def top(*arguments: str) -> Result:
    return CliRunner().invoke(app, ["top", *arguments])


def test_one_look_is_a_page(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    """Headline, workers, answers, latencies."""
    monkeypatch.setenv("COLUMNS", "120")
    with Client(f"127.0.0.1:{server.port}") as client, client.session():
        result = top(target_of(server), "--once", "--interval", "0.1")
    assert result.exit_code == 0, result.output
    words = " ".join(result.output.split())
    assert f"smart-capture {__version__} at {target_of(server)}" in words
    assert "1 session," in words
    assert "workers idle 1" in words
    assert "breaker closed" in words
    assert "latency p50 ms p90 ms p99 ms" in words


def test_as_json_it_is_for_programs(server: Server) -> None:
    """One object on one line, with the rates of the time between two looks."""
    with subprocess.Popen(
        [sys.executable, "-m", "capture", "top", target_of(server), "--json", "--interval", "0.5"],
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        first = json.loads(process.stdout.readline())
        with Client(f"127.0.0.1:{server.port}") as client:
            client.assess_image(SAMPLES / "dark.jpg")
        looks = [first]
        while "RETAKE" not in looks[-1]["answer_rates"]["still"]:
            looks.append(json.loads(process.stdout.readline()))
        process.terminate()
    assert first["worker_counts"] == {"idle": 1, "busy": 0, "starting": 0, "missing": 0}
    assert first["breaker_state"] == "closed"
    assert first["worker_events"]["restarts"] == 0
    assert looks[-1]["latencies"]["still"]["p99_ms"] > 0


def test_a_server_that_is_not_there_is_named(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """One line that says what to look for, and the exit code of wrong use."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    monkeypatch.setattr(sys, "argv", ["smart-capture", "top", f"127.0.0.1:{port}", "--once"])
    with pytest.raises(SystemExit) as end:
        run()
    assert end.value.code == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert f"127.0.0.1:{port}" in line
    assert "--metrics-port" in line


def test_the_port_of_the_service_is_not_taken_for_that_of_metrics(server: Server) -> None:
    """The usual slip: it speaks HTTP/2 only, and its bytes are nothing for a terminal."""
    result = top(f"127.0.0.1:{server.port}", "--once")
    assert isinstance(result.exception, ConnectionError)
    assert "no metrics at" in str(result.exception)
    assert str(result.exception).isprintable()
