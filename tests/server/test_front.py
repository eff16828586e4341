"""What the front process is, apart from what it serves."""

from __future__ import annotations

import subprocess
import sys


def test_the_front_loads_no_network_runtime() -> None:
    """It names models and opens none: ONNX Runtime is for the workers to carry."""
    script = "import sys, capture.server.program; print('onnxruntime' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert done.stdout == "False\n", done.stderr


def test_an_interrupt_while_it_loads_is_no_traceback() -> None:
    """Ctrl-C before there is anything to drain ends it with the shell's code for that."""
    early = (
        "import os, signal\n"
        "from capture.server.__main__ import main\n"
        "signal.signal(signal.SIGVTALRM, lambda *_: os.kill(os.getpid(), signal.SIGINT))\n"
        "signal.setitimer(signal.ITIMER_VIRTUAL, 0.02)\n"
        "main()\n"
    )
    done = subprocess.run([sys.executable, "-c", early], capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stdout, done.stderr) == (130, "", "")
