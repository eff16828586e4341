"""What all calls share: a request id, one way to fail, and the end of the server."""

from __future__ import annotations

import asyncio
import itertools
import secrets
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Any, NoReturn, TypeAlias, TypeVar

import grpc.aio
import structlog
from google.protobuf.message import DecodeError

from capture.errors import IdleTimeoutError, InvalidMessageError, OverloadedError
from capture.server.log import request_id
from capture.server.metrics import Metrics
from capture.server.status import Refusal, refusal_of
from capture.wire.metadata import REQUEST_ID_KEY
from inference.errors import JobTimeoutError, PoisonJobError

Context: TypeAlias = grpc.aio.ServicerContext[Any, Any]
Received = TypeVar("Received")

_PROCESS_ID = secrets.token_hex(4)
_CALL_NUMBERS = itertools.count(1)

_COSTLY_CODES = frozenset({JobTimeoutError.code, PoisonJobError.code})
"""What an operator wants to know of, and who sent it."""

_LOG = structlog.get_logger("capture.server")


@dataclass(frozen=True, slots=True)
class Call:
    """One call of a client.

    Attributes
    ----------
    context : grpc.aio.ServicerContext
        What gRPC knows of it.
    request_id : str
        Names the call in the log and in its trailing metadata.
    metrics : Metrics
        Where its errors are counted.
    """

    context: Context
    request_id: str
    metrics: Metrics

    @property
    def peer(self) -> str:
        """Address of the client's connection."""
        return self.context.peer()

    @property
    def remaining_s(self) -> float | None:
        """Time until the client gives up; None when it did not say."""
        return self.context.time_remaining()

    def refuse(self, error: Exception) -> Refusal:
        """Return what the client is told of an error; a defect of ours goes to the log."""
        refusal = refusal_of(error)
        if isinstance(error, OverloadedError):
            self.metrics.refused(error.cause)
        if not refusal.row.tells:
            _LOG.error("failed", exc_info=error)
        return self.count(refusal)

    def count(self, refusal: Refusal) -> Refusal:
        """Count a refusal by its code, and return it."""
        code = refusal.row.code
        self.metrics.failed(code)
        if code in _COSTLY_CODES:
            _LOG.warning("a job cost a worker", code=code, peer=self.peer)
        else:
            _LOG.debug("refused", code=code, message=refusal.message)
        return refusal

    async def abort(self, refusal: Refusal) -> NoReturn:
        """End the call with a refusal; where nobody is left to tell, it counts as cancelled."""
        try:
            await self.context.abort(
                refusal.row.status,
                refusal.message,
                trailing_metadata=((REQUEST_ID_KEY, self.request_id), *refusal.metadata()),
            )
        except grpc.aio.InternalError:
            raise asyncio.CancelledError from None
        raise AssertionError("abort returns never")


async def next_within(messages: AsyncIterator[Received], timeout_s: float) -> Received | None:
    """Return the next message of a stream; None when it has ended.

    Raises
    ------
    IdleTimeoutError
        If none comes in time, in seconds; one that comes byte by byte counts as none.
    InvalidMessageError
        If what comes is no message of this call.
    """
    return await _within(timeout_s, anext(messages, None))


async def only_message_within(context: Context, timeout_s: float) -> Any:
    """Return the message of a call that has one; None when it has none.

    Its iterator, left before its end, would cost a task to close it.

    Raises
    ------
    IdleTimeoutError, InvalidMessageError
        As `next_within`.
    """
    message = await _within(timeout_s, context.read())
    return None if message is grpc.aio.EOF else message


async def _within(timeout_s: float, message: Awaitable[Received]) -> Received:
    try:
        async with asyncio.timeout(timeout_s):
            return await message
    except TimeoutError:
        raise IdleTimeoutError(f"no message came for {timeout_s:g} s") from None
    except DecodeError:
        raise InvalidMessageError("these bytes are no message of this call") from None


class answering:  # noqa: N801 - read as a word: async with answering(context, metrics)
    """Answer a call: name it, and turn an error into its status.

    Parameters
    ----------
    context : grpc.aio.ServicerContext
        What gRPC knows of the call.
    metrics : Metrics
        Where its errors are counted.
    """

    def __init__(self, context: Context, metrics: Metrics) -> None:
        self._call = Call(context, f"{_PROCESS_ID}{next(_CALL_NUMBERS):08x}", metrics)

    async def __aenter__(self) -> Call:
        request_id.set(self._call.request_id)
        self._call.context.set_trailing_metadata(((REQUEST_ID_KEY, self._call.request_id),))
        return self._call

    async def __aexit__(
        self, _type: type[BaseException] | None, error: BaseException | None, _trace: object
    ) -> None:
        if isinstance(error, grpc.aio.InternalError):
            # Nothing can be sent any more: the client has gone, and nobody is left to tell.
            raise asyncio.CancelledError from None
        if isinstance(error, Exception) and not isinstance(error, grpc.aio.AbortError):
            await self._call.abort(self._call.refuse(error))


class Drain:
    """The end of the server, told to the streams that are still open."""

    def __init__(self) -> None:
        self._ends_at_s: float | None = None
        self._streams: dict[object, Callable[[], object]] = {}
        self._no_streams = asyncio.Event()
        self._no_streams.set()
        self._answers_go = asyncio.Event()
        self._answers_go.set()

    @property
    def has_begun(self) -> bool:
        """Whether the server takes nothing new."""
        return self._ends_at_s is not None

    @property
    def left_s(self) -> float:
        """Time until calls are cut, in seconds."""
        return max(0.0, (self._ends_at_s or 0.0) - time.monotonic())

    @contextmanager
    def telling(self, come_to_an_end: Callable[[], object]) -> Iterator[None]:
        """Hold a stream open; `come_to_an_end` is called once, when the end begins."""
        stream = object()
        self._streams[stream] = come_to_an_end
        self._no_streams.clear()
        try:
            if self.has_begun:
                come_to_an_end()
            yield
        finally:
            del self._streams[stream]
            if not self._streams:
                self._no_streams.set()

    async def may_answer(self) -> None:
        """Wait while answers are held back."""
        await self._answers_go.wait()

    @contextmanager
    def holding_answers(self) -> Iterator[None]:
        """Hold answers back meanwhile: who waits for one does not call again.

        gRPC takes calls one by one, and cancels those it has not taken when it is told to
        stop; callers that have just been answered would call again in that moment.
        """
        self._answers_go.clear()
        try:
            yield
        finally:
            self._answers_go.set()

    async def run(self, grace_s: float) -> None:
        """Tell all streams to come to an end, and wait for it up to `grace_s` seconds."""
        if not self.has_begun:
            self._ends_at_s = time.monotonic() + grace_s
            for come_to_an_end in tuple(self._streams.values()):
                come_to_an_end()
        with suppress(TimeoutError):
            await asyncio.wait_for(self._no_streams.wait(), grace_s)


@contextmanager
def first_failure() -> Iterator[None]:
    """Raise the first error of a group of tasks by itself: it has ended the others."""
    try:
        yield
    except ExceptionGroup as failures:
        raise failures.exceptions[0] from None


async def ended(*tasks: asyncio.Task[Any]) -> None:
    """Cancel tasks and wait until they have ended, whatever their outcome."""
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
