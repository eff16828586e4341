"""Who may call, and how much each caller may hold open at once."""

from __future__ import annotations

from collections import Counter
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

import grpc
import grpc.aio

from capture.errors import (
    OverloadCause,
    OverloadedError,
    PermissionDeniedError,
    UnauthenticatedError,
)
from capture.server.calls import Context, answering
from capture.server.metrics import Metrics
from capture.server.tokens import Scope, TokenFile
from capture.wire.metadata import TOKEN_KEY

_SCHEME = "bearer "

_OPEN_SERVICES = frozenset({"grpc.health.v1.Health"})
"""For balancers, which hold no tokens."""

_SCOPES = {
    "capture.v1.SmartCapture": Scope.CAPTURE,
    "capture.v1.ModelAdmin": Scope.ADMIN,
    "grpc.reflection.v1alpha.ServerReflection": Scope.CAPTURE,
    "grpc.reflection.v1.ServerReflection": Scope.CAPTURE,
}
"""What a service asks for; one that is not named here asks for the admin scope."""

_RETRY_AFTER_MS = 1000

_token_name: ContextVar[str] = ContextVar("token_name", default="")


class TokenGuard(grpc.aio.ServerInterceptor):
    """Lets in who shows a token that is good for the service called.

    Parameters
    ----------
    tokens : TokenFile
        The tokens that are good.
    metrics : Metrics
        Where refusals are counted.
    """

    def __init__(self, tokens: TokenFile, metrics: Metrics) -> None:
        self._tokens = tokens
        self._metrics = metrics

    async def intercept_service(
        self,
        continuation: Callable[[grpc.HandlerCallDetails], Awaitable[Any]],
        handler_call_details: grpc.HandlerCallDetails,
    ) -> Any:
        """Hand the call on, or answer it with a refusal before its message is read."""
        service = handler_call_details.method.rpartition("/")[0].lstrip("/")
        if service in _OPEN_SERVICES:
            return await continuation(handler_call_details)
        try:
            name = self._admitted(service, handler_call_details.invocation_metadata or ())
        except (UnauthenticatedError, PermissionDeniedError) as error:
            return self._refusing(error)
        _token_name.set(name)
        return await continuation(handler_call_details)

    def _admitted(self, service: str, metadata: Any) -> str:
        values = [value for key, value in metadata if key == TOKEN_KEY]
        if len(values) != 1 or not values[0].lower().startswith(_SCHEME):
            raise UnauthenticatedError("this server asks for a bearer token")
        entry = self._tokens.find(values[0][len(_SCHEME) :].strip())
        if entry is None:
            raise UnauthenticatedError("the token is not known here")
        scope = _SCOPES.get(service, Scope.ADMIN)
        if scope not in entry.scopes:
            raise PermissionDeniedError(f"the token has no {scope} scope")
        return entry.name

    def _refusing(self, error: Exception) -> Any:
        async def refuse(_requests: Any, context: Context) -> None:
            async with answering(context, self._metrics):
                raise error

        # On the wire a call of any kind is a stream of messages; as one it is not read.
        return grpc.stream_stream_rpc_method_handler(refuse)


def caller_name() -> str:
    """Name the caller by its token; empty where none is asked for."""
    return _token_name.get()


def client_of(context: Context) -> str:
    """Name the client of a call: by its token, else by the address of its machine."""
    return _token_name.get() or context.peer().rpartition(":")[0]


def queue_of(context: Context) -> str:
    """Name whose turn a call's job waits for: its token's, else its connection's.

    Machines behind one address are told apart by their connections, and one that opens
    many connections is not, unless callers hold tokens.
    """
    return _token_name.get() or context.peer()


class Places:
    """So many things may be open at once, and so many of one client.

    Parameters
    ----------
    what : str
        What is counted, in the plural.
    max_count : int or None
        Of all clients together; None for no limit.
    max_count_per_client : int
        Of one client.
    """

    def __init__(self, what: str, max_count: int | None, max_count_per_client: int) -> None:
        self._what = what
        self._max_count = max_count
        self._max_count_per_client = max_count_per_client
        self._counts: Counter[str] = Counter()
        self._total = 0

    @contextmanager
    def taken(self, client: str) -> Iterator[None]:
        """Hold a place.

        Raises
        ------
        OverloadedError
            If there is none; says when to come back.
        """
        if self._counts[client] >= self._max_count_per_client:
            raise self._full(f"this client has {self._counts[client]} {self._what} open")
        if self._max_count is not None and self._total >= self._max_count:
            raise self._full(f"{self._total} {self._what} are open")
        self._counts[client] += 1
        self._total += 1
        try:
            yield
        finally:
            self._total -= 1
            self._counts[client] -= 1
            if not self._counts[client]:
                del self._counts[client]

    def _full(self, message: str) -> OverloadedError:
        return OverloadedError(
            f"{message}, and may not open more", _RETRY_AFTER_MS, OverloadCause.PLACES
        )
