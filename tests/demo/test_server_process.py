"""The server that the demo starts, and that is gone when the demo is."""

from __future__ import annotations

from pathlib import Path

import pytest

from capture.client import Client, ServerUnreachableError
from capture.demo.samples import samples_folder
from capture.demo.server_process import server_process
from capture.gates.verdict import Verdict
from tests.demo.processes import descendants, running


def test_it_answers_while_the_block_lasts_and_leaves_nothing_behind():
    """Server and workers are there inside the block, and gone after it."""
    before = descendants()
    with server_process() as target, Client(target) as client:
        started = descendants() - before
        assessment = client.assess_image(Path(samples_folder() / "dark.jpg"))
        assert assessment.verdict is Verdict.RETAKE
        assert len(started) >= 2
    assert running(started) == set()


def test_it_is_gone_after_an_exception_too():
    """However the block is left, no process stays."""
    before, started = descendants(), set[int]()

    def interrupted() -> None:
        with server_process():
            started.update(descendants() - before)
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert started
    assert running(started) == set()


def test_a_server_that_cannot_start_says_why(monkeypatch):
    """What it said on its way out is in the error."""
    monkeypatch.setenv("SMART_CAPTURE_JOB_TIMEOUT_S", "-1")
    with pytest.raises(ServerUnreachableError, match="job_timeout_s"), server_process():
        pass
