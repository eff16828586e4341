"""The service as it is drawn in ``proto/capture/v1/model_admin.proto``."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, Final, TypeVar

import grpc
import grpc.aio
import structlog

from capture.errors import InvalidMessageError, PermissionDeniedError
from capture.server.access import Places, caller_name, client_of
from capture.server.calls import Context, answering, next_within
from capture.server.metrics import Metrics
from capture.server.models import ModelSwitch
from capture.v1 import model_admin_pb2
from capture.wire.models import entry_to_wire, examination_to_wire

ADMIN_SERVICE_NAME: Final = "capture.v1.ModelAdmin"

_MAX_CALLS_PER_CLIENT = 4
_REQUEST_TIMEOUT_S = 10.0

Request = TypeVar("Request")

_LOG = structlog.get_logger("capture.server")


class ModelAdminService:
    """Answers those who see, check and switch models.

    Parameters
    ----------
    switch : ModelSwitch
        What they ask for.
    metrics : Metrics
        Where errors are counted.
    is_guarded : bool
        Whether the server asks for tokens; without them nobody may administer it.
    """

    def __init__(self, switch: ModelSwitch, metrics: Metrics, *, is_guarded: bool) -> None:
        self._switch = switch
        self._metrics = metrics
        self._is_guarded = is_guarded
        self._calls = Places("model calls", None, _MAX_CALLS_PER_CLIENT)

    async def list_models(
        self, requests: AsyncIterator[model_admin_pb2.ListModelsRequest], context: Context
    ) -> model_admin_pb2.ListModelsResponse:
        """List the models of the server's folder."""
        async with self._asked(requests, context):
            entries = await self._switch.entries()
        return model_admin_pb2.ListModelsResponse(models=map(entry_to_wire, entries))

    async def verify_model(
        self, requests: AsyncIterator[model_admin_pb2.VerifyModelRequest], context: Context
    ) -> model_admin_pb2.VerifyModelResponse:
        """Check a model; changes nothing."""
        async with self._asked(requests, context) as request:
            examination = await self._switch.examine(request.model)
        return examination_to_wire(examination)

    async def activate_model(
        self, requests: AsyncIterator[model_admin_pb2.ActivateModelRequest], context: Context
    ) -> model_admin_pb2.ActivateModelResponse:
        """Let another model answer, if it passes."""
        async with self._asked(requests, context) as request:
            switched = await self._switch.activate(request.model)
        return model_admin_pb2.ActivateModelResponse(
            model=switched.model, previous_model=switched.previous
        )

    async def rollback_model(
        self, requests: AsyncIterator[model_admin_pb2.RollbackModelRequest], context: Context
    ) -> model_admin_pb2.RollbackModelResponse:
        """Let the model of before answer."""
        async with self._asked(requests, context):
            switched = await self._switch.rollback()
        return model_admin_pb2.RollbackModelResponse(
            model=switched.model, previous_model=switched.previous
        )

    @asynccontextmanager
    async def _asked(
        self, requests: AsyncIterator[Request], context: Context
    ) -> AsyncIterator[Request]:
        """Hold a place while the one request of a call is answered."""
        async with answering(context, self._metrics) as call:
            if not self._is_guarded:
                raise PermissionDeniedError(
                    "models are administered by those with a token: start the server with --tokens"
                )
            with self._calls.taken(client_of(context)):
                request = await next_within(requests, _REQUEST_TIMEOUT_S)
                if request is None:
                    raise InvalidMessageError("the call has no request")
                _LOG.info(
                    "models asked for",
                    request_id=call.request_id,
                    caller=caller_name(),
                    request=type(request).__name__,
                )
                yield request


def add_admin_to(server: grpc.aio.Server, service: ModelAdminService) -> None:
    """Register the service with a server; like others it reads its requests itself."""
    methods: dict[str, tuple[Any, Any]] = {
        "ListModels": (service.list_models, model_admin_pb2.ListModelsRequest),
        "VerifyModel": (service.verify_model, model_admin_pb2.VerifyModelRequest),
        "ActivateModel": (service.activate_model, model_admin_pb2.ActivateModelRequest),
        "RollbackModel": (service.rollback_model, model_admin_pb2.RollbackModelRequest),
    }
    handlers: dict[str, Any] = {
        name: grpc.stream_unary_rpc_method_handler(
            answer,
            request_deserializer=request.FromString,
            response_serializer=lambda response: response.SerializeToString(),
        )
        for name, (answer, request) in methods.items()
    }
    server.add_generic_rpc_handlers(
        (grpc.method_handlers_generic_handler(ADMIN_SERVICE_NAME, handlers),)
    )
