"""Places that are filled before a pool has them: at its start, and beside those it has."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from dataclasses import replace

from inference.errors import WorkerStartError
from inference.fork_server import ForkServer
from inference.lane_place import MAX_FAILED_STARTS, Place, PlaceEvents


async def filled_places(count: int, fork_server: ForkServer, events: PlaceEvents) -> list[Place]:
    """Fill places, one after the other, and return them once all are ready.

    Parameters
    ----------
    count : int
        How many.
    fork_server : ForkServer
        Where their workers come from.
    events : PlaceEvents
        What to do when something happens there, from the beginning.

    Raises
    ------
    WorkerStartError
        A worker did not come up, several times in a row; none of them is left.
    """
    ready: list[Place] = []
    try:
        for _ in range(count):
            place = await _filled_place(fork_server, events)
            ready.append(place)
    except BaseException:
        abandon(ready, fork_server)
        raise
    return ready


def abandon(places: Iterable[Place], fork_server: ForkServer) -> None:
    """End workers that are not wanted after all, and where they came from."""
    for place in places:
        place.close()
    fork_server.kill()


async def _filled_place(fork_server: ForkServer, events: PlaceEvents) -> Place:
    has_begun = asyncio.get_running_loop().create_future()

    def on_ready() -> None:
        if not has_begun.done():
            has_begun.set_result(None)
        events.on_ready()

    def on_failed_start(place: Place) -> None:
        if not has_begun.done() and place.failed_start_count >= MAX_FAILED_STARTS:
            has_begun.set_exception(WorkerStartError(place.start_failure))
        events.on_failed_start(place)

    place = Place(fork_server, replace(events, on_ready=on_ready, on_failed_start=on_failed_start))
    place.fill()
    try:
        await has_begun
    except BaseException:
        place.close()
        raise
    return place
