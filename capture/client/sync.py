"""The client for programs without asyncio: the one for asyncio, run in a thread.

Every method here is the method of the same name there, with the same arguments; it blocks
until that is done.
"""

from __future__ import annotations

import asyncio
import functools
import threading
from collections.abc import AsyncGenerator, Callable, Coroutine, Iterator
from types import TracebackType
from typing import Any, Concatenate, Generic, ParamSpec, Self, TypeVar

import grpc

from capture.client.aio import DEFAULT_TARGET, AsyncClient
from capture.client.session import RECONNECT_FOR_S, AsyncSession

Arguments = ParamSpec("Arguments")
Result = TypeVar("Result")
Inner = TypeVar("Inner")


class EventLoopThread:
    """An event loop in a thread of its own, between `start` and `close`."""

    def __init__(self) -> None:
        self._loop: asyncio.AbstractEventLoop | None = None
        self._end = asyncio.Event()
        self._thread: threading.Thread | None = None

    @property
    def is_running(self) -> bool:
        """Whether coroutines can be run there."""
        return self._loop is not None

    def start(self) -> None:
        """Start the thread."""
        self._loop = asyncio.new_event_loop()
        self._end = asyncio.Event()
        self._thread = threading.Thread(
            target=self._run, args=(self._loop,), name="smart-capture", daemon=True
        )
        self._thread.start()

    def run(self, coroutine: Coroutine[Any, Any, Result]) -> Result:
        """Run a coroutine there and wait for it; an interruption here cancels it there.

        Raises
        ------
        RuntimeError
            If there is no thread; nobody would ever run it.
        """
        if self._loop is None:
            coroutine.close()
            raise RuntimeError("use the client as a with block")
        future = asyncio.run_coroutine_threadsafe(coroutine, self._loop)
        try:
            return future.result()
        except BaseException:
            future.cancel()
            raise

    def close(self) -> None:
        """End the thread, and whatever still runs there."""
        if self._loop is None or self._thread is None:
            return
        self._loop.call_soon_threadsafe(self._end.set)
        self._thread.join()
        self._loop = self._thread = None

    def _run(self, loop: asyncio.AbstractEventLoop) -> None:
        with asyncio.Runner(loop_factory=lambda: loop) as runner:
            runner.run(self._end.wait())


class _Facade(Generic[Inner]):
    """An object that lives in an event loop thread, seen from outside."""

    def __init__(self, inner: Inner, thread: EventLoopThread) -> None:
        self._inner = inner
        self._thread = thread


def _blocking(
    method: Callable[Concatenate[Inner, Arguments], Coroutine[Any, Any, Result]],
) -> Callable[Concatenate[_Facade[Inner], Arguments], Result]:
    """Turn a coroutine method of the inner object into one that waits for it."""

    @functools.wraps(method)
    def call(self: _Facade[Inner], /, *args: Arguments.args, **kwargs: Arguments.kwargs) -> Result:
        return self._thread.run(method(self._inner, *args, **kwargs))

    return call


def _in_loop(
    method: Callable[Concatenate[Inner, Arguments], Result],
) -> Callable[Concatenate[_Facade[Inner], Arguments], Result]:
    """Turn a plain method of the inner object into one that runs in its thread."""

    @functools.wraps(method)
    def call(self: _Facade[Inner], /, *args: Arguments.args, **kwargs: Arguments.kwargs) -> Result:
        async def run() -> Result:
            return method(self._inner, *args, **kwargs)

        return self._thread.run(run())

    return call


def _iterating(
    method: Callable[Concatenate[Inner, Arguments], AsyncGenerator[Result, None]],
) -> Callable[Concatenate[_Facade[Inner], Arguments], Iterator[Result]]:
    """Turn an async generator method of the inner object into a plain generator."""

    @functools.wraps(method)
    def call(
        self: _Facade[Inner], /, *args: Arguments.args, **kwargs: Arguments.kwargs
    ) -> Iterator[Result]:
        results = method(self._inner, *args, **kwargs)
        try:
            while True:
                try:
                    result = self._thread.run(_next_of(results))
                except StopAsyncIteration:
                    return
                yield result
        finally:
            if self._thread.is_running:  # else its end has closed them
                self._thread.run(_close(results))

    return call


async def _next_of(results: AsyncGenerator[Result, None]) -> Result:
    return await anext(results)


async def _close(results: AsyncGenerator[Any, None]) -> None:
    await results.aclose()


class Session(_Facade[AsyncSession]):
    """A camera stream; use it as a ``with`` block. See `AsyncSession`."""

    send_preview = _in_loop(AsyncSession.send_preview)
    send_motion = _in_loop(AsyncSession.send_motion)
    send_still = _in_loop(AsyncSession.send_still)
    judge_preview = _blocking(AsyncSession.judge_preview)
    judge_still = _blocking(AsyncSession.judge_still)
    next_event = _blocking(AsyncSession.next_event)
    events = _iterating(AsyncSession.events)

    @property
    def token(self) -> str:
        """Names the session; empty until the server has answered."""
        return self._inner.token

    def __enter__(self) -> Self:
        self._thread.run(self._inner.__aenter__())
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._thread.run(self._inner.__aexit__(kind, error, trace))


def _opening(
    method: Callable[Concatenate[AsyncClient, Arguments], AsyncSession],
) -> Callable[Concatenate[_Facade[AsyncClient], Arguments], Session]:
    """Turn the method that gives an `AsyncSession` into one that gives a `Session`."""

    @functools.wraps(method)
    def call(
        self: _Facade[AsyncClient], /, *args: Arguments.args, **kwargs: Arguments.kwargs
    ) -> Session:
        return Session(method(self._inner, *args, **kwargs), self._thread)

    return call


class Client(_Facade[AsyncClient]):
    """A client of one server; use it as a ``with`` block. See `AsyncClient`.

    Parameters
    ----------
    target, credentials, token, timeout_s, reconnect_for_s
        As of `AsyncClient`.
    """

    def __init__(
        self,
        target: str = DEFAULT_TARGET,
        *,
        credentials: grpc.ChannelCredentials | None = None,
        token: str | None = None,
        timeout_s: float = 30.0,
        reconnect_for_s: float = RECONNECT_FOR_S,
    ) -> None:
        inner = AsyncClient(
            target,
            credentials=credentials,
            token=token,
            timeout_s=timeout_s,
            reconnect_for_s=reconnect_for_s,
        )
        super().__init__(inner, EventLoopThread())

    assess_image = _blocking(AsyncClient.assess_image)
    assess_images = _iterating(AsyncClient.assess_images)
    session = _opening(AsyncClient.session)

    def __enter__(self) -> Self:
        self._thread.start()
        self._thread.run(self._inner.__aenter__())
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        try:
            self._thread.run(self._inner.__aexit__(kind, error, trace))
        finally:
            self._thread.close()
