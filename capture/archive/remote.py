"""Pictures behind URLs: object stores, web servers, whatever fsspec knows."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import IO, Any

from capture.archive import stored
from capture.archive.pictures import (
    Picture,
    ReadThrough,
    Stamp,
    Unreachable,
    read_at_most,
    too_large,
)
from capture.archive.retrying import words_for
from capture.archive.stores import Store
from capture.errors import ConfigurationError, ImageError, UnreadableFileError
from capture.ledger.names import printable

Wanted = Callable[[str], bool]
"""Says by its name whether a file is a picture, or to be named in a row."""

LeaveOut = Callable[[str, bool], None]
"""Told the name of what is not wanted, or is hidden, and whether it is a folder."""


class RemotePicture:
    """A picture in a store; what is said of it is asked for once.

    Parameters
    ----------
    store : Store
        Where it lies.
    name : str
        Its name in there.
    info : mapping, optional
        What a listing said of it.
    """

    def __init__(self, store: Store, name: str, info: Mapping[str, Any] | None = None) -> None:
        self._store = store
        self._name = name
        self._info = info

    @property
    def path(self) -> str:
        """The URL, in text that every database takes."""
        return self._store.url_of(self._name)

    def stamp(self) -> Stamp:
        """Look at it; raises UnreadableFileError.

        Where the store does not say when it was changed, it has to be read each time.
        """
        if self._info is None:
            self._info = dict(self._asked(lambda system: system.info(self._name)))
        return Stamp(self._info.get("size"), _mtime_ns(self._info))

    def read(self, max_bytes: int) -> bytes:
        """Read it; raises UnreadableFileError or ImageTooLargeError."""
        size_bytes = self.stamp().size_bytes
        if size_bytes is not None and size_bytes > max_bytes:
            raise too_large(size_bytes, max_bytes)

        def read_from(system: Any) -> bytes:
            if size_bytes is None:
                with system.open(self._name, "rb", block_size=0) as opened:
                    return read_at_most(opened, max_bytes)
            data: bytes = system.cat_file(self._name)
            return data

        data: bytes = self._asked(read_from)
        return data

    def open_in_passing(self) -> IO[bytes]:
        """Open it to be read once, from its beginning; raises OSError."""
        return stored.open_in_passing(self._store, self._name)

    def open_to_jump(self) -> IO[bytes]:
        """Open it to be read anywhere; raises OSError."""
        return stored.open_to_jump(self._store, self._name)

    def _asked(self, question: Callable[[Any], Any]) -> Any:
        try:
            return self._store.ask(question)
        except (ImageError, UnreadableFileError):
            raise
        except Exception as error:  # every store raises classes of its own
            raise UnreadableFileError(words_for(error)) from error


def check_url(url: str) -> None:
    """Refuse a URL that no file system can be made for.

    Raises
    ------
    ConfigurationError
        If it holds a password, or a package for its scheme is missing.
    """
    Store.of(url)


def picture_at_url(url: str) -> RemotePicture | Unreachable:
    """Find a picture again by its URL in the ledger."""
    try:
        return RemotePicture(*Store.of(url))
    except ConfigurationError as error:
        return Unreachable(printable(url), str(error))


def pictures_at(url: str, wanted: Wanted, leave_out: LeaveOut) -> Iterator[Picture | ReadThrough]:
    """Yield the picture at a URL, or those below it, sorted by name folder by folder.

    A folder that could be listed is yielded, too.

    Parameters
    ----------
    url : str
        A file, a folder, or a pattern with ``*``. On web servers a folder ends in ``/``,
        and is what its page links to.
    wanted : callable
        Asked about the files in folders; one that is named is taken as it is.
    leave_out : callable
        Told of every file that is not wanted, and of what is hidden.
    """
    try:
        store, name = Store.of(url)
    except ConfigurationError as error:
        yield Unreachable(printable(url), str(error))
        return
    try:
        pending = _found_at(store, name)
    except Exception as error:  # every store raises classes of its own
        yield Unreachable(store.url_of(name), words_for(error))
        return
    if "*" in name:
        yield ReadThrough(store.url_of(name))
    elif pending[0][1].get("type") != "directory":
        yield _picture(store, *pending.pop())
    while pending:
        name, info = pending.pop()
        if info.get("type") != "directory":
            if wanted(name):
                yield _picture(store, name, info)
            else:
                leave_out(name, False)
            continue
        try:
            entries = _entries_of(store, name, leave_out)
        except Exception as error:
            why = f"folder: {words_for(error)}"
            yield Unreachable(store.url_of(name), why)
        else:
            pending.extend(reversed(entries))
            yield ReadThrough(store.url_of(name))


def _picture(store: Store, name: str, info: Mapping[str, Any]) -> RemotePicture:
    # The size of a link is not that of the picture.
    is_known = info.get("size") is not None and info.get("type") != "link"
    return RemotePicture(store, name, info if is_known else None)


def _found_at(store: Store, name: str) -> list[tuple[str, Mapping[str, Any]]]:
    """Return what a name stands for, the last first, with what the store says of it."""
    if "*" in name:
        matches = store.ask(lambda system: sorted(system.glob(name), reverse=True))
        return [(match, {}) for match in matches]
    if store.is_of_pages:
        return [(name, {"type": "directory"} if name.endswith("/") else {})]
    return [(name, store.ask(lambda system: system.info(name)))]


def _entries_of(
    store: Store, folder: str, leave_out: LeaveOut
) -> list[tuple[str, Mapping[str, Any]]]:
    """List one folder; what a web page links to elsewhere does not lie in it."""
    base = folder.rstrip("/") + "/"
    entries = {
        entry["name"]: entry
        for entry in store.ask(lambda system: system.ls(folder, detail=True))
        if entry["name"].startswith(base) and entry["name"] != base
    }
    shown = []
    for name, info in sorted(entries.items()):
        base = name.rstrip("/").rpartition("/")[2]
        if base.startswith("."):
            leave_out(name, info.get("type") == "directory")
        elif not base.startswith("?"):  # a page's link to itself, sorted otherwise
            shown.append((name, info))
    return shown


def _mtime_ns(info: Mapping[str, Any]) -> int | None:
    """Return when a file was changed, as its store says it: each has a word of its own."""
    for key in ("mtime", "LastModified", "last_modified", "Last-Modified", "updated", "created"):
        moment = info.get(key)
        if isinstance(moment, str):
            with suppress(ValueError):
                moment = (
                    parsedate_to_datetime(moment)
                    if "," in moment
                    else datetime.fromisoformat(moment)
                )
        if isinstance(moment, datetime):
            # A time without a zone would depend on the machine that asks.
            moment = (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()
        if isinstance(moment, int | float):
            return round(moment * 1_000_000) * 1000
    with suppress(KeyError, ValueError):  # FTP says it in digits
        moment = datetime.strptime(info["modify"].partition(".")[0], "%Y%m%d%H%M%S")
        return int(moment.replace(tzinfo=UTC).timestamp()) * 1_000_000_000
    return None
