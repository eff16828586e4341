"""Encrypted connections, and clients that have to show who they are."""

from __future__ import annotations

import asyncio
import shutil
import subprocess
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import grpc
import grpc.aio
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc
from typer.testing import CliRunner

from capture.cli.app import app
from capture.client import AsyncClient
from capture.errors import ConfigurationError, UnauthenticatedError
from capture.server.app import Server
from capture.server.tokens import Scope, add_entry, new_token
from capture.settings import Settings

OPENSSL = shutil.which("openssl")
pytestmark = pytest.mark.skipif(OPENSSL is None, reason="openssl is not there")


class Authority:
    """Signs certificates for this machine."""

    def __init__(self, folder: Path, name: str) -> None:
        self.folder = folder
        self.name = name
        self._run(
            "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes",
            "-keyout", f"{name}.key", "-out", f"{name}.pem", "-subj", f"/CN={name}", "-days", "2",
        )  # fmt: skip

    def sign(self, name: str) -> None:
        """Write ``name.pem`` and ``name.key``."""
        self._run(
            "req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes",
            "-keyout", f"{name}.key", "-out", f"{name}.csr", "-subj", f"/CN={name}",
        )  # fmt: skip
        (self.folder / "names").write_text("subjectAltName=DNS:localhost,IP:127.0.0.1\n")
        self._run(
            "x509", "-req", "-in", f"{name}.csr", "-CA", f"{self.name}.pem",
            "-CAkey", f"{self.name}.key", "-CAcreateserial", "-out", f"{name}.pem", "-days", "2",
            "-extfile", "names",
        )  # fmt: skip

    def _run(self, *arguments: str) -> None:
        assert OPENSSL is not None
        subprocess.run([OPENSSL, *arguments], cwd=self.folder, check=True, capture_output=True)


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    """An authority that has signed for a server and a client."""
    authority = Authority(tmp_path, "authority")
    authority.sign("server")
    authority.sign("client")
    return authority


@asynccontextmanager
async def running(folder: Path, **settings: Path) -> AsyncIterator[Server]:
    files = {"tls_certificate": folder / "server.pem", "tls_key": folder / "server.key"}
    # Reached from outside: with TLS that needs no further word.
    settings_of_server = Settings(
        classify=False, host="0.0.0.0", port=0, worker_count=1, **(files | settings)
    )
    server = Server(settings_of_server)
    await server.start()
    try:
        yield server
    finally:
        await server.stop(0)


async def is_let_in(server: Server, credentials: grpc.ChannelCredentials | None) -> bool:
    address = f"localhost:{server.port}"
    channel = (
        grpc.aio.insecure_channel(address)
        if credentials is None
        else grpc.aio.secure_channel(address, credentials)
    )
    async with channel:
        try:
            await health_pb2_grpc.HealthStub(channel).Check(health_pb2.HealthCheckRequest())
        except grpc.aio.AioRpcError as error:
            if error.code() is grpc.StatusCode.UNAVAILABLE:
                return False
            raise
    return True


async def test_a_client_that_trusts_the_authority_is_let_in(authority: Authority) -> None:
    """Encrypted it works, in plaintext it does not."""
    trust = (authority.folder / "authority.pem").read_bytes()
    async with running(authority.folder) as server:
        assert await is_let_in(server, grpc.ssl_channel_credentials(trust))
        assert not await is_let_in(server, None)


async def test_with_mutual_tls_only_vouched_clients_are_let_in(authority: Authority) -> None:
    """A client without a certificate, or with one of another authority, stays outside."""
    folder = authority.folder
    trust = (folder / "authority.pem").read_bytes()
    stranger = Authority(folder, "elsewhere")
    stranger.sign("stranger")

    def shows(name: str) -> grpc.ChannelCredentials:
        key, chain = (folder / f"{name}.key", folder / f"{name}.pem")
        return grpc.ssl_channel_credentials(trust, key.read_bytes(), chain.read_bytes())

    async with running(folder, tls_client_ca=folder / "authority.pem") as server:
        assert await is_let_in(server, shows("client"))
        assert not await is_let_in(server, grpc.ssl_channel_credentials(trust))
        assert not await is_let_in(server, shows("stranger"))


async def test_a_renewed_certificate_is_used_without_a_restart(authority: Authority) -> None:
    """A client that trusts only the new authority is let in once the files are replaced."""
    folder = authority.folder
    async with running(folder) as server:
        renewed = Authority(folder, "renewed")
        trust = grpc.ssl_channel_credentials((folder / "renewed.pem").read_bytes())
        assert not await is_let_in(server, trust)
        renewed.sign("server")
        assert await is_let_in(server, trust)


async def test_a_renewal_that_does_not_fit_changes_nothing(authority: Authority) -> None:
    """Half of a renewal, or garbage: those before stay in use until the files fit again."""
    folder = authority.folder
    trust = grpc.ssl_channel_credentials((folder / "authority.pem").read_bytes())
    authority.sign("next")
    async with running(folder) as server:
        for key in ((folder / "next.key").read_bytes(), b"garbage", b""):
            (folder / "server.key").write_bytes(key)
            assert await is_let_in(server, trust)
        (folder / "server.key").unlink()
        assert await is_let_in(server, trust)


@pytest.mark.parametrize("key", ["client.key", "names"])
async def test_a_key_of_another_certificate_prevents_the_start(
    authority: Authority, key: str
) -> None:
    """And so does a file that is no key; both files are named."""
    with pytest.raises(ConfigurationError, match=r"server\.pem and .* cannot be used: .*(KEY|PEM)"):
        async with running(authority.folder, tls_key=authority.folder / key):
            pass


@pytest.mark.parametrize("missing", ["tls_key", "tls_certificate"])
async def test_a_certificate_and_its_key_come_together(tmp_path: Path, missing: str) -> None:
    """One without the other is a mistake, not plaintext."""
    files = {name: tmp_path / name for name in ("tls_key", "tls_certificate") if name != missing}
    with pytest.raises(ConfigurationError, match="both"):
        await Server(Settings(classify=False, port=0, **files)).start()


async def test_a_missing_file_is_named(tmp_path: Path) -> None:
    """The start fails with the path."""
    missing = tmp_path / "missing.pem"
    settings = Settings(classify=False, port=0, tls_certificate=missing, tls_key=missing)
    with pytest.raises(ConfigurationError, match=r"missing\.pem: No such file"):
        await Server(settings).start()


async def test_the_authority_of_clients_is_renewed_without_a_restart(authority: Authority) -> None:
    """Whom the new one vouches for is let in, and those of the old one no longer."""
    folder = authority.folder
    trust = (folder / "authority.pem").read_bytes()
    others = Authority(folder, "others")
    others.sign("other")

    def shows(name: str) -> grpc.ChannelCredentials:
        key, chain = (folder / f"{name}.key", folder / f"{name}.pem")
        return grpc.ssl_channel_credentials(trust, key.read_bytes(), chain.read_bytes())

    vouching = folder / "vouching.pem"
    vouching.write_bytes(trust)
    async with running(folder, tls_client_ca=vouching) as server:
        assert await is_let_in(server, shows("client"))
        assert not await is_let_in(server, shows("other"))
        vouching.write_bytes((folder / "others.pem").read_bytes())
        assert await is_let_in(server, shows("other"))
        assert not await is_let_in(server, shows("client"))


async def test_a_client_with_certificate_and_token_is_served_and_administers(
    authority: Authority, good: bytes
) -> None:
    """Both locks at once, from another machine as far as the client knows."""
    folder = authority.folder
    tokens = {}
    for scope in Scope:
        tokens[scope], entry = new_token(scope.value, [scope])
        add_entry(folder / "tokens.toml", entry)
    (folder / "admin-token").write_text(tokens[Scope.ADMIN])
    credentials = grpc.ssl_channel_credentials(
        *((folder / name).read_bytes() for name in ("authority.pem", "client.key", "client.pem"))
    )
    async with running(
        folder,
        tls_client_ca=folder / "authority.pem",
        tokens_file=folder / "tokens.toml",
    ) as server:
        address = f"localhost:{server.port}"
        async with AsyncClient(
            address, credentials=credentials, token=tokens[Scope.CAPTURE]
        ) as client:
            assert (await client.assess_image(good)).measures.width_px > 0
        async with AsyncClient(address, credentials=credentials, token="wrong") as client:
            with pytest.raises(UnauthenticatedError):
                await client.assess_image(good)
        listed = await asyncio.to_thread(
            CliRunner().invoke,
            app,
            [
                *("models", "list", "--server", address),
                *("--tls-ca", str(folder / "authority.pem")),
                *("--tls-certificate", str(folder / "client.pem")),
                *("--tls-key", str(folder / "client.key")),
                *("--token-file", str(folder / "admin-token")),
            ],
        )
        assert "efficientnet-lite0@1" in listed.output
