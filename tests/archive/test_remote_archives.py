"""Zip and tar files behind URLs are looked into in passing, whatever the server can do."""

from __future__ import annotations

import io
import os
import tarfile
import zipfile
from pathlib import Path

import pytest

from capture.archive.engines import LocalEngine
from capture.archive.finding import find, picture_at
from capture.archive.tally import Effort
from capture.errors import UnreadableFileError
from capture.ledger.ledger import Ledger, open_ledger
from tests.archive.pictures import jpeg
from tests.archive.runs import measured, score
from tests.archive.web import web_server

pytest.importorskip("fsspec", reason="needs the [archive] extra (fsspec)")

MEMBERS = {
    **{f"{number:03d}.jpg": jpeg(number, 320, 240) for number in range(6)},
    "003.json": b"{}",  # as in a WebDataset shard
    "cut.jpg": jpeg(1)[:-500],
    "deeper/1.jpg": jpeg(7, 96, 80),
}
PICTURE_COUNT = len(MEMBERS) - 1
NAMES = ("shard.tar", "shard.tar.gz", "photos.zip")


def pack(file: Path) -> Path:
    if file.suffix == ".zip":
        with zipfile.ZipFile(file, "w") as archive:
            for name, data in MEMBERS.items():
                archive.writestr(name, data)
        return file
    with tarfile.open(file, "w:gz" if file.suffix == ".gz" else "w") as archive:
        for name, data in MEMBERS.items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
    return file


@pytest.fixture
def web(tmp_path: Path) -> Path:
    folder = tmp_path / "web"
    folder.mkdir()
    return folder


@pytest.mark.parametrize("ranges", [True, False])
@pytest.mark.parametrize("name", NAMES)
async def test_members_read_as_from_a_disk(
    name: str, ranges: bool, web: Path, tmp_path: Path, ledger: Ledger, engine: LocalEngine
) -> None:
    """Each has the row of the same member on a disk; a second pass decodes none."""
    file = pack(web / name)
    with web_server(web, ranges=ranges) as server:
        url = f"{server.url}{name}"
        await score(ledger, engine, url)
        rows = list(ledger.rows())
        assert picture_at(rows[2]["path"]).read(1 << 20) == MEMBERS["002.jpg"]
        again = await score(ledger, engine, url)
    assert again.efforts == {Effort.UNCHANGED: PICTURE_COUNT}
    assert [row["path"] for row in rows] == [
        f"{url}!{member}" for member in sorted(MEMBERS) if member.endswith(".jpg")
    ]
    with open_ledger(tmp_path / "disk.db") as disk:
        await score(disk, engine, str(file))
        assert [measured(row) for row in disk.rows()] == [measured(row) for row in rows]


@pytest.mark.parametrize("name", NAMES)
async def test_a_connection_that_breaks_is_a_row_and_is_gone_on_from(
    name: str, web: Path, tmp_path: Path, ledger: Ledger, engine: LocalEngine
) -> None:
    """What came before is judged, what comes after it too; the next run has the rest."""
    size_bytes = len(pack(web / name).read_bytes())
    (web / "z.jpg").write_bytes(jpeg(50, 96, 80))
    with web_server(web, ranges=False) as server:
        server.breaks_after[name] = size_bytes // 2
        broken = await score(ledger, engine, server.url)
        assert broken.failures["UNREADABLE"] == 1
        (row,) = ledger.rows_at([f"{server.url}{name}"]).values()
        assert "breaks off" in row["error"]
        assert f"{server.url}z.jpg" in {row["path"] for row in ledger.rows()}
        del server.breaks_after[name]
        healed = await score(ledger, engine, server.url)
        assert healed.seen_count == PICTURE_COUNT + 1
        with open_ledger(tmp_path / "whole.db") as whole:
            await score(whole, engine, server.url)
            assert [measured(row) for row in whole.rows()] == [
                measured(row) for row in ledger.rows()
            ]


@pytest.mark.parametrize("ranges", [True, False])
async def test_a_zip_whose_connection_breaks_once_is_read_all_the_same(
    ranges: bool, web: Path, ledger: Ledger, engine: LocalEngine
) -> None:
    """What failed is asked for again: the part, or the whole where there are no parts."""
    size_bytes = len(pack(web / "photos.zip").read_bytes())
    with web_server(web, ranges=ranges) as server:
        server.breaks_after["photos.zip"] = size_bytes // 2
        server.break_count["photos.zip"] = 2
        tally = await score(ledger, engine, f"{server.url}photos.zip")
        assert server.break_count["photos.zip"] == 0
    assert tally.failures == {"TRUNCATED": 1}
    assert tally.seen_count == PICTURE_COUNT


@pytest.mark.parametrize("ranges", [True, False])
@pytest.mark.parametrize("name", ["photos.zip", "shard.tar"])
async def test_an_archive_that_was_read_to_its_end_is_not_fetched_again(
    name: str, ranges: bool, web: Path, ledger: Ledger, engine: LocalEngine
) -> None:
    """Unless it changed, or a picture of it has no row or has to be decoded anew."""
    shard = pack(web / name)
    with web_server(web, ranges=ranges) as server:
        url = f"{server.url}{name}"

        async def fetch_count() -> int:
            server.sent.clear()
            tally = await score(ledger, engine, url)
            assert tally.seen_count == PICTURE_COUNT
            return len(server.sent)

        assert await fetch_count() > 0
        rows = list(ledger.rows())
        assert await fetch_count() == 0
        with ledger.engine.begin() as connection:  # as after a kill before the last commit
            connection.exec_driver_sql("DELETE FROM assessments WHERE path LIKE '%005.jpg'")
        assert await fetch_count() > 0
        assert await fetch_count() == 0
        with ledger.engine.begin() as connection:  # as of an engine that measured otherwise
            connection.exec_driver_sql(
                "UPDATE assessments SET measures_version = 0 WHERE status = 'ok'"
            )
        assert await fetch_count() > 0
        assert await fetch_count() == 0
        assert [measured(row) for row in rows] == [measured(row) for row in ledger.rows()]
        os.utime(shard, (1, 1))
        assert await fetch_count() > 0


async def test_many_pictures_of_a_shard_are_found_in_one_passage(web: Path) -> None:
    """In whatever order they are asked for; what is not in it is told after them."""
    pack(web / "shard.tar")
    names = sorted((name for name in MEMBERS if name.endswith(".jpg")), reverse=True)
    with web_server(web) as server:
        archive = f"{server.url}shard.tar"
        *found, (missing, gone) = find(f"{archive}!{name}" for name in ["gone.jpg", *names])
        assert server.sent == ["shard.tar"]
        assert {path: picture.read(1 << 20) for path, picture in found} == {
            f"{archive}!{name}": MEMBERS[name] for name in names
        }
        assert missing == f"{archive}!gone.jpg"
        with pytest.raises(UnreadableFileError, match="no such picture"):
            gone.read(1 << 20)


async def test_an_archive_that_is_not_there_is_a_row(
    web: Path, ledger: Ledger, engine: LocalEngine
) -> None:
    with web_server(web) as server:
        tally = await score(ledger, engine, f"{server.url}gone.zip", f"{server.url}gone.tar")
    assert tally.failures == {"UNREADABLE": 2}
    assert {row["error"] for row in ledger.rows()} == {"No such file or directory"}


async def test_a_page_named_like_an_archive_is_a_row(
    web: Path, ledger: Ledger, engine: LocalEngine
) -> None:
    """A server that answers with a page of its own loses nothing but this archive."""
    (web / "a.zip").write_bytes(b"<html>please log in</html>" * 100)
    (web / "b.tar").write_bytes(b"<html>please log in</html>" * 100)
    with web_server(web) as server:
        tally = await score(ledger, engine, server.url)
    assert tally.failures == {"UNREADABLE": 2}
