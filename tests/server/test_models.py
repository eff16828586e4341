"""Models seen, checked and switched while the server serves, over real connections."""

from __future__ import annotations

import asyncio
import hashlib
import json
import os
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import grpc
import grpc.aio
import pytest
import pytest_asyncio
from typer.testing import CliRunner

from capture.cli.app import app
from capture.client import AsyncClient
from capture.client.errors import ModelNotVerifiedError, ModelRefusedError, UnknownModelError
from capture.client.models import AsyncModelAdmin
from capture.errors import ConfigurationError, PermissionDeniedError, UnauthenticatedError
from capture.server.app import Server
from capture.server.tokens import Scope, add_entry, new_token
from capture.settings import Settings
from inference.registry import Registry
from tests.inference.tiny_models import FOLDER, write_model

pytestmark = pytest.mark.asyncio(loop_scope="module")

SURE = (FOLDER / "sure.onnx").read_bytes()
METHODS = ("ListModels", "VerifyModel", "ActivateModel", "RollbackModel")


@dataclass(frozen=True)
class Guarded:
    """A server with models and tokens of its own."""

    server: Server
    folder: Path
    camera: str
    admin: str

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self.server.port}"

    def administer(self) -> AsyncModelAdmin:
        return AsyncModelAdmin(self.address, token=self.admin)

    async def model_of(self, picture: bytes) -> str:
        """Return which model says what is in a picture."""
        async with AsyncClient(self.address, token=self.camera) as client:
            prediction = (await client.assess_image(picture)).prediction
            assert prediction is not None
            return prediction.model


def write_models(folder: Path) -> None:
    """Two that are sound, one whose int8 tier is not, and one with a damaged file."""
    for version, int8 in (("1", "sure"), ("2", "sure"), ("3", "wrong"), ("4", "sure")):
        write_model(folder / version, {"int8": int8, "fp32": "sure"}, version=version)
    (folder / "4" / "fp32.onnx").write_bytes(b"damaged")


@asynccontextmanager
async def guarded_server(folder: Path) -> AsyncIterator[Guarded]:
    write_models(folder / "models")
    Registry(folder / "models").activate("colours@1")
    camera, camera_entry = new_token("camera", [Scope.CAPTURE])
    admin, admin_entry = new_token("admin", [Scope.ADMIN])
    for entry in (camera_entry, admin_entry):
        add_entry(folder / "tokens.toml", entry)
    server = Server(
        Settings(
            port=0,
            worker_count=2,
            models_folder=folder / "models",
            tokens_file=folder / "tokens.toml",
        )
    )
    await server.start()
    try:
        yield Guarded(server, folder / "models", camera, admin)
    finally:
        await server.stop(0)


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def guarded(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Guarded]:
    async with guarded_server(tmp_path_factory.mktemp("guarded")) as guarded:
        yield guarded


@pytest_asyncio.fixture(loop_scope="module", autouse=True)
async def back_to_the_first(guarded: Guarded) -> AsyncIterator[None]:
    """Each test finds the server as it started."""
    yield
    async with guarded.administer() as admin:
        if served(await admin.entries()) != "colours@1":
            await admin.activate("colours@1")


def served(entries: Any) -> str:
    (name,) = (entry.id for entry in entries if entry.is_served)
    return str(name)


# ---- seen and checked


async def test_models_are_listed_with_what_is_known_of_them(guarded: Guarded) -> None:
    """The same list as of the folder, and which one this server serves."""
    async with guarded.administer() as admin:
        entries = await admin.entries()
    assert [entry.id for entry in entries] == [f"colours@{n}" for n in (1, 2, 3, 4)]
    assert [(entry.is_active, entry.is_served) for entry in entries] == [
        (True, True),
        *[(False, False)] * 3,
    ]
    of_folder = Registry(guarded.folder).entries()
    assert [entry.tiers for entry in entries] == [entry.tiers for entry in of_folder]
    assert (entries[0].license, entries[0].label_count) == ("Apache-2.0", 3)


async def test_a_model_is_verified_on_the_cpu_of_the_server(guarded: Guarded) -> None:
    """Tier by tier; the one that is served if none is named."""
    async with guarded.administer() as admin:
        served_one, wrong = await admin.examine(), await admin.examine("colours@3")
    assert served_one.model == "colours@1"
    assert [(tier.name, tier.passed) for tier in served_one.tiers] == [
        ("int8", True),
        ("fp32", True),
    ]
    assert [tier.passed for tier in wrong.tiers] == [False, True]
    comparison = wrong.tiers[0].comparison
    assert comparison is not None
    assert comparison.reference == "fp32"
    assert comparison.picture_count > 0
    assert comparison.agreement < 0.5
    assert wrong.tiers[1].comparison is None


# ---- switched


async def test_a_switch_under_load_loses_no_call(guarded: Guarded, good: bytes) -> None:
    """Calls, streams and sessions go on; after the switch only the new model answers."""
    models: list[str] = []
    is_over = asyncio.Event()

    def note(assessment: Any) -> None:
        models.append(assessment.prediction.model)

    async def calls(client: AsyncClient) -> None:
        while not is_over.is_set():
            note(await client.assess_image(good))

    async def stream(client: AsyncClient) -> None:
        async def pictures() -> AsyncIterator[bytes]:
            while not is_over.is_set():
                yield good

        async for answer in client.assess_images(pictures(), max_in_flight=2):
            assert answer.error is None
            note(answer.assessment)

    async def session(client: AsyncClient) -> None:
        async with client.session() as camera:
            while not is_over.is_set():
                note((await camera.judge_still(good)).assessment)

    async def until(count: int) -> None:
        while len(models) < count and not any(task.done() for task in load):
            await asyncio.sleep(0.01)

    async with AsyncClient(guarded.address, token=guarded.camera) as client:
        load = [asyncio.create_task(work(client)) for work in (calls, calls, stream, session)]
        await until(10)
        async with guarded.administer() as admin:
            assert await admin.activate("colours@2") == "colours@2"
        at_switch = len(models)
        await until(at_switch + 20)
        is_over.set()
        await asyncio.gather(*load)
    assert models[0] == "colours@1"
    assert set(models[:at_switch]) <= {"colours@1", "colours@2"}
    # What was in hand at the switch, one job a worker, may be answered after it.
    assert models[at_switch:].count("colours@1") <= 2
    assert models[-1] == "colours@2"


async def test_a_switch_outlives_workers_and_the_server(guarded: Guarded, good: bytes) -> None:
    """A worker that is killed comes back with the new model, and so would a new server."""
    async with guarded.administer() as admin:
        await admin.activate("colours@2")
    for pid in guarded.server.pool.worker_pids:
        os.kill(pid, signal.SIGKILL)
    assert await guarded.model_of(good) == "colours@2"
    assert Registry(guarded.folder).active().id == "colours@2"


async def test_rollback_serves_the_model_of_before(guarded: Guarded, good: bytes) -> None:
    """One switch is undone, on the server and in the folder."""
    async with guarded.administer() as admin:
        await admin.activate("colours@2")
        assert await admin.rollback() == "colours@1"
        assert served(await admin.entries()) == "colours@1"
    assert await guarded.model_of(good) == "colours@1"
    assert Registry(guarded.folder).active().id == "colours@1"


async def test_workers_do_not_follow_the_folder_by_themselves(
    guarded: Guarded, good: bytes
) -> None:
    """A choice made in the folder waits for the next server; no two workers differ."""
    Registry(guarded.folder).activate("colours@2")
    for pid in guarded.server.pool.worker_pids:
        os.kill(pid, signal.SIGKILL)
    assert await guarded.model_of(good) == "colours@1"
    async with guarded.administer() as admin:
        entries = await admin.entries()
        assert [entry.is_active for entry in entries] == [False, True, False, False]
        assert served(entries) == "colours@1"
        await admin.activate("colours@2")
    assert await guarded.model_of(good) == "colours@2"


@pytest.mark.parametrize(
    ("model", "kind", "words"),
    [
        ("colours@3", ModelNotVerifiedError, "int8"),
        ("colours@4", ModelRefusedError, "fp32.onnx is not the file"),
        ("colours@9", UnknownModelError, "there is no model colours@9"),
        ("", UnknownModelError, "there is no model"),
        ("../" * 1000, UnknownModelError, "there is no model"),
    ],
)
async def test_a_model_that_cannot_be_used_changes_nothing(
    guarded: Guarded, good: bytes, model: str, kind: type[Exception], words: str
) -> None:
    """The cause is told without a path, and the one of before goes on."""
    before = (guarded.server.pool.worker_pids, (guarded.folder / "active.json").read_text())
    async with guarded.administer() as admin:
        with pytest.raises(kind, match=words) as error:
            await admin.activate(model)
    assert type(error.value) is kind
    assert str(guarded.folder) not in str(error.value)
    assert len(str(error.value)) < 400
    after = (guarded.server.pool.worker_pids, (guarded.folder / "active.json").read_text())
    assert after == before
    assert await guarded.model_of(good) == "colours@1"


async def test_a_network_that_does_not_load_is_told_without_its_path(tmp_path: Path) -> None:
    """It has the digest of its manifest, and is no network all the same."""
    async with guarded_server(tmp_path) as fresh:
        folder = fresh.folder / "2"
        (folder / "fp32.onnx").write_bytes(b"no network")
        manifest = (folder / "manifest.toml").read_text()
        old, new = (hashlib.sha256(data).hexdigest() for data in (SURE, b"no network"))
        int8, fp32 = manifest.split('name = "fp32"')
        (folder / "manifest.toml").write_text(f'{int8}name = "fp32"{fp32.replace(old, new)}')
        async with fresh.administer() as admin:
            with pytest.raises(ModelRefusedError, match=r"fp32\.onnx cannot be loaded") as error:
                await admin.activate("colours@2")
        assert str(tmp_path) not in str(error.value)


async def test_rollback_with_nothing_before_is_told(tmp_path: Path) -> None:
    """There has to be a model to go back to."""
    async with guarded_server(tmp_path) as fresh, fresh.administer() as admin:
        with pytest.raises(UnknownModelError, match="no model was active before"):
            await admin.rollback()


async def test_a_choice_that_cannot_be_read_is_told(guarded: Guarded, good: bytes) -> None:
    """Whoever edited the file has to know; nothing is switched."""
    state = guarded.folder / "active.json"
    before = state.read_bytes()
    state.write_bytes(b"\xff")
    try:
        async with guarded.administer() as admin:
            with pytest.raises(ModelRefusedError, match=r"active\.json cannot be read"):
                await admin.activate("colours@2")
        assert state.read_bytes() == b"\xff"
    finally:
        state.write_bytes(before)
    assert await guarded.model_of(good) == "colours@1"


@pytest.mark.parametrize("is_written", [False, True], ids=["at once", "while workers come up"])
async def test_an_administrator_who_leaves_half_way_leaves_no_half(
    guarded: Guarded, good: bytes, is_written: bool
) -> None:
    """Workers, server and folder agree on one model, and the next switch works."""
    state = guarded.folder / "active.json"
    async with guarded.administer() as admin:
        switching = asyncio.create_task(admin.activate("colours@2"))
        await asyncio.sleep(0)
        while is_written and json.loads(state.read_text())[-1] != "colours@2":
            await asyncio.sleep(0.005)
        switching.cancel()
        with pytest.raises(asyncio.CancelledError):
            await switching
        await admin.examine()  # waits until the switch has ended
        name = served(await admin.entries())
        assert await guarded.model_of(good) == name
        assert json.loads(state.read_text())[-1] == name
        assert await admin.activate("colours@2") == "colours@2"


async def test_a_server_that_does_not_classify_has_no_use_for_models(tmp_path: Path) -> None:
    """It lists them, and switches nothing."""
    token, entry = new_token("admin", [Scope.ADMIN])
    add_entry(tmp_path / "tokens.toml", entry)
    settings = Settings(
        port=0, worker_count=1, classify=False, tokens_file=tmp_path / "tokens.toml"
    )
    server = Server(settings)
    await server.start()
    try:
        async with AsyncModelAdmin(f"127.0.0.1:{server.port}", token=token) as admin:
            assert not any(entry.is_served for entry in await admin.entries())
            for call in (admin.activate("efficientnet-lite0@1"), admin.rollback()):
                with pytest.raises(ModelRefusedError, match="does not classify"):
                    await call
    finally:
        await server.stop(0)


# ---- who may


async def test_administration_asks_for_the_admin_scope(guarded: Guarded) -> None:
    """The token of a camera opens none of it, and no token opens nothing."""
    for token, error in ((guarded.camera, PermissionDeniedError), ("", UnauthenticatedError)):
        async with AsyncModelAdmin(guarded.address, token=token) as admin:
            for call in (
                admin.entries(),
                admin.examine(),
                admin.activate("colours@2"),
                admin.rollback(),
            ):
                with pytest.raises(error):
                    await call
    assert Registry(guarded.folder).active().id == "colours@1"


async def test_a_server_without_tokens_is_administered_by_nobody(server: Server) -> None:
    """Also on this machine: whoever reaches the port would choose what others are told."""
    async with AsyncModelAdmin(f"127.0.0.1:{server.port}", token="any") as admin:
        for call in (
            admin.entries(),
            admin.examine(),
            admin.activate("colours@2"),
            admin.rollback(),
        ):
            with pytest.raises(PermissionDeniedError, match="--tokens"):
                await call


async def test_administration_is_bounded_as_all_calls_are(guarded: Guarded) -> None:
    """No message, bytes that are none, giant metadata, and more calls than one may open."""
    shown = (("authorization", f"Bearer {guarded.admin}"),)
    options = [("grpc.max_metadata_size", 1 << 20)]
    async with grpc.aio.insecure_channel(guarded.address, options) as channel:
        for name in METHODS:
            method = f"/capture.v1.ModelAdmin/{name}"
            for content, code in ((b"\xff\xff\xff", "INVALID_MESSAGE"), (None, "INVALID_MESSAGE")):
                call = channel.stream_unary(method)(
                    iter([] if content is None else [content]), metadata=shown
                )
                with pytest.raises(grpc.aio.AioRpcError) as error:
                    await call
                assert dict(error.value.trailing_metadata())["smart-capture-error-code"] == code
            with pytest.raises(grpc.aio.AioRpcError) as error:
                await channel.unary_unary(method)(b"", metadata=(*shown, ("x", "y" * 60_000)))
            assert error.value.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
        verify = channel.unary_unary("/capture.v1.ModelAdmin/VerifyModel")
        calls = [verify(b"", metadata=shown) for _ in range(8)]
        results = await asyncio.gather(*calls, return_exceptions=True)
    refused = [result for result in results if isinstance(result, grpc.aio.AioRpcError)]
    assert {error.code() for error in refused} == {grpc.StatusCode.RESOURCE_EXHAUSTED}
    assert len(refused) == 4


# ---- from the command line


async def smart_capture(*arguments: str, **environment: str) -> tuple[int, str]:
    result = await asyncio.to_thread(
        CliRunner().invoke, app, arguments, env={"COLUMNS": "120", **environment}
    )
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result.exit_code, result.output


async def test_the_commands_work_on_a_server_that_runs(guarded: Guarded, tmp_path: Path) -> None:
    """The token comes from a file or from the environment, never from the command line."""
    (tmp_path / "token").write_text(guarded.admin + "\n")
    at = ("--server", guarded.address, "--token-file", str(tmp_path / "token"))
    _, listed = await smart_capture("models", "list", *at)
    assert "* colours@1 int8" in " ".join(listed.split())
    assert await smart_capture("models", "activate", "colours@2", *at) == (
        0,
        "active: colours@2\n",
    )
    code, verified = await smart_capture(
        "models", "verify", "--server", guarded.address, SMART_CAPTURE_TOKEN=guarded.admin
    )
    assert (code, "colours@2 int8: passed on this CPU" in verified) == (0, True)
    code, verified = await smart_capture("models", "verify", "colours@3", *at)
    assert (code, "colours@3 int8: FAILED on this CPU" in verified) == (1, True)
    assert await smart_capture("models", "rollback", *at) == (0, "active: colours@1\n")
    with pytest.raises(ModelNotVerifiedError, match="does not pass its verification"):
        await smart_capture("models", "activate", "colours@3", *at)


async def test_the_commands_say_what_does_not_go_together(guarded: Guarded) -> None:
    """A folder and a server; a token in plaintext to another machine."""
    with pytest.raises(ConfigurationError, match="--server or --models-folder"):
        await smart_capture(
            "models", "list", "--server", guarded.address, "--models-folder", str(guarded.folder)
        )
    with pytest.raises(ConfigurationError, match=r"example\.org:50051 is another machine"):
        await smart_capture("models", "list", "--server", "example.org:50051")
