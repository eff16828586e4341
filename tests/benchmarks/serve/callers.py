"""How the load generator reaches each kind of server: a picture in bytes, an answer or why not.

Requests are encoded before the clock starts and answers are not decoded, so that the
generator costs little, and the same for every server.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import Any, Protocol

import aiohttp
import grpc
import grpc.aio
from grpc_health.v1 import health_pb2

from capture.v1 import image_pb2, smart_capture_pb2

HOST = "127.0.0.1"


class Caller(Protocol):
    """One client of a server."""

    async def call(self, number: int, timeout_s: float) -> str:
        """Send a picture; return an empty string for an answer, else what went wrong."""

    async def check(self, timeout_s: float) -> str:
        """Ask the server how it is; return as `call` does."""

    async def close(self) -> None:
        """Let go of the connection."""


class GrpcCaller:
    """A client over a connection of its own, as clients on many machines have.

    Parameters
    ----------
    port : int
        Where the server listens.
    requests : sequence of bytes
        Encoded, one for each picture.
    method, health_method : str
        What to call.
    health_request : bytes
        Encoded.
    """

    def __init__(
        self,
        port: int,
        requests: Sequence[bytes],
        *,
        method: str,
        health_method: str,
        health_request: bytes = b"",
    ) -> None:
        self._requests = requests
        self._health_request = health_request
        self._channel = channel_to(port)
        self._judge = self._channel.unary_unary(method)
        self._health = self._channel.unary_unary(health_method)

    async def call(self, number: int, timeout_s: float) -> str:
        return await _rpc(self._judge, self._requests[number % len(self._requests)], timeout_s)

    async def check(self, timeout_s: float) -> str:
        return await _rpc(self._health, self._health_request, timeout_s)

    async def close(self) -> None:
        await self._channel.close()


class HttpCaller:
    """A client over HTTP/1.1 that opens as many connections as it has calls open.

    Parameters
    ----------
    port : int
        Where the server listens.
    pictures : sequence of bytes
        Bodies.
    """

    def __init__(self, port: int, pictures: Sequence[bytes]) -> None:
        self._pictures = pictures
        self._address = f"http://{HOST}:{port}"
        self._session = aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0))

    async def call(self, number: int, timeout_s: float) -> str:
        body = self._pictures[number % len(self._pictures)]
        return await self._ask("POST", "/inference", timeout_s, body)

    async def check(self, timeout_s: float) -> str:
        return await self._ask("GET", "/", timeout_s)

    async def _ask(
        self, method: str, path: str, timeout_s: float, body: bytes | None = None
    ) -> str:
        try:
            async with (
                asyncio.timeout(timeout_s),
                self._session.request(method, self._address + path, data=body) as response,
            ):
                await response.read()
                return "" if response.ok else f"HTTP {response.status}"
        except TimeoutError:
            return "DEADLINE_EXCEEDED"
        except aiohttp.ClientError as error:
            return type(error).__name__

    async def close(self) -> None:
        await self._session.close()


async def _rpc(method: Any, request: bytes, timeout_s: float) -> str:
    try:
        await method(request, timeout=timeout_s)
    except grpc.aio.AioRpcError as error:
        name: str = error.code().name
        return name
    return ""


def channel_to(port: int) -> grpc.aio.Channel:
    """Open a connection that is shared with nobody, and that hides no failure."""
    options = [("grpc.use_local_subchannel_pool", 1), ("grpc.enable_retries", 0)]
    return grpc.aio.insecure_channel(f"{HOST}:{port}", options)


def callers(protocol: str, port: int, pictures: Sequence[bytes]) -> Callable[[], Caller]:
    """Return what opens clients of a server that speaks `protocol`."""
    if protocol == "http":
        return lambda: HttpCaller(port, pictures)
    encode, names = {
        "capture": (_capture_request, _CAPTURE),
        "open-inference": (_open_inference_request(), _OPEN_INFERENCE),
    }[protocol]
    requests = [encode(picture) for picture in pictures]
    return lambda: GrpcCaller(port, requests, **names)


_CAPTURE: dict[str, Any] = {
    "method": "/capture.v1.SmartCapture/AssessImage",
    "health_method": "/grpc.health.v1.Health/Check",
    "health_request": health_pb2.HealthCheckRequest().SerializeToString(),
}
_OPEN_INFERENCE: dict[str, Any] = {
    "method": "/inference.GRPCInferenceService/ModelInfer",
    "health_method": "/inference.GRPCInferenceService/ServerLive",
}


def _capture_request(picture: bytes) -> bytes:
    image = image_pb2.Image(data=picture)
    return smart_capture_pb2.AssessImageRequest(image=image).SerializeToString()


def _open_inference_request() -> Callable[[bytes], bytes]:
    wire: Any = grpc.protos("tests/benchmarks/serve/peers/open_inference.proto")

    def encode(picture: bytes) -> bytes:
        tensor = wire.ModelInferRequest.InferInputTensor(
            name="picture",
            datatype="BYTES",
            shape=[1, 1],
            contents=wire.InferTensorContents(bytes_contents=[picture]),
        )
        request = wire.ModelInferRequest(model_name="judge", inputs=[tensor])
        encoded: bytes = request.SerializeToString()
        return encoded

    return encode
