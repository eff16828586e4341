"""Structured logs on stderr: for people on a terminal, JSON lines elsewhere.

What a call causes is logged with its request id, the one that its caller finds in the
trailing metadata.
"""

from __future__ import annotations

import logging
import sys
from contextlib import suppress
from contextvars import ContextVar
from typing import TextIO, cast

import grpc.aio
import structlog
from structlog.typing import EventDict, Processor, WrappedLogger

request_id: ContextVar[str] = ContextVar("request_id", default="")
"""The call that the current task works for; the tasks it starts inherit it."""

trace_id: ContextVar[str] = ContextVar("trace_id", default="")
"""The trace it is part of, where calls are traced."""


def configure_log(level: str) -> None:
    """Log from `level` on: debug, info, warning or error.

    At debug there is a line for every still and every refusal.
    """
    # Without local variables: they would write pictures into the log.
    if sys.stderr.isatty():
        finish: list[Processor] = [
            structlog.dev.ConsoleRenderer(exception_formatter=structlog.dev.plain_traceback)
        ]
    else:
        transform = structlog.tracebacks.ExceptionDictTransformer(show_locals=False)
        finish = [
            structlog.processors.ExceptionRenderer(transform),
            structlog.processors.JSONRenderer(),
        ]
    start: list[Processor] = [
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    structlog.configure(
        processors=[_add_ids, *start, *finish],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=structlog.PrintLoggerFactory(cast(TextIO, _Unfailing(sys.stderr))),
        cache_logger_on_first_use=True,
    )
    # Libraries log as they do. They have no request id: a lane serves whoever comes, and the
    # task that hands a job over is not always the one that asked for it.
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[structlog.stdlib.add_logger_name, *start],
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *finish],
        )
    )
    handler.addFilter(_is_not_of_one_who_left)
    logging.basicConfig(level=max(logging.INFO, _number_of(level)), handlers=[handler], force=True)


class _Unfailing:
    """Drops what cannot be written: a terminal that was closed, or a reader that has gone.

    The libraries' handlers do so; a call must not fail because nobody reads of it.
    """

    def __init__(self, file: TextIO) -> None:
        self._file = file

    def write(self, text: str) -> None:
        with suppress(OSError):
            self._file.write(text)

    def flush(self) -> None:
        with suppress(OSError):
            self._file.flush()


def _is_not_of_one_who_left(record: logging.LogRecord) -> bool:
    """Drop what gRPC tells, with forty lines of trace, of an answer that nobody waited for."""
    error = record.exc_info[1] if record.exc_info else None
    return not (record.name.startswith("grpc.") and isinstance(error, grpc.aio.InternalError))


def _number_of(level: str) -> int:
    return logging.getLevelNamesMapping()[level.upper()]


def _add_ids(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    for variable in (request_id, trace_id):
        if value := variable.get():
            event[variable.name] = value
    return event
