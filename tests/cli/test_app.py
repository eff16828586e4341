"""The entry point, before any command runs."""

from __future__ import annotations

import subprocess
import sys


def test_an_interrupt_while_modules_load_is_no_traceback() -> None:
    """Ctrl-C just after Return ends with the shell's code for it, and without a word."""
    early = (
        "import os, signal\n"
        "from capture.__main__ import main\n"
        "signal.signal(signal.SIGVTALRM, lambda *_: os.kill(os.getpid(), signal.SIGINT))\n"
        "signal.setitimer(signal.ITIMER_VIRTUAL, 0.02)\n"
        "main()\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", early, "assess", "none.jpg"],
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert (done.returncode, done.stdout, done.stderr) == (130, "", "")
