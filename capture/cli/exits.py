"""How commands end."""

from enum import IntEnum


class ExitCode(IntEnum):
    """Exit codes of every command."""

    DONE = 0
    SOME_FAILED = 1
    """Done, but for some pictures or models: it was said of each why."""
    WRONG_USE = 2
    """Nothing was done, or no more could be: one line on stderr says why."""
    NOT_AS_EXPECTED = 3
    """Done, and what was found is not what was asked for."""
    INTERRUPTED = 130
    """Ended by Ctrl-C or SIGTERM; what a shell gives for the first."""
