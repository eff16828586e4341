"""The README: its commands run, its programs run, its output is what is printed."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from capture.demo.server_process import server_process

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")
ENVIRONMENT = os.environ | {
    "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
    "COLUMNS": "100",
}


def blocks(language: str) -> list[str]:
    fenced = re.findall(r"^```(\w*)\n(.*?)^```$", README, flags=re.MULTILINE | re.DOTALL)
    return [block for its_language, block in fenced if its_language == language]


def commands() -> list[str]:
    lines = "".join(blocks("console")).splitlines()
    return [line.removeprefix("$ ") for line in lines if line.startswith("$ smart-capture")]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder that looks like the repository to a command, and may be written to."""
    (tmp_path / "samples").symlink_to(ROOT / "samples")
    return tmp_path


def run(command: str, folder: Path) -> str:
    done = subprocess.run(
        command, shell=True, cwd=folder, env=ENVIRONMENT, capture_output=True, text=True
    )
    assert done.returncode == 0, f"{command}\n{done.stdout}{done.stderr}"
    return done.stdout


def test_every_command_of_the_readme_works(folder: Path) -> None:
    """In the order in which they stand; the server and the demo have tests of their own."""
    shown = [line for line in commands() if " serve" not in line]
    assert len(shown) >= 4
    for command in shown:
        run(command, folder)
    assert (folder / "report.html").stat().st_size > 10_000
    assert (folder / "run.csv").read_text().count("\n") > 6


def test_the_output_shown_is_the_output_printed(folder: Path) -> None:
    """Word by word; digits may differ in the last place on another CPU."""

    def words(text: str) -> list[str]:
        return re.sub(r"[\d.]+", "#", text).split()

    (shown,) = (block for block in blocks("") if "verdict" in block)
    printed = run(next(line for line in commands() if " assess " in line), folder)
    assert words(shown) == words(printed)


def test_the_program_without_a_server_runs(folder: Path) -> None:
    """The library is three imports away."""
    (program,) = (block for block in blocks("python") if "assess_image(photo" in block)
    assert run_program(program, folder).startswith("ACCEPT")


def test_the_program_with_a_server_runs(folder: Path) -> None:
    """A call and a camera session, as they stand there."""
    (program,) = (block for block in blocks("python") if "Client" in block)
    with server_process() as target:
        printed = run_program(program.replace("localhost:50051", target), folder)
    assert printed.splitlines() == ["RETAKE", "shoot now ACCEPT"]


def run_program(program: str, folder: Path) -> str:
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=folder, capture_output=True, text=True, timeout=100
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_every_link_leads_somewhere() -> None:
    """No page of the project points at a file that is not there."""
    folders = ("capture", "inference", "samples", "tests")
    pages = [
        *ROOT.glob("*.md"),
        *(page for name in folders for page in ROOT.glob(f"{name}/**/*.md")),
    ]
    for page in pages:
        if "node_modules" in page.parts:
            continue
        for link in re.findall(r"\]\(([^)#:]+)\)", page.read_text(encoding="utf-8")):
            assert (page.parent / link).exists(), f"{page.name}: {link}"
