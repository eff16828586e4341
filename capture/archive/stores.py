"""File systems behind URLs: which one a URL means, its connections, its files' names.

Credentials and options come from where each store's own tools take them, or from fsspec's
configuration (``FSSPEC_S3_ANON=true``, for example): never from the URL, which the ledger
holds in clear.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Self, TypeVar
from urllib.parse import urlsplit

from capture.archive.retrying import asked_again, may_pass
from capture.errors import ConfigurationError
from capture.ledger.names import printable

SCHEME = "://"
LOCAL_SCHEME = "file://"
SSH_SCHEMES = ("sftp", "ssh")
WEB_SCHEMES = ("http", "https")
MAX_SILENCE_S = 30.0
"""Of a server, before what was asked of it counts as not to be had."""

Result = TypeVar("Result")


def is_url(name: str) -> bool:
    """Say whether a source is a URL of another kind than ``file``."""
    scheme, found, _ = name.partition(SCHEME)
    return bool(found) and scheme.replace("+", "").isalnum() and not name.startswith(LOCAL_SCHEME)


class Store:
    """A file system of fsspec, which is connected to when something is asked of it.

    Some connect as they are made: a server that is away is an answer for its own pictures,
    and none of the others' business.

    Parameters
    ----------
    kind : type
        A class of fsspec.
    options : dict
        What it is made with.
    """

    def __init__(self, kind: Any, options: dict[str, Any]) -> None:
        self._kind = kind
        self._options = options

    @classmethod
    def of(cls, url: str) -> tuple[Self, str]:
        """Return the store that a URL leads to, and the name in there; nothing is connected.

        Raises
        ------
        ConfigurationError
            If the URL holds a password, or a package for its scheme is missing.
        """
        try:
            parts = urlsplit(url)
        except ValueError as error:
            raise ConfigurationError(f"{printable(url)}: {error}") from error
        if parts.password is not None:
            raise ConfigurationError(
                f"{parts.scheme}://{parts.hostname}: the ledger would hold the password of this URL"
            )
        try:
            from fsspec.config import apply_config
            from fsspec.registry import get_filesystem_class
        except ImportError as error:
            raise ConfigurationError(
                "URLs need fsspec: pip install 'smart-capture[archive]'"
            ) from error
        try:
            kind: Any = get_filesystem_class(parts.scheme)
            given = kind._get_kwargs_from_urls(url)
            options = apply_config(kind, given | _options_for(parts.scheme))
            return cls(kind, options), kind._strip_protocol(url)
        except (ImportError, ValueError) as error:  # fsspec says which package to install
            ours = "; pip install 'smart-capture[s3]'" if parts.scheme in ("s3", "s3a") else ""
            raise ConfigurationError(f"{parts.scheme}://: {error}{ours}") from error

    @property
    def is_of_pages(self) -> bool:
        """Whether it is a web server: folders are pages, and end in ``/``."""
        return "http" in self._kind.protocol

    def ask(self, question: Callable[[Any], Result]) -> Result:
        """Return what a file system of fsspec answers; asked again where the connection failed.

        Each thread has a connection of its own, since those of a kind that waits, such as
        SFTP, lose answers when two threads ask at once; one that broke is made anew.

        Parameters
        ----------
        question : callable
            Asks the file system that it is given.

        Raises
        ------
        Exception
            Of classes of the store's own.
        """

        def ask_once() -> Result:
            try:
                return question(self._kind(**self._options))
            except Exception as error:
                if may_pass(error) and not self._kind.async_impl:
                    self._kind.clear_instance_cache()
                raise

        return asked_again(ask_once)

    def alone(self) -> Any:
        """Return a file system for what goes from thread to thread.

        Raises
        ------
        Exception
            Of classes of the store's own, if it connects as it is made and cannot.
        """
        return self._kind(**self._options, skip_instance_cache=not self._kind.async_impl)

    def url_of(self, name: str) -> str:
        """Return the URL of a file, in text that every database takes.

        Where names say nothing of the host, as over SSH, it is put in: the row must tell two
        hosts apart, and lead back to its picture.
        """
        # It asks its class alone, and nothing of a connection.
        url: str = printable(self._kind.unstrip_protocol(self._kind, name))
        scheme, _, rest = url.partition(SCHEME)
        host = self._options.get("host")
        if not host or not rest.startswith("/"):
            return url
        user, port = (self._options.get(part) for part in ("username", "port"))
        place = f"[{host}]" if ":" in host else host
        where = f"{f'{user}@' if user else ''}{place}{f':{port}' if port else ''}"
        return f"{scheme}{SCHEME}{where}{rest}"


def _options_for(scheme: str) -> dict[str, Any]:
    from fsspec.config import conf

    configured = conf.get(scheme, {})
    if scheme in SSH_SCHEMES:  # others would be handed on to SSH
        return {"timeout": configured.get("timeout", MAX_SILENCE_S)}
    # A listing kept would grow with the archive.
    options: dict[str, Any] = {"use_listings_cache": False}
    if scheme in WEB_SCHEMES:
        from aiohttp import ClientTimeout

        # Of its own it would wait for five minutes, three times, and all others with it.
        silence = ClientTimeout(total=None, sock_connect=MAX_SILENCE_S, sock_read=MAX_SILENCE_S)
        theirs = configured.get("client_kwargs", {})
        options["client_kwargs"] = {"timeout": silence} | theirs
    return options
