"""Pictures behind URLs: object stores, web servers, whatever fsspec knows.

Credentials and options come from where each store's own tools take them, or from fsspec's
configuration (``FSSPEC_S3_ANON=true``, for example): never from the URL, which the ledger
holds in clear.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import IO, Any
from urllib.parse import urlsplit

from capture.archive import stored
from capture.archive.pictures import (
    Picture,
    ReadThrough,
    Stamp,
    Unreachable,
    read_at_most,
    too_large,
)
from capture.archive.retrying import asked_again, cause_of
from capture.errors import ConfigurationError, ImageError, UnreadableFileError
from capture.ledger.names import printable

SCHEME = "://"
LOCAL_SCHEME = "file://"
SSH_SCHEMES = ("sftp", "ssh")
WEB_SCHEMES = ("http", "https")
MAX_SILENCE_S = 30.0
"""Of a web server, before the picture counts as not to be read."""

Wanted = Callable[[str], bool]
"""Says by its name whether a file is a picture, or to be named in a row."""


def is_url(name: str) -> bool:
    """Say whether a source is a URL of another kind than ``file``."""
    scheme, found, _ = name.partition(SCHEME)
    return bool(found) and scheme.replace("+", "").isalnum() and not name.startswith(LOCAL_SCHEME)


class RemotePicture:
    """A picture in a file system of fsspec; what is said of it is asked for once.

    Parameters
    ----------
    system : AbstractFileSystem
        Of fsspec.
    name : str
        Its name in there.
    info : mapping, optional
        What a listing said of it.
    """

    def __init__(self, system: Any, name: str, info: Mapping[str, Any] | None = None) -> None:
        self._system = system
        self._name = name
        self._info = info

    @property
    def path(self) -> str:
        """The URL, in text that every database takes."""
        return _url_of(self._system, self._name)

    def stamp(self) -> Stamp:
        """Look at it; raises UnreadableFileError.

        Where the store does not say when it was changed, it has to be read each time.
        """
        if self._info is None:
            self._info = dict(_asked(lambda: _at_hand(self._system).info(self._name)))
        return Stamp(self._info.get("size"), _mtime_ns(self._info))

    def read(self, max_bytes: int) -> bytes:
        """Read it; raises UnreadableFileError or ImageTooLargeError."""
        size_bytes = self.stamp().size_bytes
        if size_bytes is not None and size_bytes > max_bytes:
            raise too_large(size_bytes, max_bytes)
        data: bytes = _asked(lambda: self._read(size_bytes, max_bytes))
        return data

    def open_in_passing(self) -> IO[bytes]:
        """Open it to be read once, from its beginning; raises OSError."""
        return stored.open_in_passing(_at_hand(self._system, alone=True), self._name, _words_for)

    def open_to_jump(self) -> IO[bytes]:
        """Open it to be read anywhere; raises OSError."""
        return stored.open_to_jump(_at_hand(self._system, alone=True), self._name, _words_for)

    def _read(self, size_bytes: int | None, max_bytes: int) -> bytes:
        system = _at_hand(self._system)
        if size_bytes is None:
            with system.open(self._name, "rb", block_size=0) as opened:
                return read_at_most(opened, max_bytes)
        data: bytes = system.cat_file(self._name)
        return data


def check_url(url: str) -> None:
    """Refuse a URL that no file system can be made for.

    Raises
    ------
    ConfigurationError
        If it holds a password, or a package for its scheme is missing.
    """
    _system_of(url)


def picture_at_url(url: str) -> RemotePicture | Unreachable:
    """Find a picture again by its URL in the ledger."""
    try:
        return RemotePicture(*_system_of(url))
    except ConfigurationError as error:
        return Unreachable(printable(url), str(error))


def pictures_at(
    url: str, wanted: Wanted, skip: Callable[[], None]
) -> Iterator[Picture | ReadThrough]:
    """Yield the picture at a URL, or those below it, sorted by name folder by folder.

    A folder that could be listed is yielded, too.

    Parameters
    ----------
    url : str
        A file, a folder, or a pattern with ``*``. On web servers a folder ends in ``/``,
        and is what its page links to.
    wanted : callable
        Asked about the files in folders; one that is named is taken as it is.
    skip : callable
        Called for every file that is not wanted.
    """
    try:
        system, name = _system_of(url)
    except ConfigurationError as error:
        yield Unreachable(printable(url), str(error))
        return
    try:
        system = _at_hand(system, alone=True)
        if "*" in name:
            matches = sorted(system.glob(name), reverse=True)
            pending: list[tuple[str, Mapping[str, Any]]] = [(match, {}) for match in matches]
        elif _is_folder(system, name):
            pending = [(name, {"type": "directory"})]
        else:
            yield RemotePicture(system, name)
            return
    except Exception as error:  # every store raises classes of its own
        yield Unreachable(_url_of(system, name), _words_for(error))
        return
    while pending:
        name, info = pending.pop()
        if info.get("type") != "directory":
            if wanted(name):
                # The size of a link is not that of the picture.
                is_known = info.get("size") is not None and info.get("type") != "link"
                yield RemotePicture(system, name, info if is_known else None)
            else:
                skip()
            continue
        try:
            entries = _entries_of(system, name)
        except Exception as error:
            why = f"folder: {_words_for(error)}"
            yield Unreachable(_url_of(system, name), why)
        else:
            pending.extend(reversed(entries))
            yield ReadThrough(_url_of(system, name))


def _system_of(url: str) -> tuple[Any, str]:
    parts = urlsplit(url)
    if parts.password is not None:
        raise ConfigurationError(
            f"{parts.scheme}://{parts.hostname}: the ledger would hold the password of this URL"
        )
    try:
        from fsspec.core import url_to_fs
    except ImportError as error:
        raise ConfigurationError(
            "URLs need fsspec: pip install 'smart-capture[archive]'"
        ) from error
    try:
        system, name = url_to_fs(url, **_options_for(parts.scheme))
    except (ImportError, ValueError) as error:  # fsspec says which package to install
        ours = "; pip install 'smart-capture[s3]'" if parts.scheme in ("s3", "s3a") else ""
        raise ConfigurationError(f"{parts.scheme}://: {error}{ours}") from error
    except Exception as error:
        raise ConfigurationError(f"{parts.scheme}://: {_words_for(error)}") from error
    return system, name


def _options_for(scheme: str) -> dict[str, Any]:
    if scheme in SSH_SCHEMES:
        return {}  # it would hand them on to SSH
    # A listing kept would grow with the archive.
    options: dict[str, Any] = {"use_listings_cache": False}
    if scheme in WEB_SCHEMES:
        from aiohttp import ClientTimeout
        from fsspec.config import conf

        # Of its own it would wait for five minutes, three times, and all others with it.
        silence = ClientTimeout(total=None, sock_connect=MAX_SILENCE_S, sock_read=MAX_SILENCE_S)
        theirs = conf.get(scheme, {}).get("client_kwargs", {})
        options["client_kwargs"] = {"timeout": silence} | theirs
    return options


def _at_hand(system: Any, *, alone: bool = False) -> Any:
    """Return the same file system for one thread, or alone for what goes from thread to thread.

    Those of a kind that waits, such as SFTP, lose answers when two threads ask at once.
    """
    if system.async_impl:
        return system
    options = system.storage_options
    return type(system)(*system.storage_args, **options, skip_instance_cache=alone)


def _url_of(system: Any, name: str) -> str:
    """Return the URL of a file, in text that every database takes.

    Where names say nothing of the host, as over SSH, it is put in: the row must tell two
    hosts apart, and lead back to its picture.
    """
    url: str = printable(system.unstrip_protocol(name))
    scheme, _, rest = url.partition(SCHEME)
    host = system.storage_options.get("host")
    if not host or not rest.startswith("/"):
        return url
    user, port = (system.storage_options.get(part) for part in ("username", "port"))
    place = f"[{host}]" if ":" in host else host
    return f"{scheme}{SCHEME}{f'{user}@' if user else ''}{place}{f':{port}' if port else ''}{rest}"


def _is_folder(system: Any, name: str) -> bool:
    if "http" in system.protocol:
        return name.endswith("/")
    return bool(system.info(name)["type"] == "directory")


def _entries_of(system: Any, folder: str) -> list[tuple[str, Mapping[str, Any]]]:
    """List one folder; what a web page links to elsewhere does not lie in it."""
    base = folder.rstrip("/") + "/"
    entries = {
        entry["name"]: entry
        for entry in system.ls(folder, detail=True)
        if entry["name"].startswith(base) and entry["name"] != base
    }
    return [
        (name, info)
        for name, info in sorted(entries.items())
        if not name.rstrip("/").rpartition("/")[2].startswith((".", "?"))
    ]


def _asked(question: Callable[[], Any]) -> Any:
    try:
        return asked_again(question)
    except (ImageError, UnreadableFileError):
        raise
    except Exception as error:  # every store raises classes of its own
        raise UnreadableFileError(_words_for(error)) from error


def _words_for(error: BaseException) -> str:
    """Say what went wrong; texts of stores may hold signed URLs, so they are left out."""
    error = cause_of(error)
    if isinstance(error, FileNotFoundError):
        return "No such file or directory"
    words = [type(error).__name__]
    words += [str(code) for code in (getattr(error, "status", None),) if code]
    if isinstance(error, OSError) and error.strerror:
        words = [error.strerror]
    return " ".join(words)


def _mtime_ns(info: Mapping[str, Any]) -> int | None:
    """Return when a file was changed, as its store says it: each has a word of its own."""
    for key in ("mtime", "LastModified", "last_modified", "Last-Modified", "updated", "created"):
        moment = info.get(key)
        if isinstance(moment, str):
            try:
                moment = (
                    parsedate_to_datetime(moment)
                    if "," in moment
                    else datetime.fromisoformat(moment)
                )
            except ValueError:
                continue
        if isinstance(moment, datetime):
            # A time without a zone would depend on the machine that asks.
            moment = (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()
        if isinstance(moment, int | float):
            return round(moment * 1_000_000) * 1000
    return None
