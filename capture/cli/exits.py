"""How commands end."""

from enum import IntEnum


class ExitCode(IntEnum):
    """Exit codes of every command."""

    DONE = 0
    SOME_UNREADABLE = 1
    WRONG_USE = 2
    NOT_ALL_ACCEPTED = 3
    INTERRUPTED = 130
