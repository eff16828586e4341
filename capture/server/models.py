"""Which model answers, while the server serves: checked first, then switched without a gap."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final, TypeVar

import structlog

from capture.server.writing import writing_factory
from inference.errors import (
    ModelError,
    ModelRefusedError,
    RemoteError,
    UnknownModelError,
    WorkerError,
)
from inference.examination import Examination, Examiner
from inference.lanes import LanePool
from inference.registry import ModelEntry, Registry

if TYPE_CHECKING:
    from capture.settings import Settings

_EXAMINATION_TIMEOUT_S: Final = 120.0
"""A model of hundreds of megabytes is read, optimized and shown some dozen pictures."""

Result = TypeVar("Result")

_LOG = structlog.get_logger("capture.server")


@dataclass(frozen=True, slots=True)
class Switched:
    """What a switch came to.

    Attributes
    ----------
    model, previous : str
        The model that answers now, and the one that did until now, ``name@version``.
    """

    model: str
    previous: str


class ModelSwitch:
    """Examines models in a process of their own, and renews the workers with one that passed.

    Parameters
    ----------
    settings : Settings
        Where the models lie.
    pool : LanePool
        The workers.
    served : str or None
        The model that they serve; None when they do not classify.
    """

    def __init__(self, settings: Settings, pool: LanePool, served: str | None) -> None:
        self._settings = settings
        self._pool = pool
        self._served = served
        self._registry = Registry(settings.models_folder)
        self._turn = asyncio.Lock()

    async def entries(self) -> tuple[ModelEntry, ...]:
        """List the models.

        Raises
        ------
        ModelRefusedError
            If they cannot be read.
        """
        entries = await _told(asyncio.to_thread(self._registry.entries))
        return tuple(replace(entry, is_served=entry.id == self._served) for entry in entries)

    async def examine(self, model_id: str = "") -> Examination:
        """Check the files of a model, load it, and compare its tiers on this CPU.

        Parameters
        ----------
        model_id : str
            ``name@version``; empty means the one that is served.

        Raises
        ------
        UnknownModelError
            If there is no such model.
        ModelRefusedError
            If it cannot be used.
        """
        async with self._turn:
            return await self._examined(model_id or self._require_served())

    async def activate(self, model_id: str) -> Switched:
        """Serve a model that passes its verification, from now on and after a restart.

        Raises
        ------
        UnknownModelError
            If there is no such model.
        ModelNotVerifiedError, ModelRefusedError
            If it cannot be used here; the one of before stays.
        """
        async with self._turn:
            self._require_served()
            (await self._examined(model_id)).require_passed()
            return await self._switch(model_id, lambda: self._registry.choose(model_id))

    async def rollback(self) -> Switched:
        """Serve the model that was active before.

        Raises
        ------
        UnknownModelError
            If there was none, or it is gone.
        ModelRefusedError
            If it cannot be used any more; the one of now stays.
        """
        async with self._turn:
            self._require_served()
            model_id = (await _told(asyncio.to_thread(self._registry.previous))).id
            await self._examined(model_id)
            return await self._switch(model_id, self._registry.rollback)

    async def _switch(self, model_id: str, write_down: Callable[[], object]) -> Switched:
        previous = self._require_served()
        factory = writing_factory(self._settings, classify=True, model=model_id)
        try:
            with self._registry.undone_on_failure():
                write_down()  # no thread: it would go on writing when this is cancelled
                await self._pool.renew(factory)
        except WorkerError as error:
            raise ModelRefusedError(f"no worker came up with {model_id}: {error}") from error
        except ModelError as error:
            raise ModelRefusedError(str(error)) from error
        self._served = model_id
        _LOG.info("model switched", model=model_id, previous=previous)
        return Switched(model_id, previous)

    async def _examined(self, model_id: str) -> Examination:
        # Not in the front, which does nothing that takes time, nor in a worker, which serves.
        examiners = LanePool(
            Examiner,
            worker_count=1,
            job_timeout_s=_EXAMINATION_TIMEOUT_S,
            memory_limit_bytes=self._settings.memory_limit_mb << 20,
        )
        try:
            async with examiners:
                examination: Examination = await examiners.run(
                    (self._settings.models_folder, model_id)
                )
        except RemoteError as error:
            if error.type_name == UnknownModelError.__name__:
                raise UnknownModelError(error.message) from error
            raise ModelRefusedError(error.message) from error
        except WorkerError as error:
            raise ModelRefusedError(f"{model_id} cannot be examined: {error}") from error
        return examination

    def _require_served(self) -> str:
        if self._served is None:
            raise ModelRefusedError("this server does not classify: it has no use for a model")
        return self._served


async def _told(reading: Coroutine[Any, Any, Result]) -> Result:
    """Wait for what is read from the models' folder; what is wrong there is for the caller."""
    try:
        return await reading
    except UnknownModelError:
        raise
    except ModelError as error:
        raise ModelRefusedError(str(error)) from error
