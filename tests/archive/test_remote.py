"""Pictures behind URLs are listed, read and filed like those on a disk."""

from __future__ import annotations

import socket
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from capture.archive import stores
from capture.archive.engines import LocalEngine
from capture.archive.finding import picture_at
from capture.archive.sources import Sources
from capture.archive.tally import Effort
from capture.archive.walk import LeftOut
from capture.errors import ConfigurationError, ImageTooLargeError, UnreadableFileError
from capture.ledger.ledger import Ledger
from tests.archive.pictures import jpeg
from tests.archive.runs import score
from tests.archive.web import web_server

fsspec = pytest.importorskip("fsspec", reason="needs the [archive] extra (fsspec)")

FILES = {
    "b/2.jpg": jpeg(2, 96, 80),
    "b/10.jpg": jpeg(10, 96, 80),
    "a.jpg": jpeg(1, 96, 80),
    "c.jpg": b"no picture",
    "notes.txt": b"no picture by name",
    ".thumb.jpg": jpeg(3, 96, 80),
}
LISTED = ["a.jpg", "b/10.jpg", "b/2.jpg", "c.jpg"]


@pytest.fixture
def store() -> Iterator[str]:
    """A folder in memory."""
    system = fsspec.filesystem("memory")
    for name, data in FILES.items():
        system.pipe_file(f"/photos/{name}", data)
    yield "memory://photos"
    system.rm("/photos", recursive=True)


@pytest.fixture
def web(tmp_path: Path) -> Iterator[str]:
    """The same folder behind a web server."""
    for name, data in FILES.items():
        file = tmp_path / "web" / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(data)
    with web_server(tmp_path / "web") as server:
        yield server.url


def below(base: str, paths: list[str]) -> list[str]:
    assert all(path.startswith(base) for path in paths)
    return [path.removeprefix(base).lstrip("/") for path in paths]


def test_a_store_is_listed_as_a_disk_is(store: str) -> None:
    """Sorted by name folder by folder; dot files and what is no picture are left out."""
    sources = Sources([store])
    listed = [picture.path for picture in sources]
    assert below("memory:///photos", listed) == LISTED
    assert listed == [picture.path for picture in sources]
    assert sources.left_out == LeftOut(other_file_count=1, hidden_file_count=1)
    assert sources.count(threading.Event()) == len(LISTED)


def test_patterns_and_single_pictures_are_sources(store: str) -> None:
    """A star matches within a store; a picture that is named is one, whatever its name."""
    assert [picture.path for picture in Sources([f"{store}/b/*.jpg", f"{store}/notes.txt"])] == [
        *("memory:///photos/b/10.jpg", "memory:///photos/b/2.jpg", "memory:///photos/notes.txt")
    ]


async def test_a_web_folder_is_scored_and_unchanged_the_next_time(
    web: str, ledger: Ledger, engine: LocalEngine
) -> None:
    """Rows as of a disk, with the reason where there is no picture; then nothing is read."""
    first = await score(ledger, engine, web)
    assert first.failures == {"UNRECOGNIZED_FORMAT": 1}
    rows = list(ledger.rows())
    assert below(web, [row["path"] for row in rows]) == LISTED
    assert all(row["mtime_ns"] for row in rows)
    again = await score(ledger, engine, web)
    assert again.efforts == {Effort.UNCHANGED: 4}


async def test_pictures_in_a_store_are_looked_at_together(
    tmp_path: Path, ledger: Ledger, engine: LocalEngine
) -> None:
    """Each look is a way there and back: one after the other they would hold up the workers."""
    names = [f"{number}.jpg" for number in range(4)]
    for number, name in enumerate(names):
        (tmp_path / name).write_bytes(jpeg(number, 96, 80))
    with web_server(tmp_path) as server:
        server.looks_together = threading.Barrier(len(names))
        await score(ledger, engine, *(f"{server.url}{name}" for name in names))
        assert not server.looks_together.broken
    assert [row["status"] for row in ledger.rows()] == ["ok"] * len(names)


async def test_a_connection_that_breaks_is_tried_again(
    tmp_path: Path, ledger: Ledger, engine: LocalEngine
) -> None:
    """Twice it does not count; the third time it is a row that says so."""
    for name in ("twice", "always"):
        (tmp_path / f"{name}.jpg").write_bytes(jpeg(1, 96, 80))
    with web_server(tmp_path) as server:
        server.breaks_after = {"twice.jpg": 100, "always.jpg": 100}
        server.break_count["twice.jpg"] = 2
        tally = await score(ledger, engine, f"{server.url}always.jpg", f"{server.url}twice.jpg")
        assert tally.failures == {"UNREADABLE": 1}
        (row,) = ledger.rows_at([f"{server.url}twice.jpg"]).values()
        assert row["status"] == "ok"
        assert server.sent.count("always.jpg") == 3


async def test_a_picture_gone_from_its_store_is_a_row(
    store: str, ledger: Ledger, engine: LocalEngine
) -> None:
    """One that is missing ends nothing; the others are judged."""
    tally = await score(ledger, engine, f"{store}/gone.jpg", f"{store}/a.jpg")
    assert tally.failures == {"UNREADABLE": 1}
    assert tally.verdicts.total() == 1
    (gone,) = ledger.rows_at(["memory:///photos/gone.jpg"]).values()
    assert gone["error"] == "No such file or directory"


async def test_a_disk_and_a_store_share_a_ledger(
    store: str, tmp_path: Path, ledger: Ledger, engine: LocalEngine
) -> None:
    """The same bytes at both places are decoded once; they have no folder in common."""
    (tmp_path / "a.jpg").write_bytes(FILES["a.jpg"])
    await score(ledger, engine, str(tmp_path / "a.jpg"))
    tally = await score(ledger, engine, f"{store}/a.jpg", (tmp_path / "a.jpg").as_uri())
    assert tally.efforts == {Effort.REUSED: 1, Effort.UNCHANGED: 1}
    assert ledger.common_folder() == ""


def test_a_picture_is_found_again_by_its_url(store: str) -> None:
    """Reports and exports read it where it lies."""
    picture = picture_at("memory:///photos/a.jpg")
    assert picture.read(1 << 20) == FILES["a.jpg"]
    with pytest.raises(ImageTooLargeError):
        picture.read(100)
    with pytest.raises(UnreadableFileError):
        picture_at(f"{store}/gone.jpg").read(1 << 20)


def test_a_server_that_does_not_answer_is_not_a_missing_file() -> None:
    """Nobody listens: the row says so, and the question was asked again before."""
    pytest.importorskip("aiohttp", reason="needs the [archive] extra (aiohttp)")
    with socket.create_server(("127.0.0.1", 0)) as listening:
        port = listening.getsockname()[1]
    (picture,) = Sources([f"http://127.0.0.1:{port}/a.jpg"])
    with pytest.raises(UnreadableFileError, match="Connect call failed"):
        picture.read(1 << 20)


def test_a_page_that_is_missing_is_a_missing_file(web: str) -> None:
    """As on a disk."""
    (picture,) = Sources([f"{web}gone.jpg"])
    with pytest.raises(UnreadableFileError, match="No such file or directory"):
        picture.read(1 << 20)


def test_a_store_without_its_package_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    """By the name of our extra, where we have one."""
    monkeypatch.setitem(sys.modules, "s3fs", None)
    monkeypatch.delitem(
        sys.modules["fsspec.registry"]._registry, "s3", raising=False
    )  # where one was made before
    with pytest.raises(ConfigurationError, match=r"smart-capture\[s3\]"):
        Sources(["s3://bucket/a.jpg"])


@pytest.mark.parametrize(
    ("url", "complaint"),
    [
        ("nosuch://bucket/a.jpg", "nosuch"),
        ("ftp://me:secret@host/a.jpg", "password"),
    ],
)
def test_a_url_that_cannot_be_used_is_refused_at_once(url: str, complaint: str) -> None:
    """Before a run begins, in words, and without repeating a password."""
    with pytest.raises(ConfigurationError, match=complaint) as raised:
        Sources([url])
    assert "secret" not in str(raised.value)


async def test_a_server_that_never_answers_is_waited_for_no_longer_than_is_said(
    ledger: Ledger, engine: LocalEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It takes the connection and is silent: a row says so, and the listing goes on."""
    monkeypatch.setattr(stores, "MAX_SILENCE_S", 0.1)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        await score(ledger, engine, f"http://127.0.0.1:{silent.getsockname()[1]}/a.jpg")
    (row,) = ledger.rows()
    assert row["status"] == "UNREADABLE"
    assert "Timeout" in row["error"]
