"""Stores that are one connection to one host, as SFTP and FTP are."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from threading import Lock
from typing import Any

import pytest
from typer.testing import CliRunner

from capture.archive.engines import LocalEngine
from capture.archive.finding import picture_at
from capture.archive.pictures import Stamp
from capture.archive.remote import RemotePicture
from capture.archive.stores import Store
from capture.archive.tally import Effort
from capture.cli.app import app
from capture.ledger.ledger import Ledger, open_ledger
from tests.archive.pictures import jpeg
from tests.archive.runs import score

fsspec = pytest.importorskip("fsspec", reason="needs the [archive] extra (fsspec)")
COUNT = 40


class OneConnection(fsspec.AbstractFileSystem):  # type: ignore[misc]
    """Files of this machine under the name of a host; two questions at once are one too many."""

    protocol = "hosted"
    is_away = False
    patience_count = 1_000_000
    """Questions until the host hangs up."""

    def __init__(self, host: str, **options: Any) -> None:
        if self.is_away:
            raise ConnectionRefusedError(111, "Connection refused")
        super().__init__(host=host, **options)
        self._asked_count = 0
        self._files = fsspec.filesystem("file")
        self._is_busy = Lock()

    @classmethod
    def _strip_protocol(cls, path: str) -> str:
        return str(fsspec.utils.infer_storage_options(path)["path"])

    @staticmethod
    def _get_kwargs_from_urls(path: str) -> dict[str, Any]:
        options = fsspec.utils.infer_storage_options(path)
        return {name: options[name] for name in ("host", "port", "username") if name in options}

    def info(self, path: str, **_: Any) -> Any:
        return self._alone(self._files.info, path)

    def ls(self, path: str, detail: bool = True, **_: Any) -> Any:
        return self._alone(self._files.ls, path, detail=detail)

    def cat_file(self, path: str, **_: Any) -> Any:
        return self._alone(self._files.cat_file, path)

    def _open(self, path: str, **_: Any) -> Any:
        return self._alone(self._files.open, path)

    def _alone(self, question: Any, *words: Any, **options: Any) -> Any:
        if not self._is_busy.acquire(blocking=False):
            raise RuntimeError("two at once")
        self._asked_count += 1
        try:
            if self._asked_count > self.patience_count:
                raise EOFError
            return question(*words, **options)
        finally:
            self._is_busy.release()


@pytest.fixture
def url(tmp_path: Path) -> Iterator[str]:
    fsspec.register_implementation("hosted", OneConnection, clobber=True)
    for number in range(COUNT):
        (tmp_path / f"{number:02d}.jpg").write_bytes(jpeg(number, 96, 80))
    yield f"hosted://ada@camera:2222{tmp_path}"
    OneConnection.clear_instance_cache()


async def test_no_connection_is_asked_two_things_at_once(
    ledger: Ledger, engine: LocalEngine, url: str
) -> None:
    """Listed, counted and read by several threads, each has its own."""
    assert (await score(ledger, engine, url)).efforts == {Effort.SCORED: COUNT}
    assert [row["status"] for row in ledger.rows()] == ["ok"] * COUNT


async def test_rows_name_the_host(ledger: Ledger, engine: LocalEngine, url: str) -> None:
    """Its file of one name is not another host's, and is found again by its row."""
    await score(ledger, engine, f"{url}/07.jpg")
    (row,) = ledger.rows()
    assert row["path"] == f"{url}/07.jpg"
    assert picture_at(row["path"]).read(1 << 20) == jpeg(7, 96, 80)


async def test_a_host_that_hangs_up_is_called_again(
    ledger: Ledger, engine: LocalEngine, url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As servers do after a while without a word: no picture is lost by it."""
    monkeypatch.setattr(OneConnection, "patience_count", 7)
    assert (await score(ledger, engine, url)).efforts == {Effort.SCORED: COUNT}
    assert [row["status"] for row in ledger.rows()] == ["ok"] * COUNT


@pytest.mark.parametrize("ending", ["", "/07.jpg", "/0*.jpg"])
async def test_a_host_that_is_away_is_a_row_until_it_is_back(
    ledger: Ledger, engine: LocalEngine, url: str, ending: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A folder, a picture or a pattern: the row has its name and the reason."""
    with monkeypatch.context() as patched:
        patched.setattr(OneConnection, "is_away", True)
        assert (await score(ledger, engine, url + ending)).failures == {"UNREADABLE": 1}
    (row,) = ledger.rows()
    assert (row["path"], row["error"]) == (url + ending, "Connection refused")
    await score(ledger, engine, url + ending)
    assert {row["status"] for row in ledger.rows()} == {"ok"}


def test_nobody_else_waits_for_a_host_that_is_away(tmp_path: Path) -> None:
    """The command judges the others, and ends with exit code 1."""
    (tmp_path / "ok.jpg").write_bytes(jpeg(1, 96, 80))
    with socket.create_server(("127.0.0.1", 0)) as listening:
        away = f"ftp://127.0.0.1:{listening.getsockname()[1]}/a.jpg"
    words = ["score", away, str(tmp_path / "ok.jpg"), "--ledger", str(tmp_path / "run.db")]
    assert CliRunner().invoke(app, words).exit_code == 1
    with open_ledger(tmp_path / "run.db") as ledger:
        rows = list(ledger.rows())
    assert [row["status"] for row in rows] == ["ok", "UNREADABLE"]
    assert (rows[1]["path"], rows[1]["error"]) == (away, "Connection refused")


def test_a_time_of_change_is_read_as_its_store_says_it() -> None:
    """In digits, as a date with or without a zone, as a number; or not at all."""
    store, _ = Store.of("memory://photos")
    told: dict[str, Any] = {
        "modify": "20261121145900.250",
        "Last-Modified": "Sat, 21 Nov 2026 14:59:00 GMT",
        "LastModified": datetime(2026, 11, 21, 14, 59, tzinfo=UTC),
        "updated": "2026-11-21T14:59:00",
        "mtime": 1795273140,
    }
    infos = [{"size": 1, key: moment} for key, moment in told.items()]
    stamps = {RemotePicture(store, "a.jpg", info).stamp() for info in infos}
    assert stamps == {Stamp(1, 1_795_273_140_000_000_000)}
    unsaid: list[dict[str, Any]] = [
        {"size": 1},
        {"size": 1, "modify": "lately"},
        {"size": 1, "updated": "lately"},
    ]
    assert {RemotePicture(store, "a.jpg", info).stamp() for info in unsaid} == {Stamp(1, None)}
