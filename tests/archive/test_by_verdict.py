"""Pictures are laid out by verdict, without being touched."""

from __future__ import annotations

import io
import os
import tarfile
import tracemalloc
import zipfile
from hashlib import file_digest, sha256
from pathlib import Path

import pytest
from typer.testing import CliRunner

from capture.archive.by_verdict import SortedOut, sort_out
from capture.cli.app import app
from capture.errors import ConfigurationError
from capture.gates.profile import load_profile
from capture.ledger.ledger import open_ledger
from capture.ledger.names import printable
from capture.ledger.rows import Row, row_of_unjudged

PROFILE = load_profile("default")


def row(path: Path | str, data: bytes, verdict: str | None) -> Row:
    made = row_of_unjudged("ok", "", PROFILE, "1.0") | {"verdict": verdict}
    return made | {
        "path": str(path),
        "sha256": sha256(data).hexdigest(),
        "size_bytes": len(data),
        "mtime_ns": 0,
    }


def tree(folder: Path) -> dict[str, bytes]:
    files = (file for file in folder.rglob("*") if file.is_file())
    return {str(file.relative_to(folder)): file.read_bytes() for file in files}


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    photos = tmp_path / "photos"
    (photos / "a").mkdir(parents=True)
    (photos / "a" / "1.jpg").write_bytes(b"one")
    (photos / "2.jpg").write_bytes(b"two")
    with zipfile.ZipFile(photos / "more.zip", "w") as archive:
        archive.writestr("sub/3.jpg", b"three")
        archive.writestr("../../climbs.jpg", b"four")
    return photos


def laid_out(photos: Path) -> list[Row]:
    return [
        row(photos / "a/1.jpg", b"one", "ACCEPT"),
        row(photos / "2.jpg", b"two", "RETAKE"),
        row(f"{photos}/more.zip!sub/3.jpg", b"three", "RETAKE"),
        row(f"{photos}/more.zip!../../climbs.jpg", b"four", None),
        row(photos / "gone.jpg", b"gone", "ACCEPT"),
    ]


@pytest.mark.parametrize("link", [False, True], ids=["copied", "linked"])
def test_pictures_are_laid_out_by_verdict(photos: Path, link: bool) -> None:
    """The tree is kept, archives become folders, nothing climbs out, sources stay."""
    before = tree(photos)
    out = photos.parent / "out"
    done = sort_out(laid_out(photos), out, f"{photos}/", link=link)
    assert done == SortedOut(laid_count=4, gone_count=1)
    assert tree(out) == {
        "ACCEPT/a/1.jpg": b"one",
        "RETAKE/2.jpg": b"two",
        "RETAKE/more.zip/sub/3.jpg": b"three",
        "NOT_JUDGED/more.zip/climbs.jpg": b"four",
    }
    assert (out / "RETAKE/2.jpg").is_symlink() == link
    assert tree(photos) == before
    again = sort_out(laid_out(photos), out, f"{photos}/", link=link)
    assert again == SortedOut(present_count=4, gone_count=1)


@pytest.mark.parametrize("link", [False, True], ids=["copied", "linked"])
def test_what_was_never_hashed_is_laid_out_once(photos: Path, link: bool) -> None:
    """A damaged archive is a row without a hash: the same length and time are the same file."""
    (photos / "cut.tar").write_bytes(b"damaged")
    rows = [row(photos / "cut.tar", b"", None) | {"sha256": None}]
    out = photos.parent / "out"
    first = sort_out(rows, out, f"{photos}/", link=link)
    again = sort_out(rows, out, f"{photos}/", link=link)
    assert (first, again) == (SortedOut(laid_count=1), SortedOut(present_count=1))
    (photos / "cut.tar").write_bytes(b"damaged otherwise")
    if not link:
        assert sort_out(rows, out, f"{photos}/", link=link) == SortedOut(laid_count=1)
        assert tree(out) == {
            "NOT_JUDGED/cut.tar": b"damaged",
            "NOT_JUDGED/cut.unread.tar": b"damaged otherwise",
        }


@pytest.mark.parametrize("mode", ["w", "w:gz"])
def test_of_two_members_of_one_name_the_judged_one_is_laid_out(photos: Path, mode: str) -> None:
    """In a tar that was added to, whatever the order of its members; others are not there."""
    members = (("b.jpg", b"old"), ("a.jpg", b"five"), ("b.jpg", b"six"), ("c.jpg", b"other"))
    shard = photos / f"shard.tar{mode[1:].replace(':', '.')}"
    with tarfile.open(shard, mode) as archive:  # type: ignore[call-overload]
        for name, data in members:
            info = tarfile.TarInfo(name)
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
    rows = [
        row(f"{shard}!a.jpg", b"five", "ACCEPT"),
        row(f"{shard}!b.jpg", b"six", "ACCEPT"),
        row(f"{shard}!c.jpg", b"judged before it was replaced", "ACCEPT"),
        row(f"{shard}!gone.jpg", b"gone", "ACCEPT"),
    ]
    out = photos.parent / "out"
    done = sort_out(rows, out, f"{photos}/", link=False)
    assert done == SortedOut(laid_count=2, gone_count=2)
    assert tree(out / "ACCEPT" / shard.name) == {"a.jpg": b"five", "b.jpg": b"six"}


@pytest.mark.parametrize("link", [False, True], ids=["copied", "linked"])
def test_a_picture_that_was_replaced_is_not_laid_out(photos: Path, link: bool) -> None:
    """Its verdict is of other bytes; one that was only touched is the same picture."""
    (photos / "2.jpg").write_bytes(b"another")
    (photos / "a" / "1.jpg").touch()
    out = photos.parent / "out"
    done = sort_out(laid_out(photos)[:2], out, f"{photos}/", link=link)
    assert done == SortedOut(laid_count=1, gone_count=1)
    assert tree(out) == {"ACCEPT/a/1.jpg": b"one"}


def test_what_lies_there_is_compared_piece_by_piece(photos: Path) -> None:
    """However large it is: memory does not hold it."""
    large = photos / "large.jpg"
    with large.open("wb") as opened:
        opened.truncate(64 << 20)
    with large.open("rb") as opened:
        rows = [row(large, b"", "ACCEPT") | {"sha256": file_digest(opened, "sha256").hexdigest()}]
    out = photos.parent / "out"
    assert sort_out(rows, out, f"{photos}/", link=False).laid_count == 1
    tracemalloc.start()
    assert sort_out(rows, out, f"{photos}/", link=False).present_count == 1
    peak_bytes = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak_bytes < 8 << 20


@pytest.mark.parametrize("link", [False, True], ids=["copied", "linked"])
def test_names_are_kept_as_they_are(photos: Path, link: bool) -> None:
    """A file's own mark makes no folder of it; a name that is no text finds its file."""
    (photos / "odd!name.zip!1.jpg").write_bytes(b"five")
    undecodable = os.fsdecode(bytes(photos) + b"/\xe9t\xe9.jpg")
    Path(undecodable).write_bytes(b"six")
    with zipfile.ZipFile(photos / "wow!.zip", "w") as archive:
        archive.writestr("oh!no.jpg", b"seven")
    rows = [
        row(photos / "odd!name.zip!1.jpg", b"five", "ACCEPT"),
        row(printable(undecodable), b"six", "ACCEPT"),
        row(f"{photos}/wow!.zip!oh!no.jpg", b"seven", "ACCEPT"),
    ]
    out = photos.parent / "out"
    assert sort_out(rows, out, f"{photos}/", link=link) == SortedOut(laid_count=3)
    assert tree(out / "ACCEPT") == {
        "odd!name.zip!1.jpg": b"five",
        r"\xe9t\xe9.jpg": b"six",
        "wow!.zip/oh!no.jpg": b"seven",
    }


def test_nothing_that_lies_there_is_overwritten(photos: Path) -> None:
    """Another file under the same name stays; the picture goes beside it."""
    out = photos.parent / "out"
    (out / "ACCEPT" / "a").mkdir(parents=True)
    (out / "ACCEPT" / "a" / "1.jpg").write_bytes(b"not one")
    sort_out(laid_out(photos)[:1], out, f"{photos}/", link=False)
    beside = f"ACCEPT/a/1.{sha256(b'one').hexdigest()[:12]}.jpg"
    assert tree(out) == {"ACCEPT/a/1.jpg": b"not one", beside: b"one"}


@pytest.mark.parametrize("link", [False, True], ids=["copied", "linked"])
def test_a_name_that_cannot_be_used_is_counted(photos: Path, link: bool) -> None:
    """Too long for a file, or a folder's already: the others are laid out all the same."""
    long, longest = f"{'x' * 300}.jpg", f"{'y' * 251}.jpg"
    with zipfile.ZipFile(photos / "names.zip", "w") as archive:
        for name in (long, longest):
            archive.writestr(name, b"five")
    rows = [
        row(f"{photos}/names.zip!{long}", b"five", "ACCEPT"),
        row(f"{photos}/names.zip!{longest}", b"five", "ACCEPT"),
        row(photos / "2.jpg", b"two", "ACCEPT"),
    ]
    out = photos.parent / "out"
    (out / "ACCEPT").mkdir(parents=True)
    (out / "ACCEPT" / "a").write_bytes(b"a file")
    rows.append(row(photos / "a/1.jpg", b"one", "ACCEPT"))
    done = sort_out(rows, out, f"{photos}/", link=link)
    assert done == SortedOut(laid_count=2, refused_count=2)
    assert tree(out) == {
        f"ACCEPT/names.zip/{longest}": b"five",
        "ACCEPT/2.jpg": b"two",
        "ACCEPT/a": b"a file",
    }


@pytest.mark.skipif(not Path("/proc/self/mem").exists(), reason="FAILING READS: Linux has one")
def test_a_disk_that_fails_ends_no_export(photos: Path) -> None:
    """What cannot be read to its end is counted; the others are copied."""
    (photos / "bad.jpg").symlink_to("/proc/self/mem")  # opens, and fails when it is read
    (photos / "good.jpg").write_bytes(b"good")
    rows = [row(photos / "bad.jpg", b"?", "ACCEPT"), row(photos / "good.jpg", b"good", "ACCEPT")]
    done = sort_out(rows, photos / "sorted", f"{photos}/", link=False)
    assert done == SortedOut(laid_count=1, gone_count=1)
    assert [found.name for found in (photos / "sorted" / "ACCEPT").iterdir()] == ["good.jpg"]


def test_a_folder_that_cannot_be_made_ends_it(photos: Path) -> None:
    """Where nothing can be laid out, no picture is to blame."""
    (photos.parent / "out").write_bytes(b"a file")
    with pytest.raises(ConfigurationError, match="cannot write"):
        sort_out(laid_out(photos), photos.parent / "out", f"{photos}/", link=False)


def test_the_command_says_what_it_could_not_lay_out(tmp_path: Path) -> None:
    """A line that counts it, and exit code 1."""
    with zipfile.ZipFile(tmp_path / "names.zip", "w") as archive:
        archive.writestr(f"{'x' * 300}.jpg", b"five")
    with open_ledger(tmp_path / "run.db") as ledger:
        run_id = ledger.begin_run([str(tmp_path)], PROFILE, "1.0", classify=False)
        ledger.put(run_id, [row(f"{tmp_path}/names.zip!{'x' * 300}.jpg", b"five", "RETAKE")])
    words = ["export", str(tmp_path / "run.db"), "--copy-to", str(tmp_path / "out")]
    done = CliRunner().invoke(app, words)
    assert done.exit_code == 1
    assert "1 not laid out: their names cannot be used there" in done.stdout
