"""What the front process is, apart from what it serves."""

from __future__ import annotations

import subprocess
import sys


def test_the_front_loads_no_network_runtime() -> None:
    """It names models and opens none: ONNX Runtime is for the workers to carry."""
    script = "import sys, capture.server.__main__; print('onnxruntime' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert done.stdout == "False\n", done.stderr
