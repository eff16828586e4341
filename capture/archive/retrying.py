"""Ask a store again where the connection failed, not the question."""

from __future__ import annotations

import sys
from collections.abc import Callable
from ftplib import error_temp as FtpIsBusy  # noqa: N812 - what it says by its number
from functools import lru_cache
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from tenacity import Retrying

ATTEMPT_COUNT = 3
MAX_WAIT_S = 2.0

Result = TypeVar("Result")

_FINAL = (FileNotFoundError, PermissionError, IsADirectoryError, NotADirectoryError)
_BUSY = (408, 429)
_MISSING = (404, 410)


def asked_again(question: Callable[[], Result]) -> Result:
    """Return the answer to a question that may be asked more than once.

    Raises
    ------
    Exception
        What the last attempt raised, or the first that will not pass by waiting.
    """
    return _retrying()(question)


@lru_cache(maxsize=1)
def _retrying() -> Retrying:
    # With the extra that reads URLs, and only where one is read.
    from tenacity import Retrying, retry_if_exception, stop_after_attempt, wait_random_exponential

    return Retrying(
        retry=retry_if_exception(may_pass),
        stop=stop_after_attempt(ATTEMPT_COUNT),
        wait=wait_random_exponential(multiplier=0.2, max=MAX_WAIT_S),
        reraise=True,
    )


def cause_of(error: BaseException) -> BaseException:
    """Return what really went wrong: fsspec says of whatever a web server did, not found."""
    cause = error.__cause__
    if not isinstance(error, FileNotFoundError) or cause is None:
        return error
    is_missing = getattr(cause, "status", None) in _MISSING
    return cause if _is_of_http(cause) and not is_missing else error


def words_for(error: BaseException) -> str:
    """Say what went wrong; texts of stores may hold signed URLs, so they are left out."""
    error = cause_of(error)
    if isinstance(error, FileNotFoundError):
        return "No such file or directory"
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    status = getattr(error, "status", None)
    return f"{type(error).__name__} {status}" if status else type(error).__name__


def may_pass(error: BaseException) -> bool:
    """Say whether an error is of the connection, or of a server that is busy."""
    error = cause_of(error)
    status = getattr(error, "status", None)
    if isinstance(status, int) and status >= 400:
        return status in _BUSY or status >= 500
    if isinstance(error, _FINAL):
        return False
    return (
        isinstance(error, OSError | EOFError | FtpIsBusy) or _is_of_ssh(error) or _is_of_http(error)
    )


def _is_of_http(error: BaseException) -> bool:
    try:
        from aiohttp import ClientError
    except ImportError:  # another kind of store
        return False
    return isinstance(error, ClientError)


def _is_of_ssh(error: BaseException) -> bool:
    # Whoever raises it has it imported.
    paramiko = sys.modules.get("paramiko")
    return paramiko is not None and isinstance(error, paramiko.SSHException)
