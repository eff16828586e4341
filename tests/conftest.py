"""What holds for all tests."""

from __future__ import annotations

import os

# Beside tests that run at the same time, workers that yield to everything would starve.
os.environ.setdefault("SMART_CAPTURE_WORKER_NICENESS", "0")
