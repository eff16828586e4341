"""Sessions that were cut off, and how they go on."""

from __future__ import annotations

import pytest

from capture.gates.profile import load_profile
from capture.server.resume import KEPT_S, SessionShelf
from capture.session import Session, SessionConfig

SESSION = Session.start(SessionConfig(), load_profile("default"))


class Clock:
    def __init__(self) -> None:
        self.now_s = 0.0

    def __call__(self) -> float:
        return self.now_s


def give_up() -> Session:
    return SESSION


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def shelf(clock: Clock) -> SessionShelf:
    return SessionShelf(clock)


def test_a_new_session_gets_a_token_that_cannot_be_guessed(shelf: SessionShelf) -> None:
    """Tokens differ and are long."""
    tokens = {shelf.open("", give_up)[0] for _ in range(100)}
    assert len(tokens) == 100
    assert min(map(len, tokens)) >= 20


def test_a_session_goes_on_within_a_minute(shelf: SessionShelf, clock: Clock) -> None:
    """Its state and its token are the ones it had."""
    token, _ = shelf.open("", give_up)
    shelf.close(token, give_up, SESSION)
    clock.now_s = KEPT_S - 1
    assert shelf.open(token, give_up) == (token, SESSION)


def test_a_session_is_forgotten_after_a_minute(shelf: SessionShelf, clock: Clock) -> None:
    """Then the stream is a new session with a new token."""
    token, _ = shelf.open("", give_up)
    shelf.close(token, give_up, SESSION)
    clock.now_s = KEPT_S + 1
    new_token, session = shelf.open(token, give_up)
    assert session is None
    assert new_token != token


def test_a_token_nobody_gave_out_opens_a_new_session(shelf: SessionShelf) -> None:
    """The client's invention is not used as a token."""
    token, session = shelf.open("invented", give_up)
    assert session is None
    assert token != "invented"


def test_a_session_is_taken_over_while_its_old_stream_is_still_open(shelf: SessionShelf) -> None:
    """The old stream is told to give up, and what it leaves later is not kept."""
    ended = []

    def old_stream() -> Session:
        ended.append(True)
        return SESSION

    token, _ = shelf.open("", old_stream)
    assert shelf.open(token, give_up) == (token, SESSION)
    assert ended
    shelf.close(token, old_stream, SESSION)
    assert len(shelf) == 0


def test_the_shelf_is_bounded(shelf: SessionShelf) -> None:
    """Of very many sessions only the last are kept."""
    tokens = [shelf.open("", give_up)[0] for _ in range(1000)]
    for token in tokens:
        shelf.close(token, give_up, SESSION)
    assert len(shelf) == 512
    assert shelf.open(tokens[-1], give_up)[1] is SESSION
    assert shelf.open(tokens[0], give_up)[1] is None
