"""Colours of verdicts and states in a terminal."""

from __future__ import annotations

from rich.markup import escape

from capture.gates.stability import StabilityState

VERDICT_STYLES = {"ACCEPT": "bold green", "RETAKE": "bold red", "CANNOT_ASSESS": "bold yellow"}

STATE_STYLES = {
    StabilityState.UNKNOWN: "dim",
    StabilityState.MOVING: "red",
    StabilityState.SETTLING: "yellow",
    StabilityState.STEADY: "blue",
    StabilityState.READY: "bold green",
}


def as_it_is(text: str) -> str:
    """Return text of somebody else's, a file's name for one, for rich to print.

    Neither markup nor control characters in it do anything: they are shown.
    """
    shown = (
        sign if sign.isprintable() else sign.encode("unicode_escape").decode() for sign in text
    )
    return escape("".join(shown))
