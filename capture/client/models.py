"""The models of a server that runs: seen, checked and switched from elsewhere."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

import grpc
import grpc.aio

from capture.client.access import token_metadata
from capture.client.channel import Connected
from capture.client.errors import error_of_call
from capture.v1 import model_admin_pb2
from capture.v1.model_admin_pb2_grpc import ModelAdminStub
from capture.wire.models import entry_from_wire, examination_from_wire
from inference.examination import Examination
from inference.registry import ModelEntry

if TYPE_CHECKING:
    from capture.v1.model_admin_pb2_grpc import ModelAdminAsyncStub

DEFAULT_TIMEOUT_S = 300.0

Request = TypeVar("Request")
Response = TypeVar("Response")


class AsyncModelAdmin(Connected):
    """Administers the models of one server; use it as an ``async with`` block.

    Parameters
    ----------
    target : str
        Where the server is, as ``host:port``.
    credentials : grpc.ChannelCredentials, optional
        For TLS; without them the connection is plain, and whoever can read it can take the
        token.
    token : str
        With the admin scope.
    timeout_s : float
        Time a call may take: a model is verified in seconds, a large one in minutes.
    """

    def __init__(
        self,
        target: str,
        *,
        credentials: grpc.ChannelCredentials | None = None,
        token: str = "",
        timeout_s: float = DEFAULT_TIMEOUT_S,
    ) -> None:
        super().__init__(target, credentials)
        self._metadata = token_metadata(token)
        self._timeout_s = timeout_s

    async def entries(self) -> tuple[ModelEntry, ...]:
        """List the models of the server.

        Raises
        ------
        SmartCaptureError
            If the server refuses, or cannot be reached. So do the other methods; what is
            wrong with a model is an `UnknownModelError`, a `ModelRefusedError` or its kind
            `ModelNotVerifiedError`.
        """
        response = await self._ask(self._stub.ListModels, model_admin_pb2.ListModelsRequest())
        return tuple(map(entry_from_wire, response.models))

    async def examine(self, model_id: str = "") -> Examination:
        """Have a model checked; the one that is served if none is named."""
        response = await self._ask(
            self._stub.VerifyModel, model_admin_pb2.VerifyModelRequest(model=model_id)
        )
        return examination_from_wire(response)

    async def activate(self, model_id: str) -> str:
        """Let another model answer, and return its id."""
        response = await self._ask(
            self._stub.ActivateModel, model_admin_pb2.ActivateModelRequest(model=model_id)
        )
        return response.model

    async def rollback(self) -> str:
        """Let the model of before answer, and return its id."""
        response = await self._ask(self._stub.RollbackModel, model_admin_pb2.RollbackModelRequest())
        return response.model

    async def _ask(
        self, method: grpc.aio.UnaryUnaryMultiCallable[Request, Response], request: Request
    ) -> Response:
        try:
            return await method(request, timeout=self._timeout_s, metadata=self._metadata)
        except grpc.aio.AioRpcError as error:
            raise error_of_call(error) from error

    @property
    def _stub(self) -> ModelAdminAsyncStub:
        return ModelAdminStub(self._channel)
