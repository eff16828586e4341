"""Sources list the same pictures in the same order, whatever they are and lead to."""

from __future__ import annotations

import bz2
import gzip
import inspect
import io
import lzma
import os
import random
import sys
import tarfile
import warnings
import zipfile
from collections.abc import Callable, Iterable
from contextlib import suppress
from pathlib import Path
from threading import Event

import pytest

from capture.archive.finding import picture_at
from capture.archive.pictures import Picture
from capture.archive.sources import Sources, spooled
from capture.archive.walk import LeftOut
from capture.errors import ConfigurationError, ImageTooLargeError, UnreadableFileError

MEBIBYTE = 1 << 20


def make(folder: Path, *names: str) -> None:
    for name in names:
        file = folder / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(name.encode())


def paths_below(folder: Path, pictures: Iterable[Picture]) -> list[str]:
    return [picture.path.removeprefix(f"{folder}/") for picture in pictures]


def make_zip(file: Path, members: dict[str, bytes]) -> None:
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in members.items():
            archive.writestr(name, data)


def make_tar(file: Path, members: dict[str, bytes], mode: str = "w") -> None:
    with tarfile.open(file, mode) as archive:  # type: ignore[call-overload]
        for name, data in members.items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))


def test_folders_are_listed_by_name_to_the_bottom(tmp_path: Path) -> None:
    """Order does not depend on the file system."""
    make(tmp_path, "b/2.PNG", "b/1.jpg", "a.jpeg", "b/a/9.webp", "c.avif")
    assert paths_below(tmp_path, Sources([str(tmp_path)])) == [
        "a.jpeg",
        "b/1.jpg",
        "b/2.PNG",
        "b/a/9.webp",
        "c.avif",
    ]


def test_what_is_no_picture_by_name_is_left_out_and_counted(tmp_path: Path) -> None:
    """Texts, hidden files and resource forks are no pictures; a named file always is one."""
    make(tmp_path, "a.jpg", "notes.txt", ".thumbnails/a.jpg", "._a.jpg", "no_suffix")
    sources = Sources([str(tmp_path)])
    assert paths_below(tmp_path, sources) == ["a.jpg"]
    assert sources.left_out == LeftOut(2, hidden_file_count=1, hidden_folder_count=1)
    named = Sources([str(tmp_path / "no_suffix")])
    assert paths_below(tmp_path, named) == ["no_suffix"]


@pytest.mark.parametrize(
    "method", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA]
)
def test_a_damaged_zip_costs_what_is_damaged(tmp_path: Path, method: int) -> None:
    """By any of its methods, at any of its bytes: what can be read is, the rest says why not."""
    rng = random.Random(method)
    with zipfile.ZipFile(tmp_path / "a.zip", "w", method) as archive:
        for number in range(3):
            archive.writestr(f"{number}.jpg", rng.randbytes(40) * 8)
    whole = (tmp_path / "a.zip").read_bytes()
    for at in range(0, len(whole) - 8, 7):
        (tmp_path / "a.zip").write_bytes(whole[:at] + b"\0\xff" * 2 + whole[at + 4 :])
        for picture in Sources([str(tmp_path / "a.zip")]):
            with suppress(UnreadableFileError, ImageTooLargeError):
                assert len(picture.read(MEBIBYTE)) <= MEBIBYTE


def test_members_that_a_damaged_directory_hides_are_told(tmp_path: Path) -> None:
    """One wrong length, and all that come after it seem not to be there."""
    make_zip(tmp_path / "a.zip", {"0.jpg": b"first", "1.jpg": b"second", "2.jpg": b"third"})
    data = bytearray((tmp_path / "a.zip").read_bytes())
    data[data.index(b"PK\1\2") + 32] = 0xFF  # the length of the first one's comment
    (tmp_path / "a.zip").write_bytes(data)
    first, archive = Sources([str(tmp_path / "a.zip")])
    assert first.read(MEBIBYTE) == b"first"
    with pytest.raises(UnreadableFileError, match="1 members are found of 3"):
        archive.read(MEBIBYTE)


def test_a_tar_whose_headers_lead_back_ends(tmp_path: Path) -> None:
    """A member of a negative length would be found again and again."""
    make_tar(tmp_path / "a.tar", {"1.jpg": b"one", "2.jpg": b"two"})
    whole = bytearray((tmp_path / "a.tar").read_bytes())
    header = whole[1024:1536]
    header[124:136] = b"\xff" * 10 + b"\xf8\x00"  # -2048, as GNU writes numbers
    header[148:156] = b" " * 8
    header[148:156] = b"%06o\0 " % sum(header)
    whole[1024:1536] = header
    (tmp_path / "a.tar").write_bytes(whole)
    first, *rest = Sources([str(tmp_path / "a.tar")])
    assert first.read(MEBIBYTE) == b"one"
    (last,) = rest
    with pytest.raises(UnreadableFileError, match="damaged"):
        last.read(MEBIBYTE)


def damaged_after(members: list[Picture], count: int) -> str:
    """Take as many members that can be read, and return what the last row says."""
    *whole, last = members
    assert len(whole) == count
    assert all(picture.read(MEBIBYTE) for picture in whole)
    with pytest.raises(UnreadableFileError, match="damaged") as damage:
        last.read(MEBIBYTE)
    return str(damage.value)


def at_header(tar: bytes, number: int, inserted: bytes = b"", damage: int = 0) -> bytes:
    """Put something before a header of a tar, or damage it."""
    place = [at for at in range(0, len(tar), 512) if tar[at + 257 : at + 262] == b"ustar"][number]
    header = bytes([tar[place] ^ damage]) + tar[place + 1 :]
    return tar[:place] + inserted + header


def pax(key: bytes, value: bytes) -> bytes:
    """Return a header that adds to the next one."""
    record = b" %s=%s\n" % (key, value)
    record = b"%d" % (len(record) + 2) + record
    info = tarfile.TarInfo()
    info.type, info.size = tarfile.XHDTYPE, len(record)
    return info.tobuf(tarfile.USTAR_FORMAT) + record.ljust(512, b"\0")


@pytest.mark.parametrize("pack", [bytes, gzip.compress])
@pytest.mark.parametrize(
    ("inserted", "damage"),
    [
        (b"", 1),
        (pax(b"GNU.sparse.map", b"x"), 0),
        (pax(b"hdrcharset", b"\xff"), 0),
        (1100 * pax(b"comment", b"x"), 0),
    ],
    ids=["checksum", "no number", "no charset", "headers without end"],
)
def test_a_damaged_header_is_told_and_ends_no_run(
    tmp_path: Path, pack: Callable[[bytes], bytes], inserted: bytes, damage: int
) -> None:
    """Members before it are read; that others may follow is not passed over."""
    file = tmp_path / ("shard.tar" if pack is bytes else "shard.tar.gz")
    make_tar(file.with_suffix(".whole"), {f"{number}.jpg": b"data" for number in range(4)})
    whole = file.with_suffix(".whole").read_bytes()
    file.write_bytes(pack(at_header(whole, 2, inserted, damage)))
    damaged_after(list(Sources([str(file)])), 2)


@pytest.mark.parametrize("kind", [tarfile.REGTYPE, tarfile.AREGTYPE, tarfile.XHDTYPE, b"Z"])
@pytest.mark.parametrize("pack", [bytes, gzip.compress])
def test_a_size_beyond_all_archives_comes_to_an_end(
    tmp_path: Path, pack: Callable[[bytes], bytes], kind: bytes
) -> None:
    """It is not read on behind the end of the archive, for as long as the size says."""
    file = tmp_path / ("shard.tar" if pack is bytes else "shard.tar.gz")
    make_tar(file.with_suffix(".whole"), {"1.jpg": b"data"})
    header = tarfile.TarInfo("notes.txt")
    header.type, header.size = kind, 1 << 70
    whole = file.with_suffix(".whole").read_bytes()
    file.write_bytes(pack(whole[:1024] + header.tobuf(tarfile.GNU_FORMAT) + whole[1024:]))
    damaged_after(list(Sources([str(file)])), 1)


@pytest.mark.parametrize("pack", [gzip.compress, bz2.compress, lzma.compress])
def test_a_tar_may_be_packed_in_several_pieces(
    tmp_path: Path, pack: Callable[[bytes], bytes]
) -> None:
    """As programs do that pack in parallel: it does not end with the first of them."""
    make_tar(tmp_path / "whole", {"1.jpg": b"one", "2.jpg": b"two"})
    whole = (tmp_path / "whole").read_bytes()
    (tmp_path / "shard.tgz").write_bytes(pack(whole[:1024]) + pack(whole[1024:]))
    read = [picture.read(MEBIBYTE) for picture in Sources([str(tmp_path / "shard.tgz")])]
    assert read == [b"one", b"two"]


def test_a_checksum_that_differs_is_told(tmp_path: Path) -> None:
    """The pictures are there, and somebody should know that they may not be what they were."""
    make_tar(tmp_path / "shard.tar.gz", {"1.jpg": b"one"}, "w:gz")
    packed = bytearray((tmp_path / "shard.tar.gz").read_bytes())
    packed[-8] ^= 1
    (tmp_path / "shard.tar.gz").write_bytes(packed)
    picture, archive = Sources([str(tmp_path)])
    assert picture.read(MEBIBYTE) == b"one"
    with pytest.raises(UnreadableFileError, match="CRC"):
        archive.read(MEBIBYTE)


def test_what_lies_behind_the_end_of_a_tar_is_told(tmp_path: Path) -> None:
    """Two tars in one file: the second one begins behind the mark that ends the first."""
    make_tar(tmp_path / "a.tar", {"1.jpg": b"one"})
    make_tar(tmp_path / "b.tar", {"2.jpg": b"two"})
    both = tmp_path / "both.tar"
    both.write_bytes((tmp_path / "a.tar").read_bytes() + (tmp_path / "b.tar").read_bytes())
    assert "behind" in damaged_after(list(Sources([str(both)])), 1)


@pytest.mark.parametrize("suffix", [".zip", ".tar", ".tar.gz"])
def test_an_archive_in_an_archive_is_a_row_that_says_so(tmp_path: Path, suffix: str) -> None:
    """It is not looked into, and its pictures are not passed over without a word."""
    file = tmp_path / f"outer{suffix}"
    members = {"1.jpg": b"one", "a/inner.zip": b"PK", "__MACOSX/._inner.zip": b"fork"}
    if suffix == ".zip":
        make_zip(file, members)
    else:
        make_tar(file, members, "w:gz" if suffix.endswith("gz") else "w")
    sources = Sources([str(file)])
    picture, inner = sources
    assert sources.count(Event()) == (None if suffix.endswith("gz") else 2)
    assert picture.read(MEBIBYTE) == b"one"
    assert inner.path == f"{file}!a/inner.zip"
    with pytest.raises(UnreadableFileError, match="archive in an archive"):
        inner.read(MEBIBYTE)


def test_links_in_circles_end(tmp_path: Path) -> None:
    """A folder is entered once, though links lead back to it and to themselves."""
    make(tmp_path, "a/1.jpg")
    (tmp_path / "a" / "up").symlink_to(tmp_path)
    (tmp_path / "a" / "self.jpg").symlink_to("self.jpg")
    listed = list(Sources([str(tmp_path)]))
    assert paths_below(tmp_path, listed) == ["a/1.jpg", "a/self.jpg"]
    with pytest.raises(UnreadableFileError):
        listed[1].stamp()


def test_a_glob_enters_no_folder_by_a_second_name(tmp_path: Path) -> None:
    """Links in a circle would give one picture forty rows; elsewhere they may lead to it."""
    make(tmp_path, "a/sub/1.jpg")
    (tmp_path / "a" / "sub" / "loop").symlink_to("..")
    assert paths_below(tmp_path, Sources([f"{tmp_path}/a/**/*.jpg"])) == ["a/sub/1.jpg"]
    linked = Sources([f"{tmp_path}/a/sub/loop/*/*.jpg"])
    assert paths_below(tmp_path, linked) == ["a/sub/loop/sub/1.jpg"]


def test_folders_too_deep_for_a_pattern_are_a_row(tmp_path: Path) -> None:
    """A pattern says so in its place; as a folder they are listed."""
    make(tmp_path, "1.jpg", f"{'d/' * 200}2.jpg")
    usual_depth = sys.getrecursionlimit()
    sys.setrecursionlimit(len(inspect.stack(0)) + 120)
    try:
        (pattern,) = Sources([f"{tmp_path}/**/*.jpg"])
        assert len(list(Sources([str(tmp_path)]))) == 2
    finally:
        sys.setrecursionlimit(usual_depth)
    assert pattern.path == f"{tmp_path}/**/*.jpg"
    with pytest.raises(UnreadableFileError, match="name the folder"):
        pattern.read(MEBIBYTE)


def test_globs_are_expanded_in_order(tmp_path: Path) -> None:
    """A pattern that the shell did not expand is expanded here."""
    make(tmp_path, "x/2.jpg", "x/1.jpg", "y/3.jpg", "y/3.txt")
    assert paths_below(tmp_path, Sources([f"{tmp_path}/**/*.jpg"])) == [
        "x/1.jpg",
        "x/2.jpg",
        "y/3.jpg",
    ]


def test_a_file_whose_name_looks_like_a_pattern_is_itself(tmp_path: Path) -> None:
    """Brackets in names are common; the file wins over the pattern."""
    make(tmp_path, "photo[1].jpg", "photo1.jpg")
    assert paths_below(tmp_path, Sources([f"{tmp_path}/photo[1].jpg"])) == ["photo[1].jpg"]


@pytest.mark.parametrize("name", ["missing.jpg", "missing/*.jpg"])
def test_a_source_that_is_not_there_is_wrong_use(name: str, tmp_path: Path) -> None:
    """A typing mistake is said at once, not after a million pictures."""
    with pytest.raises(ConfigurationError, match="nothing there"):
        Sources([str(tmp_path / name)])


@pytest.mark.parametrize("separator", [b"\n", b"\r\n", b"\0"])
def test_a_list_names_files_and_folders(separator: bytes, tmp_path: Path) -> None:
    """Lists come from find, from find -print0, and from Windows; what is missing is a row."""
    make(tmp_path, "a/1.jpg", "b.jpg")
    names = [os.fsencode(tmp_path / name) for name in ("b.jpg", "a", "gone.jpg")]
    with spooled(io.BytesIO(separator.join(names))) as listed:
        pictures = list(Sources([], listed))
    assert paths_below(tmp_path, pictures) == ["b.jpg", "a/1.jpg", "gone.jpg"]
    with pytest.raises(UnreadableFileError, match="No such file"):
        pictures[2].read(MEBIBYTE)


def test_a_name_that_no_file_can_have_is_a_row(tmp_path: Path) -> None:
    """A NUL in the middle of a list of lines; what the list names after it is read."""
    make(tmp_path, "a.jpg")
    good = bytes(tmp_path / "a.jpg")
    odd_names = [good + b"\0.jpg", good + b"\0/*.jpg"]
    with spooled(io.BytesIO(b"\n".join([*3000 * [good], *odd_names, good]))) as listed:
        *_, first, second, last = Sources([], listed)
    assert first.path == f"{tmp_path}/a.jpg\\x00.jpg"
    for odd in (first, second):
        with pytest.raises(UnreadableFileError, match="no file can have this name"):
            odd.stamp()
    assert last.read(MEBIBYTE) == b"a.jpg"


def test_what_looks_like_a_url_and_is_none_is_a_row(tmp_path: Path) -> None:
    """In a list, where the others are to be judged all the same."""
    make(tmp_path, "a.jpg")
    listed = b"http://[::1/b.jpg\nfile://[::1/c.jpg\n" + os.fsencode(tmp_path / "a.jpg")
    with spooled(io.BytesIO(listed)) as names:
        *odd, last = Sources([], names)
    assert last.read(MEBIBYTE) == b"a.jpg"
    assert len(odd) == 2
    for picture in odd:
        with pytest.raises(UnreadableFileError):
            picture.stamp()


def test_counting_agrees_with_listing(tmp_path: Path) -> None:
    """The total of the progress bar is the number of pictures."""
    make(tmp_path, "a/1.jpg", "a/2.jpg", "b.png", "b.txt")
    make_zip(tmp_path / "c.zip", {"1.jpg": b"1", "2.jpg": b"2", "readme": b""})
    sources = Sources([str(tmp_path)])
    assert sources.count(Event()) == len(list(sources)) == 5


@pytest.mark.parametrize("suffix", [".zip", ".tar", ".tar.gz", ".tgz", ".tar.xz"])
def test_members_of_archives_are_pictures(suffix: str, tmp_path: Path) -> None:
    """They are read where they lie, and found again by their path in the ledger."""
    file = tmp_path / f"shard{suffix}"
    members = {"000.jpg": b"first", "000.json": b"{}", "sub/001.jpg": b"second" * 1000}
    if suffix == ".zip":
        make_zip(file, members)
    else:
        make_tar(
            file, members, "w" if suffix == ".tar" else f"w:{'xz' if 'xz' in suffix else 'gz'}"
        )
    pictures = list(Sources([str(tmp_path)]))
    assert paths_below(tmp_path, pictures) == [f"{file.name}!000.jpg", f"{file.name}!sub/001.jpg"]
    assert [picture.read(MEBIBYTE) for picture in pictures] == [b"first", b"second" * 1000]
    assert [picture.stamp().size_bytes for picture in pictures] == [5, 6000]
    assert picture_at(pictures[1].path).read(MEBIBYTE) == b"second" * 1000
    with pytest.raises(ImageTooLargeError):
        pictures[1].read(100)


@pytest.mark.parametrize("suffix", [".zip", ".tar", ".tar.gz"])
def test_a_damaged_archive_is_a_row(suffix: str, tmp_path: Path) -> None:
    """What is no archive is said under its own path."""
    make(tmp_path, f"broken{suffix}")
    (picture,) = Sources([str(tmp_path)])
    assert picture.path == str(tmp_path / f"broken{suffix}")
    with pytest.raises(UnreadableFileError):
        picture.stamp()


def test_members_before_the_damage_are_not_lost(tmp_path: Path) -> None:
    """A tar cut short gives the pictures before the cut, then says that it is cut."""
    file = tmp_path / "shard.tar.gz"
    noise = os.urandom(100_000)
    make_tar(file, {"1.jpg": noise, "2.jpg": noise[::-1], "3.jpg": noise}, "w:gz")
    file.write_bytes(file.read_bytes()[:150_000])
    *whole, damaged = Sources([str(file)])
    assert paths_below(tmp_path, whole) == ["shard.tar.gz!1.jpg"]
    with pytest.raises(UnreadableFileError, match="damaged"):
        damaged.read(MEBIBYTE)


def test_a_folder_without_permission_is_a_row(tmp_path: Path) -> None:
    """What cannot be listed is said, and the rest goes on."""
    make(tmp_path, "a/1.jpg", "b/2.jpg")
    (tmp_path / "a").chmod(0)
    try:
        if os.access(tmp_path / "a", os.R_OK):
            pytest.skip("permissions do not bind this user")
        listed = list(Sources([str(tmp_path)]))
    finally:
        (tmp_path / "a").chmod(0o755)
    assert paths_below(tmp_path, listed) == ["a", "b/2.jpg"]


def test_a_pipe_is_never_opened(tmp_path: Path) -> None:
    """Reading one would wait for ever."""
    os.mkfifo(tmp_path / "pipe.jpg")
    (pipe,) = Sources([str(tmp_path)])
    with pytest.raises(UnreadableFileError, match="regular"):
        pipe.stamp()


def sparse_header(name: str, pieces: list[tuple[int, int]], size_bytes: int) -> bytes:
    """Return the header that GNU tar writes for a file with holes."""
    info = tarfile.TarInfo(name)
    info.type = tarfile.GNUTYPE_SPARSE
    info.size = sum(length for _, length in pieces)
    block = bytearray(info.tobuf(tarfile.GNU_FORMAT))
    fields = [value for piece in pieces for value in piece]
    block[386 : 386 + 12 * len(fields)] = b"".join(b"%011o\0" % value for value in fields)
    block[483:495] = b"%011o\0" % size_bytes
    block[148:156] = b" " * 8
    block[148:156] = b"%06o\0 " % sum(block)
    return bytes(block)


@pytest.mark.parametrize("suffix", [".tar", ".tar.gz"])
def test_a_sparse_member_has_its_holes_again(suffix: str, tmp_path: Path) -> None:
    """Zeros between the pieces that were stored, and after them (`tar -S`)."""
    header = sparse_header("holes.jpg", [(0, 512), (4096, 512)], 6000)
    data = header + b"a" * 512 + b"b" * 512 + bytes(1024)
    file = tmp_path / f"shard{suffix}"
    file.write_bytes(data if suffix == ".tar" else gzip.compress(data))
    (picture,) = Sources([str(file)])
    assert picture.stamp().size_bytes == 6000
    whole = b"a" * 512 + bytes(3584) + b"b" * 512 + bytes(1392)
    assert picture.read(MEBIBYTE) == whole


def test_a_sparse_member_that_lies_is_a_row(tmp_path: Path) -> None:
    """A piece that begins past the end of its file is damage, not a crash."""
    header = sparse_header("lies.jpg", [(0, 512), (9000, 512)], 6000)
    (tmp_path / "shard.tar").write_bytes(header + bytes(1024) + bytes(1024))
    (picture,) = Sources([str(tmp_path)])
    with pytest.raises(UnreadableFileError, match="damaged"):
        picture.read(MEBIBYTE)


def test_what_is_too_large_says_by_what(tmp_path: Path) -> None:
    """Both sizes, in words that can be read."""
    make_tar(tmp_path / "shard.tar", {"1.jpg": bytes(3_000_000)})
    (picture,) = Sources([str(tmp_path)])
    with pytest.raises(ImageTooLargeError, match="3 MB, more than the 1 MB that a file may have"):
        picture.read(MEBIBYTE)


def make_tar_with_links(file: Path, mode: str) -> None:
    """As tar writes a folder in which files have several names."""
    with tarfile.open(file, mode) as archive:  # type: ignore[call-overload]
        for name, linked in (("./a.jpg", ""), ("./b.jpg", "./a.jpg"), ("c.jpg", "gone.jpg")):
            info = tarfile.TarInfo(name)
            info.type = tarfile.LNKTYPE if linked else tarfile.REGTYPE
            info.linkname = linked
            info.size = 0 if linked else 5
            archive.addfile(info, None if linked else io.BytesIO(b"first"))


def test_a_hard_link_in_a_tar_is_the_picture_it_leads_to(tmp_path: Path) -> None:
    """Under its own name; where it leads nowhere, it is a row that says so."""
    make_tar_with_links(tmp_path / "shard.tar", "w")
    first, second, lost = Sources([str(tmp_path)])
    assert paths_below(tmp_path, [first, second, lost]) == [
        *("shard.tar!./a.jpg", "shard.tar!./b.jpg", "shard.tar!c.jpg"),
    ]
    assert first.read(MEBIBYTE) == second.read(MEBIBYTE) == b"first"
    assert picture_at(second.path).read(MEBIBYTE) == b"first"
    with pytest.raises(UnreadableFileError, match=r"hard link to gone\.jpg"):
        lost.read(MEBIBYTE)


def test_a_symbolic_link_in_a_tar_is_the_picture_it_leads_to(tmp_path: Path) -> None:
    """Even to what comes after it; where it leads out of the tar, it is a row that says so."""
    with tarfile.open(tmp_path / "shard.tar", "w") as archive:
        for name, linked in (("best/b.jpg", "../all/a.jpg"), ("c.jpg", "/all/a.jpg")):
            info = tarfile.TarInfo(name)
            info.type, info.linkname = tarfile.SYMTYPE, linked
            archive.addfile(info)
        info = tarfile.TarInfo("all/a.jpg")
        info.size = 5
        archive.addfile(info, io.BytesIO(b"first"))
    sources = Sources([str(tmp_path)])
    first, link, lost = sources
    assert paths_below(tmp_path, [first, link, lost]) == [
        *("shard.tar!all/a.jpg", "shard.tar!best/b.jpg", "shard.tar!c.jpg"),
    ]
    assert sources.count(Event()) == 3
    assert link.read(MEBIBYTE) == picture_at(link.path).read(MEBIBYTE) == b"first"
    with pytest.raises(UnreadableFileError, match=r"symbolic link to /all/a\.jpg"):
        lost.read(MEBIBYTE)


def test_a_hard_link_in_a_compressed_tar_is_a_row_that_says_so(tmp_path: Path) -> None:
    """What it leads to was read in passing, and is not held."""
    make_tar_with_links(tmp_path / "shard.tar.gz", "w:gz")
    first, second, _ = Sources([str(tmp_path)])
    assert first.read(MEBIBYTE) == b"first"
    with pytest.raises(UnreadableFileError, match=r"hard link to \./a\.jpg"):
        second.read(MEBIBYTE)


def test_an_encrypted_member_is_a_row_that_says_so(tmp_path: Path) -> None:
    """In three words, not in the words of the library."""
    make_zip(tmp_path / "shard.zip", {"1.jpg": b"secret"})
    data = bytearray((tmp_path / "shard.zip").read_bytes())
    for signature, flags_at in ((b"PK\3\4", 6), (b"PK\1\2", 8)):
        data[data.index(signature) + flags_at] |= 1
    (tmp_path / "shard.zip").write_bytes(data)
    (picture,) = Sources([str(tmp_path)])
    with pytest.raises(UnreadableFileError, match=r"^encrypted in the archive$"):
        picture.read(MEBIBYTE)


def test_of_two_members_of_one_name_the_last_is_the_picture(tmp_path: Path) -> None:
    """Listed, counted and found once, as whoever unpacks the zip would find it."""
    with zipfile.ZipFile(tmp_path / "shard.zip", "w") as archive:
        for data in (b"first", b"last"):
            with warnings.catch_warnings(action="ignore"):  # zipfile's own, about the name
                archive.writestr("1.jpg", data)
    sources = Sources([str(tmp_path)])
    (picture,) = sources
    assert sources.count(Event()) == 1
    assert picture.read(MEBIBYTE) == picture_at(picture.path).read(MEBIBYTE) == b"last"
