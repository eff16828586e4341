"""Who may call: bearer tokens and their scopes, over real connections."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import grpc
import grpc.aio
import pytest
import pytest_asyncio
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection_pb2, reflection_pb2_grpc

from capture.client import AsyncClient, Client
from capture.errors import PermissionDeniedError, UnauthenticatedError
from capture.server.app import Server
from capture.server.tokens import Scope, add_entry, new_token
from capture.settings import Settings
from capture.v1 import image_pb2, session_pb2, smart_capture_pb2
from capture.v1.smart_capture_pb2_grpc import SmartCaptureStub

pytestmark = pytest.mark.asyncio(loop_scope="module")

UNAUTHENTICATED = grpc.StatusCode.UNAUTHENTICATED
PERMISSION_DENIED = grpc.StatusCode.PERMISSION_DENIED


@dataclass(frozen=True)
class Guarded:
    """A server that asks for tokens, and tokens for it."""

    server: Server
    file: Path
    camera: str
    admin: str

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self.server.port}"


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def guarded(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Guarded]:
    file = tmp_path_factory.mktemp("access") / "tokens.toml"
    camera, camera_entry = new_token("camera", [Scope.CAPTURE])
    admin, admin_entry = new_token("admin", [Scope.ADMIN])
    add_entry(file, camera_entry)
    add_entry(file, admin_entry)
    server = Server(Settings(port=0, worker_count=1, classify=False, tokens_file=file))
    await server.start()
    yield Guarded(server, file, camera, admin)
    await server.stop(0)


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def channel(guarded: Guarded) -> AsyncIterator[grpc.aio.Channel]:
    async with grpc.aio.insecure_channel(guarded.address) as channel:
        yield channel


def showing(*values: str) -> Any:
    return tuple(("authorization", value) for value in values)


async def refusal(call: Any) -> grpc.aio.AioRpcError:
    with pytest.raises(grpc.aio.AioRpcError) as error:
        await call
    return error.value


@pytest.mark.parametrize(
    "authorization",
    [
        (),
        ("",),
        ("Bearer",),
        ("Bearer ",),
        ("Bearer wrong",),
        ("Basic Y2FtZXJhOmNhbWVyYQ==",),
        ("{camera}",),
        ("Bearer {camera}x",),
        ("Bearer {camera}", "Bearer {camera}"),
        ("Bearer {camera}", "Bearer wrong"),
    ],
)
async def test_without_a_known_token_every_call_is_unauthenticated(
    guarded: Guarded, channel: grpc.aio.Channel, burst: list[bytes], authorization: tuple[str, ...]
) -> None:
    """None, a wrong one, another scheme, or two at once: one answer, with its code and id."""
    shown = showing(*(value.format(camera=guarded.camera) for value in authorization))
    stub = SmartCaptureStub(channel)
    image = image_pb2.Image(data=burst[0])
    errors = [
        await refusal(
            stub.AssessImage(smart_capture_pb2.AssessImageRequest(image=image), metadata=shown)
        ),
        await refusal(stub.AssessImages(metadata=shown).read()),
        await refusal(stub.Capture(metadata=shown).read()),
    ]
    for error in errors:
        assert error.code() is UNAUTHENTICATED
        metadata = dict(error.trailing_metadata() or ())
        assert metadata["smart-capture-error-code"] == "UNAUTHENTICATED"
        assert metadata["smart-capture-request-id"]


async def test_a_token_without_the_scope_is_not_permitted(
    guarded: Guarded, channel: grpc.aio.Channel
) -> None:
    """Admin does not include capture: a token opens what it names and no more."""
    call = SmartCaptureStub(channel).Capture(metadata=showing(f"Bearer {guarded.admin}"))
    error = await refusal(call.read())
    assert error.code() is PERMISSION_DENIED
    assert error.details() == "the token has no capture scope"


async def test_services_not_named_ask_for_the_admin_scope(
    guarded: Guarded, channel: grpc.aio.Channel
) -> None:
    """A service that is added later is closed until somebody decides otherwise."""
    call = channel.unary_unary("/capture.v1.SomethingNew/Do")
    shown = showing(f"Bearer {guarded.camera}")
    assert (await refusal(call(b"", metadata=shown))).code() is PERMISSION_DENIED
    shown = showing(f"Bearer {guarded.admin}")
    assert (await refusal(call(b"", metadata=shown))).code() is grpc.StatusCode.UNIMPLEMENTED


async def test_health_is_told_to_anybody(channel: grpc.aio.Channel) -> None:
    """A balancer holds no token."""
    answer = await health_pb2_grpc.HealthStub(channel).Check(health_pb2.HealthCheckRequest())
    assert answer.status == health_pb2.HealthCheckResponse.SERVING


async def test_reflection_asks_for_the_capture_scope(
    guarded: Guarded, channel: grpc.aio.Channel
) -> None:
    """What the service looks like is told to those who may use it."""

    async def services(*authorization: str) -> list[str]:
        call = reflection_pb2_grpc.ServerReflectionStub(channel).ServerReflectionInfo(
            iter([reflection_pb2.ServerReflectionRequest(list_services="")]),
            metadata=showing(*authorization),
        )
        answer = await call.read()
        return [service.name for service in answer.list_services_response.service]

    assert (await refusal(services())).code() is UNAUTHENTICATED
    assert "capture.v1.SmartCapture" in await services(f"Bearer {guarded.camera}")


async def test_the_client_shows_its_token_on_every_call(
    guarded: Guarded, burst: list[bytes]
) -> None:
    """One picture, many, and a session."""
    async with AsyncClient(guarded.address, token=guarded.camera) as client:
        one = await client.assess_image(burst[-1])
        many = [answer async for answer in client.assess_images(burst[-2:])]
        async with client.session() as session:
            stability = await session.judge_preview(burst[0])
    assert one.measures.width_px > 0
    assert [answer.error for answer in many] == [None, None]
    assert stability is not None


async def test_the_client_says_why_it_is_not_let_in(guarded: Guarded, burst: list[bytes]) -> None:
    """Errors of their own classes, at once and without trying again."""

    def assess_blocking() -> None:
        with Client(guarded.address, token="wrong") as client:
            client.assess_image(burst[0])

    with pytest.raises(UnauthenticatedError, match="not known"):
        await asyncio.to_thread(assess_blocking)
    async with AsyncClient(guarded.address, token=guarded.admin) as client:
        with pytest.raises(PermissionDeniedError, match="no capture scope"):
            [answer async for answer in client.assess_images(burst[:1])]
        with pytest.raises(PermissionDeniedError, match="no capture scope"):
            async with client.session() as session:
                await session.judge_preview(burst[0])


async def test_tokens_come_and_go_without_a_restart(
    guarded: Guarded, channel: grpc.aio.Channel
) -> None:
    """One that is added is good at once; one whose entry is taken out no longer is."""
    before = guarded.file.read_text()
    token, entry = new_token("guest", [Scope.CAPTURE])
    stub = SmartCaptureStub(channel)
    request = smart_capture_pb2.AssessImageRequest()

    async def status() -> grpc.StatusCode:
        return (
            await refusal(stub.AssessImage(request, metadata=showing(f"Bearer {token}")))
        ).code()

    assert await status() is UNAUTHENTICATED
    add_entry(guarded.file, entry)
    assert await status() is grpc.StatusCode.INVALID_ARGUMENT  # let in; there is no picture
    guarded.file.write_text(before)
    assert await status() is UNAUTHENTICATED


async def test_each_token_has_its_own_limits(tmp_path: Path) -> None:
    """Two callers from one machine do not take each other's places, whatever the first holds."""
    tokens = []
    for name in ("first", "second"):
        token, entry = new_token(name, [Scope.CAPTURE])
        add_entry(tmp_path / "tokens.toml", entry)
        tokens.append(token)
    server = Server(
        Settings(
            port=0,
            worker_count=1,
            classify=False,
            tokens_file=tmp_path / "tokens.toml",
            max_sessions_per_client=2,
        )
    )
    await server.start()

    def knock(token: str) -> Any:
        return SmartCaptureStub(channel).Capture(metadata=showing(f"Bearer {token}"))

    async def opened(call: Any) -> None:
        await call.write(session_pb2.CaptureRequest(config=session_pb2.SessionConfig()))
        await call.read()

    async with grpc.aio.insecure_channel(f"127.0.0.1:{server.port}") as channel:
        held = [knock(tokens[0]) for _ in range(2)]
        for call in held:
            await opened(call)
        # It says nothing, which the refusal could overtake.
        refused = await refusal(knock(tokens[0]).read())
        assert refused.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
        other = knock(tokens[1])
        await opened(other)
        for call in (*held, other):
            call.cancel()
    await server.stop(0)
