"""Bearer tokens: a TOML file of their names, hashes and scopes, read anew when it changes.

::

    [[token]]
    name = "trail-camera"
    sha256 = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"
    scopes = ["capture"]

A token is 256 random bits, so that a plain sha256 keeps it as well as a slow password hash
would: there is no dictionary to try. The file never holds a token itself.
"""

from __future__ import annotations

import hashlib
import hmac
import re
import secrets
import tomllib
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any

import structlog

from capture.errors import ConfigurationError

_PREFIX = "sc_"
"""Lets scanners for leaked secrets know one when they see it."""

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
_SHA256 = re.compile(r"[0-9a-f]{64}")

_LOG = structlog.get_logger("capture.server")


class Scope(StrEnum):
    """What a token is good for; one does not include the other."""

    CAPTURE = "capture"
    ADMIN = "admin"


@dataclass(frozen=True, slots=True)
class TokenEntry:
    """What is known of a token; not the token.

    Attributes
    ----------
    name : str
        Who holds it: up to 64 letters, digits, dots, underscores and hyphens.
    sha256 : str
        Hash of the token, 64 hexadecimal digits.
    scopes : frozenset of Scope
        What it is good for.
    """

    name: str
    sha256: str
    scopes: frozenset[Scope]

    def to_toml(self) -> str:
        """Write it as it stands in the file."""
        scopes = ", ".join(f'"{scope}"' for scope in sorted(self.scopes))
        return f'[[token]]\nname = "{self.name}"\nsha256 = "{self.sha256}"\nscopes = [{scopes}]\n'


def new_token(name: str, scopes: Sequence[Scope]) -> tuple[str, TokenEntry]:
    """Make a token of 256 random bits.

    Returns
    -------
    str, TokenEntry
        The token, to be handed over once, and what is kept of it.

    Raises
    ------
    ConfigurationError
        If the name cannot be used, or there is no scope.
    """
    token = _PREFIX + secrets.token_urlsafe(32)
    entry = {"name": name, "sha256": _sha256(token), "scopes": list(scopes)}
    return token, _entry(entry)


def add_entry(path: Path, entry: TokenEntry) -> None:
    """Add an entry to a file of tokens, which only its owner may read.

    Raises
    ------
    ConfigurationError
        If the file cannot be read or written, or has that name already.
    """
    try:
        entries = read_entries(path) if path.exists() else ()
        if any(entry.name == known.name for known in entries):
            raise ConfigurationError(f"{path} already has a token named {entry.name}")
        path.touch(mode=0o600)
        with path.open("a") as file:
            file.write(("\n" if entries else "") + entry.to_toml())
    except OSError as error:
        raise ConfigurationError(f"{path}: {error.strerror}") from error


def read_entries(path: Path) -> tuple[TokenEntry, ...]:
    """Read a file of tokens.

    Raises
    ------
    ConfigurationError
        If it cannot be read, or an entry cannot be used.
    """
    try:
        table = tomllib.loads(path.read_text())
    except OSError as error:
        raise ConfigurationError(f"{path}: {error.strerror}") from error
    except ValueError as error:
        raise ConfigurationError(f"{path}: {error}") from error
    rows = table.pop("token", [])
    if table or not isinstance(rows, list):
        raise ConfigurationError(f"{path}: only [[token]] entries are known here")
    try:
        entries = tuple(_entry(row) for row in rows)
    except ConfigurationError as error:
        raise ConfigurationError(f"{path}: {error}") from None
    if len({entry.name for entry in entries}) < len(entries):
        raise ConfigurationError(f"{path}: two tokens have one name")
    return entries


class TokenFile:
    """The tokens that are good now: a file's, as it stands.

    Parameters
    ----------
    path : Path
        The file.

    Raises
    ------
    ConfigurationError
        If it cannot be read. Later on, a file that cannot be read changes nothing.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._entries = read_entries(path)
        self._stamp = self._stamp_now()

    def find(self, token: str) -> TokenEntry | None:
        """Return the entry of a token; None when it is not known.

        All entries are compared, each in constant time, so that the time it takes tells
        nothing of what is in the file.
        """
        self._follow()
        digest = _sha256(token)
        found = None
        for entry in self._entries:
            if hmac.compare_digest(entry.sha256, digest):
                found = entry
        return found

    def _follow(self) -> None:
        stamp = self._stamp_now()
        if stamp == self._stamp:
            return
        self._stamp = stamp
        try:
            self._entries = read_entries(self._path)
        except ConfigurationError as error:
            _LOG.warning("tokens cannot be read, those before stay good", cause=str(error))
        else:
            _LOG.info("tokens have changed", token_count=len(self._entries))

    def _stamp_now(self) -> tuple[int, int, int] | None:
        try:
            status = self._path.stat()
        except OSError:
            return None
        return status.st_ino, status.st_size, status.st_mtime_ns


def _sha256(token: str) -> str:
    return hashlib.sha256(token.encode(errors="surrogateescape")).hexdigest()


def _entry(row: Any) -> TokenEntry:
    match row:
        case {"name": str(name), "sha256": str(sha256), "scopes": [*scopes], **rest} if not rest:
            pass
        case _:
            raise ConfigurationError("a token has a name, a sha256 and scopes")
    if not _NAME.fullmatch(name):
        raise ConfigurationError(f"a token cannot be named {name!r}")
    if not _SHA256.fullmatch(sha256):
        raise ConfigurationError(f"the sha256 of token {name} is not 64 hexadecimal digits")
    if not scopes or not all(scope in list(Scope) for scope in scopes):
        raise ConfigurationError(f"the scopes of token {name} must be of: {', '.join(Scope)}")
    return TokenEntry(name, sha256, frozenset(map(Scope, scopes)))
