"""What all calls share, on a real connection."""

from __future__ import annotations

import asyncio
import logging
import time
from typing import Any

import grpc
import grpc.aio
import pytest

from capture.errors import EmptyImageError
from capture.server.calls import Context, Drain, answering
from capture.server.metrics import Metrics


async def test_a_refusal_for_a_caller_who_has_left_is_no_failure(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Its status cannot be sent any more: nothing is logged as an error, no trace is written."""
    ended: asyncio.Queue[BaseException] = asyncio.Queue()

    async def refuse(_request: Any, context: Context) -> None:
        try:
            async with answering(context, Metrics()):
                time.sleep(0.5)  # the loop does not see that the caller goes meanwhile
                raise EmptyImageError("nothing there")
        except BaseException as error:
            ended.put_nowait(error)
            raise

    handlers = {"Judge": grpc.unary_unary_rpc_method_handler(refuse)}
    server = grpc.aio.server()
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler("a.Service", handlers),))
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()

    def call() -> grpc.StatusCode:
        with grpc.insecure_channel(f"127.0.0.1:{port}") as channel:
            with pytest.raises(grpc.RpcError) as refused:
                channel.unary_unary("/a.Service/Judge")(b"", timeout=0.2)
            code: grpc.StatusCode = refused.value.code()
            return code

    with caplog.at_level(logging.ERROR):
        assert await asyncio.to_thread(call) is grpc.StatusCode.DEADLINE_EXCEEDED
        assert isinstance(await ended.get(), asyncio.CancelledError)
        await server.stop(None)
    assert caplog.records == []


async def test_answers_wait_while_they_are_held_back() -> None:
    """Callers that wait for one do not call again while gRPC is told to stop."""
    drain = Drain()
    await drain.may_answer()
    with drain.holding_answers():
        answer = asyncio.create_task(drain.may_answer())
        await asyncio.sleep(0.01)
        assert not answer.done()
    await answer
