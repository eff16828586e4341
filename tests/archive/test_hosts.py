"""Stores that are one connection to one host, as SFTP and FTP are."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from threading import Lock
from typing import Any

import pytest

from capture.archive.engines import LocalEngine
from capture.archive.finding import Finder
from capture.archive.tally import Effort
from capture.ledger.ledger import Ledger
from tests.archive.pictures import jpeg
from tests.archive.runs import score

fsspec = pytest.importorskip("fsspec", reason="needs the [archive] extra (fsspec)")
COUNT = 40


class OneConnection(fsspec.AbstractFileSystem):  # type: ignore[misc]
    """Files of this machine under the name of a host; two questions at once are one too many."""

    protocol = "hosted"

    def __init__(self, host: str, **options: Any) -> None:
        super().__init__(host=host, **options)
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
        try:
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
    assert Finder().at(row["path"]).read(1 << 20) == jpeg(7, 96, 80)
