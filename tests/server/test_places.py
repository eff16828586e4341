"""How much each caller may hold open at once."""

from __future__ import annotations

import pytest

from capture.errors import OverloadedError
from capture.server.access import Places


def test_a_client_has_its_share() -> None:
    """What it gives back is free again, and others have their own."""
    places = Places("sessions", None, 2)
    with places.taken("a"), places.taken("b"):
        with places.taken("a"), pytest.raises(OverloadedError, match="has 2 sessions open"):
            places.taken("a").__enter__()
        with places.taken("a"), places.taken("b"):
            pass


def test_all_clients_together_have_theirs() -> None:
    """Even a client that holds nothing waits until somebody leaves."""
    places = Places("sessions", 2, 2)
    with places.taken("a"):
        with places.taken("b"), pytest.raises(OverloadedError, match="2 sessions are open"):
            places.taken("c").__enter__()
        with places.taken("c"):
            pass


def test_a_call_that_fails_gives_its_place_back() -> None:
    """However it ends."""
    places = Places("calls", 1, 1)
    for _ in range(3):
        with pytest.raises(ZeroDivisionError), places.taken("a"):
            raise ZeroDivisionError
