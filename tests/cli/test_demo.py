"""``smart-capture demo`` as a newcomer runs it: real server, real client, real pictures."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import cv2
import pytest

from capture.cli.exits import ExitCode
from capture.demo.samples import samples_folder
from capture.demo.sheet import WIDTH_PX
from tests.demo.processes import descendants, running

COMMAND = [sys.executable, "-m", "capture", "demo"]


@pytest.fixture(scope="module")
def played(
    tmp_path_factory: pytest.TempPathFactory,
) -> tuple[subprocess.CompletedProcess[str], Path]:
    """The demo, played once, and the folder that it was played in."""
    folder = tmp_path_factory.mktemp("demo")
    done = subprocess.run(COMMAND, cwd=folder, capture_output=True, text=True, timeout=100)
    return done, folder


def test_the_demo_ends_well(played):
    """Every verdict is as expected, and it says so by exit code 0."""
    done, _ = played
    assert done.returncode == ExitCode.DONE, done.stdout + done.stderr
    assert "all 6 verdicts are as expected" in done.stdout


def test_the_guidance_is_printed_as_it_changes(played):
    """The camera moves, settles, and is ready; each with the blur to come and a hint."""
    done, _ = played
    lines = re.findall(r"^ *[\d.]+ s  (\w+) +predicted blur +(\S+) px  (.+)$", done.stdout, re.M)
    states = [state for state, _, _ in lines]
    assert states.index("MOVING") < states.index("SETTLING") < states.index("READY")
    assert states[-1] == "READY"
    assert all(hint for _, _, hint in lines)
    assert float(lines[-1][1]) < max(float(blur) for _, blur, _ in lines if blur != "-")


def test_every_shot_is_printed_with_its_reasons(played):
    """Verdict, reasons with value and limit, labels with their tier, and times."""
    done, _ = played
    verdicts = re.findall(r"^(\w+)\.jpg +(\w+)  after \d+ ms", done.stdout, re.M)
    assert verdicts == [
        ("good", "ACCEPT"),
        ("defocused", "RETAKE"),
        ("shaken", "RETAKE"),
        ("dark", "RETAKE"),
        ("overexposed", "RETAKE"),
        ("flat", "CANNOT_ASSESS"),
    ]
    assert re.search(r"DEFOCUS_BLUR: blur\.probability [\d.]+, limit 0\.50; \w+", done.stdout)
    assert re.search(r"tree frog 0\.\d\d.*tier \w+: \w+", done.stdout)


def test_the_contact_sheet_shows_every_shot(played):
    """The page is a picture of its stated width, in which the shots can be seen."""
    done, folder = played
    sheet = cv2.imread(str(folder / "demo-contact-sheet.png"))
    assert "demo-contact-sheet.png" in done.stdout
    assert sheet is not None
    assert sheet.shape[1] == WIDTH_PX
    assert sheet.std() > 30


def test_a_surprise_is_another_exit_code(tmp_path):
    """When a verdict is not the expected one, the demo says which and ends with 3."""
    folder = tmp_path / "samples"
    shutil.copytree(samples_folder(), folder)
    expected = json.loads((folder / "expected.json").read_text())
    expected["stills"] = expected["stills"][3:4]
    expected["stills"][0]["verdict"] = "ACCEPT"
    (folder / "expected.json").write_text(json.dumps(expected))
    done = subprocess.run(
        [*COMMAND, "--speed", "2", "--samples", folder],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=100,
    )
    assert done.returncode == ExitCode.NOT_AS_EXPECTED
    assert "dark.jpg: RETAKE instead of ACCEPT" in done.stdout


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupted_demo_leaves_no_process_behind(tmp_path, number):
    """Ctrl-C ends the server and its workers too."""
    with subprocess.Popen(
        COMMAND,
        cwd=tmp_path,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        env={**os.environ, "PYTHONUNBUFFERED": "1"},
    ) as demo:
        assert demo.stdout is not None
        assert "server on" in demo.stdout.readline()
        started = descendants(demo.pid)
        demo.send_signal(number)
        assert demo.wait(timeout=30) == 128 + number
    assert len(started) >= 2
    assert running(started) == set()
