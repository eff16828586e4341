"""Generate ``capture/v1`` from ``proto/``; the test of the wire compares with it."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parent.parent


def generate(folder: Path) -> None:
    """Write the generated modules below `folder`, as ``capture/v1/*``."""
    environment = os.environ | {"PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"}
    sources = sorted(str(file) for file in (ROOT / "proto").rglob("*.proto"))
    outputs = [f"--{kind}_out={folder}" for kind in ("python", "grpc_python")]
    stubs = [f"--{kind}_out=quiet:{folder}" for kind in ("mypy", "mypy_grpc")]
    protoc = [sys.executable, "-m", "grpc_tools.protoc", f"-I{ROOT / 'proto'}"]
    subprocess.run([*protoc, *outputs, *stubs, *sources], check=True, env=environment)


if __name__ == "__main__":
    generate(ROOT)
