"""What a model or a worker process can suffer, drawn as a tree.

::

    InferenceError
    |-- ModelError              manifest, weights or tensors that cannot be used
    |   |-- UnknownModelError       there is no such model
    |   `-- ModelRefusedError       it is not activated; says why
    |       `-- ModelNotVerifiedError   it answers differently on this CPU
    `-- WorkerError             the lane, not the picture
        |-- PoisonJobError          POISON   it has ended two workers; not tried again
        |-- JobTimeoutError         TIMEOUT  it ran past its time limit; the worker was killed
        |-- WorkerStartError        a worker did not come up
        |-- WorkersLostError        so many were lost that the next ones wait; says how long
        `-- RemoteError             an exception crossed from a worker as type name and text
"""

from __future__ import annotations

from typing import ClassVar


class InferenceError(Exception):
    """Base of all errors of this package."""


class ModelError(InferenceError):
    """A manifest, its weights or its tensors cannot be used."""


class UnknownModelError(ModelError):
    """There is no such model, or none that was active before."""


class ModelRefusedError(ModelError):
    """A model that is not activated, with the reason in words; the one of before stays."""


class ModelNotVerifiedError(ModelRefusedError):
    """A model whose quantized tier differs too much from its reference on this CPU."""


class WorkerError(InferenceError):
    """A worker process failed, not the picture."""


class PoisonJobError(WorkerError):
    """The job has ended two workers and is not tried a third time."""

    code: ClassVar[str] = "POISON"


class JobTimeoutError(WorkerError):
    """The job ran past its time limit and its worker was killed."""

    code: ClassVar[str] = "TIMEOUT"


class WorkerStartError(WorkerError):
    """A worker process did not come up."""


class WorkersLostError(WorkerError):
    """So many workers were lost that none is there until the next one is tried.

    Parameters
    ----------
    retry_after_s : float
        Time until then, in seconds.
    """

    def __init__(self, retry_after_s: float) -> None:
        super().__init__(
            f"too many workers were lost, the next one is tried in {retry_after_s:.1f} s"
        )
        self.retry_after_s = retry_after_s


class RemoteError(WorkerError):
    """An exception crossed from a worker that this process has no class for.

    Parameters
    ----------
    type_name : str
        The class name on the other side.
    message : str
        Its text.
    """

    def __init__(self, type_name: str, message: str) -> None:
        super().__init__(f"{type_name}: {message}")
        self.type_name = type_name
        self.message = message
