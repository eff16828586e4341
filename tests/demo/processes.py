"""Which processes descend from this one: what a demo must not leave behind."""

from __future__ import annotations

import os
import subprocess


def descendants(of: int | None = None) -> set[int]:
    """Return the ids of all processes below one; below this one if none is given."""
    children: dict[int, set[int]] = {}
    listing = subprocess.run(
        ["ps", "-e", "-o", "pid=,ppid="], capture_output=True, text=True, check=True
    )
    for line in listing.stdout.splitlines():
        pid, parent = map(int, line.split())
        children.setdefault(parent, set()).add(pid)
    found: set[int] = set()
    new = children.get(os.getpid() if of is None else of, set())
    while new:
        found |= new
        new = {child for pid in new for child in children.get(pid, set())} - found
    return found


def running(pids: set[int]) -> set[int]:
    """Return those that are still there, zombies not counted."""
    listing = subprocess.run(
        ["ps", "-e", "-o", "pid=,stat="], capture_output=True, text=True, check=True
    )
    alive = {
        int(pid)
        for pid, state in (line.split() for line in listing.stdout.splitlines())
        if not state.startswith("Z")
    }
    return pids & alive
