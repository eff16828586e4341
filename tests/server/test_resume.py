"""Sessions that were cut off, and how they go on."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from capture.errors import ConfigurationError
from capture.gates.profile import load_profile
from capture.gates.verdict import Verdict
from capture.server import resume
from capture.server.resume import OpenSession, SessionShelf, open_session_file
from capture.server.session_file import SessionFile
from capture.session import Session, SessionConfig
from capture.settings import Settings

KEPT_S = 60.0
MAX_COUNT = 100
CONFIG = SessionConfig(still_width_px=1440)
PROFILE = load_profile("default")
SESSION = Session.start(CONFIG, PROFILE).observe_still(Verdict.RETAKE)[0]


class Clock:
    def __init__(self) -> None:
        self.now_s = 1e9

    def __call__(self) -> float:
        return self.now_s


def opened(shelf: SessionShelf, token: str = "", caller: str = "") -> OpenSession:
    """Open a session, or go on with one."""
    return shelf.open(replace(CONFIG, resume_token=token), PROFILE, caller, lambda: None)


def close(shelf: SessionShelf, place: OpenSession) -> None:
    """End the stream of a session in which a shot has been refused."""
    place.session = SESSION
    shelf.close(place)


def wait_until(is_so: Callable[[], bool]) -> None:
    """Wait for what the thread of a shelf does; the limit of the test run ends it otherwise."""
    while not is_so():
        time.sleep(0.01)


def until_s(path: Path) -> float:
    """Return until when the one session of a file is kept."""
    with closing(sqlite3.connect(path, timeout=20)) as database:
        return float(database.execute("SELECT until_s FROM session").fetchone()[0])


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "sessions.db"


@pytest.fixture
def file(path: Path, clock: Clock) -> Iterator[SessionFile]:
    file = SessionFile(path, kept_s=KEPT_S, max_count=MAX_COUNT, clock=clock)
    yield file
    file.close()


@pytest.fixture
def shelf(file: SessionFile) -> SessionShelf:
    return SessionShelf(file)


def test_a_new_session_gets_a_token_that_cannot_be_guessed(shelf: SessionShelf) -> None:
    """Tokens differ and are long."""
    tokens = {opened(shelf).token for _ in range(100)}
    assert len(tokens) == 100
    assert min(map(len, tokens)) >= 20


def test_a_session_goes_on_within_a_minute(shelf: SessionShelf, clock: Clock) -> None:
    """Its state and its token are the ones it had; its configuration is the new one."""
    place = opened(shelf)
    token, place.session = place.token, SESSION
    assert opened(shelf, token).session.retake_count == 1  # given up by the stream before
    place = opened(shelf, token)
    close(shelf, place)
    clock.now_s += KEPT_S - 1
    again = opened(shelf, token)
    assert (again.token, again.is_resumed, again.session.retake_count) == (token, True, 1)
    assert again.session.config.resume_token == token


def test_a_session_is_forgotten_after_a_minute(
    shelf: SessionShelf, file: SessionFile, clock: Clock
) -> None:
    """Then the stream is a new session with a new token."""
    place = opened(shelf)
    close(shelf, place)
    clock.now_s += KEPT_S + 1
    again = opened(shelf, place.token)
    assert not again.is_resumed
    assert again.token != place.token
    assert again.session.retake_count == 0
    assert len(file) == 0


def test_a_clock_that_is_set_back_keeps_nothing_for_longer(
    shelf: SessionShelf, file: SessionFile, clock: Clock
) -> None:
    """What seems to end in an hour is forgotten now."""
    place = opened(shelf)
    close(shelf, place)
    clock.now_s -= 3600
    assert not opened(shelf, place.token).is_resumed
    assert len(file) == 0


def test_a_token_nobody_gave_out_opens_a_new_session(shelf: SessionShelf) -> None:
    """The client's invention is not used as a token."""
    for invented in ("invented", "a" * 100_000, "\udcff"):
        place = opened(shelf, invented)
        assert not place.is_resumed
        assert place.token != invented


def test_a_token_is_worth_nothing_to_another_caller(shelf: SessionShelf) -> None:
    """Whoever has seen it, but calls under another name, gets a session of his own."""
    place = opened(shelf, caller="camera")
    assert not opened(shelf, place.token, caller="thief").is_resumed
    close(shelf, place)
    assert not opened(shelf, place.token, caller="thief").is_resumed
    assert opened(shelf, place.token, caller="camera").is_resumed


def test_a_session_is_taken_over_while_its_old_stream_is_still_open(
    shelf: SessionShelf, file: SessionFile
) -> None:
    """The old stream is told to give up, and what it leaves later is not kept."""
    ended: list[bool] = []
    old = shelf.open(CONFIG, PROFILE, "", lambda: ended.append(True))
    old.session = SESSION
    new = opened(shelf, old.token)
    assert (new.is_resumed, new.session.retake_count) == (True, 1)
    assert ended
    close(shelf, old)
    assert len(file) == 0


def test_another_process_goes_on_with_it(
    shelf: SessionShelf, file: SessionFile, path: Path, clock: Clock
) -> None:
    """From what was written before the old stream has ended, too; then that is not kept."""
    other_file = SessionFile(path, kept_s=KEPT_S, max_count=MAX_COUNT, clock=clock)
    other = SessionShelf(other_file)
    place = opened(shelf)
    assert not opened(other, place.token).is_resumed  # open there, and nobody said it would end
    place.session = SESSION
    shelf.write(place)
    assert opened(other, place.token).session.retake_count == 1
    close(shelf, place)
    assert len(file) == 0
    other_file.close()


def test_the_last_word_of_a_stream_is_what_goes_on(shelf: SessionShelf) -> None:
    """A still that is judged after the server's goodbye counts."""
    place = opened(shelf)
    shelf.write(place)
    close(shelf, place)
    assert opened(shelf, place.token).session.retake_count == 1


def test_an_open_session_is_written_down_now_and_then(
    path: Path, file: SessionFile, clock: Clock
) -> None:
    """Once it has changed, and again when it has; nobody ends it, as when a process is killed."""
    shelf = SessionShelf(file)
    place = opened(shelf)
    shelf.start()
    place.session = SESSION
    wait_until(lambda: len(file) == 1)
    place.session = place.session.observe_still(Verdict.RETAKE)[0]
    wait_until(lambda: b'"retake_count":2' in path.read_bytes())
    other_file = SessionFile(path, kept_s=KEPT_S, max_count=MAX_COUNT, clock=clock)
    assert opened(SessionShelf(other_file), place.token).session.retake_count == 2
    shelf.end()
    other_file.close()


def test_what_does_not_change_is_not_written_and_not_forgotten(
    path: Path, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A new session has nothing to lose; one that rests stays good for as long as it is open."""
    monkeypatch.setattr(resume, "WRITE_INTERVAL_S", 0.05)
    file = SessionFile(path, kept_s=0.15, max_count=MAX_COUNT, clock=clock)
    shelf = SessionShelf(file)
    new, resting = opened(shelf), opened(shelf)
    resting.session = SESSION
    shelf.start()
    wait_until(lambda: len(file) == 1)
    for _ in range(5):
        ends_s = until_s(path)
        clock.now_s += 0.1
        wait_until(lambda: until_s(path) > ends_s)  # noqa: B023 - called within the round
    assert len(file) == 1
    shelf.close(new)
    shelf.close(resting)
    assert len(file) == 2
    shelf.end()


def test_a_file_that_is_locked_is_tried_again(
    path: Path, file: SessionFile, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What could not be written this time is written the next time, without a word."""
    monkeypatch.setattr(resume, "WRITE_INTERVAL_S", 0.05)
    shelf = SessionShelf(file)
    opened(shelf).session = SESSION
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("BEGIN EXCLUSIVE")
        shelf.start()
        time.sleep(0.2)
    wait_until(lambda: len(file) == 1)
    shelf.end()


def test_the_shelf_is_bounded(shelf: SessionShelf, file: SessionFile, clock: Clock) -> None:
    """Of very many sessions only the last are kept."""
    places = [opened(shelf) for _ in range(MAX_COUNT + 20)]
    for place in places:
        clock.now_s += 0.01
        close(shelf, place)
    assert len(file) == MAX_COUNT
    assert opened(shelf, places[-1].token).is_resumed
    assert not opened(shelf, places[0].token).is_resumed


def test_the_file_is_for_its_owner_alone(file: SessionFile, path: Path) -> None:
    """A state has a small picture in it."""
    file.put(b"key", b"state")
    assert path.stat().st_mode & 0o777 == 0o600


def test_the_file_holds_no_token_and_forgets_what_was_taken(
    shelf: SessionShelf, path: Path
) -> None:
    """Neither the token nor, once it is taken, a byte of the state."""
    place = opened(shelf)
    close(shelf, place)
    assert place.token.encode() not in path.read_bytes()
    assert b"retake_count" in path.read_bytes()
    assert opened(shelf, place.token).is_resumed
    assert b"retake_count" not in path.read_bytes()


def test_a_file_that_others_may_open_is_not_used(path: Path) -> None:
    """Nor one that is a link to another, nor one that is no database."""
    path.touch()
    path.chmod(0o640)
    link = path.with_name("link")
    link.symlink_to(path)
    garbage = path.with_name("garbage")
    garbage.touch(0o600)
    garbage.write_bytes(b"this is no database" * 100)
    for wrong in (path, link, garbage, path.parent):
        with pytest.raises(ConfigurationError, match="cannot keep sessions"):
            open_session_file(Settings(session_file=wrong))
    assert garbage.read_bytes() == b"this is no database" * 100


def test_without_a_place_for_the_file_sessions_go_on_within_the_process(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A user without a home still has a server."""
    (tmp_path / "blocked").touch()
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "blocked"))
    shelf = SessionShelf(open_session_file(Settings()))
    place = opened(shelf)
    close(shelf, place)
    assert opened(shelf, place.token).is_resumed
    shelf.end()


@pytest.mark.parametrize("state", [b"", b"{}", b'{"version":1,"state":{}}'])
def test_a_state_that_cannot_be_read_starts_anew(
    shelf: SessionShelf, path: Path, state: bytes
) -> None:
    """As after an update that remembers something else."""
    place = opened(shelf)
    close(shelf, place)
    with sqlite3.connect(path) as database:
        database.execute("UPDATE session SET state = ?", (state,))
    database.close()
    again = opened(shelf, place.token)
    assert not again.is_resumed
    assert again.token != place.token


def test_a_file_that_is_locked_for_long_costs_the_session_and_not_the_server(
    shelf: SessionShelf, path: Path
) -> None:
    """Nothing is raised; the client starts anew."""
    place = opened(shelf)
    close(shelf, place)
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("BEGIN EXCLUSIVE")
    assert not opened(shelf, place.token).is_resumed
    other.close()
