"""Files in stores, opened as archives are read: in passing, or here and there."""

from __future__ import annotations

import errno
import io
import shutil
import tempfile
from collections.abc import Callable
from contextlib import suppress
from typing import IO, Any, TypeVar

from capture.archive.retrying import asked_again, words_for
from capture.archive.stores import Store

PASSING_BLOCK_BYTES = 8 << 20
JUMPING_BLOCK_BYTES = 1 << 20

Result = TypeVar("Result")


class _StoredFile(io.RawIOBase):
    """A file of fsspec whose every failure is an OSError: each store raises its own classes.

    Parameters
    ----------
    opened : file object
        As fsspec gives it.
    """

    def __init__(self, opened: Any) -> None:
        self._opened = opened

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return bool(self._opened.seekable())

    def readinto(self, buffer: Any) -> int:
        data: bytes = self._asked(lambda: self._read(len(buffer)))
        buffer[: len(data)] = data
        return len(data)

    def seek(self, offset: int, whence: int = 0) -> int:
        self._asked(lambda: self._opened.seek(offset, whence))
        return self.tell()  # not every store says it when it is told to go there

    def tell(self) -> int:
        return int(self._opened.tell())

    def close(self) -> None:
        if not self.closed:
            self._opened.close()
        super().close()

    def _read(self, size_bytes: int) -> bytes:
        if not self.seekable():  # once broken, it goes on nowhere
            data: bytes = self._opened.read(size_bytes)
            return data
        start = self._opened.tell()

        def read_from_start() -> bytes:
            self._opened.seek(start)
            data: bytes = self._opened.read(size_bytes)
            return data

        return asked_again(read_from_start)

    def _asked(self, question: Callable[[], Result]) -> Result:
        try:
            return question()
        except Exception as error:
            raise OSError(errno.EIO, words_for(error)) from error


def open_in_passing(store: Store, name: str) -> IO[bytes]:
    """Open a file to be read once, from its beginning; raises OSError.

    Web servers send it in one answer, other stores a block at a time.
    """
    block_bytes = 0 if store.is_of_pages else PASSING_BLOCK_BYTES
    return _open(store, name, block_bytes)


def open_to_jump(store: Store, name: str) -> IO[bytes]:
    """Open a file to be read anywhere in it; raises OSError.

    Where the store sends it only from its beginning, it is fetched into a temporary file.
    """
    opened = _open(store, name, JUMPING_BLOCK_BYTES)
    with suppress(OSError):  # it may promise more than it holds
        if opened.seekable():
            opened.seek(-1, io.SEEK_END)
            opened.read(1)
            return opened
    opened.close()
    whole = tempfile.TemporaryFile(prefix="smart-capture-")  # noqa: SIM115 - who asked closes it

    def fetch() -> None:
        whole.seek(0)
        whole.truncate()
        with open_in_passing(store, name) as passing:
            shutil.copyfileobj(passing, whole)

    try:
        asked_again(fetch)
    except BaseException:
        whole.close()
        raise
    return whole


def _open(store: Store, name: str, block_bytes: int) -> IO[bytes]:
    def opening() -> Any:
        return store.alone().open(name, "rb", block_size=block_bytes, cache_type="readahead")

    try:
        opened = asked_again(opening)
    except Exception as error:
        raise OSError(errno.EIO, words_for(error)) from error
    return io.BufferedReader(_StoredFile(opened))
