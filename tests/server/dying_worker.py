"""A worker that no job survives; real processes import this module."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from typing import NoReturn


def build_dying_worker() -> Callable[[object], NoReturn]:
    """Return a handler that ends its process, as a defect of a decoder would."""

    def die(_job: object) -> NoReturn:
        os.kill(os.getpid(), signal.SIGKILL)
        raise AssertionError

    return die
