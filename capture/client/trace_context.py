"""The trace that a call is part of, where the program around this client keeps one."""

from __future__ import annotations

import sys
from typing import TypeAlias

Metadata: TypeAlias = tuple[tuple[str, str], ...]


def trace_metadata() -> Metadata:
    """Return the current span of OpenTelemetry as metadata; nothing where there is none.

    OpenTelemetry is never imported for its own sake: a program that has not done so has no
    current span.

    References
    ----------
    W3C Trace Context, https://www.w3.org/TR/trace-context/: ``traceparent``, ``tracestate``.
    """
    if "opentelemetry.trace" not in sys.modules:
        return ()
    from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

    carrier: dict[str, str] = {}
    TraceContextTextMapPropagator().inject(carrier)
    return tuple(carrier.items())
