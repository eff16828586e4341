"""A module that starts a thread when it is imported, which forbids forking it."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Any

threading.Thread(target=time.sleep, args=(3600,), daemon=True).start()


def build_handler() -> Callable[[Any], Any]:
    return lambda job: job
