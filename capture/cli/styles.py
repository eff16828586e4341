"""Colours of verdicts and states in a terminal."""

from __future__ import annotations

from capture.gates.stability import StabilityState

VERDICT_STYLES = {"ACCEPT": "bold green", "RETAKE": "bold red", "CANNOT_ASSESS": "bold yellow"}

STATE_STYLES = {
    StabilityState.UNKNOWN: "dim",
    StabilityState.MOVING: "red",
    StabilityState.SETTLING: "yellow",
    StabilityState.STEADY: "blue",
    StabilityState.READY: "bold green",
}
