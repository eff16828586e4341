"""Where models are administered: in a folder, or at a server that runs."""

from __future__ import annotations

import asyncio
import inspect
import os
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Annotated, Any, Final, Protocol, TypeAlias, TypeVar

import grpc
import typer

from capture.client.models import AsyncModelAdmin
from capture.errors import ConfigurationError
from capture.server.address import host_of, is_loopback
from capture.settings import load_settings
from inference.examination import Examination, examine
from inference.registry import ModelEntry, Registry

TOKEN_VARIABLE: Final = "SMART_CAPTURE_TOKEN"

ModelsFolder: TypeAlias = Annotated[
    Path | None,
    typer.Option(
        "--models-folder",
        help="Folder of model folders; the models that ship with the package if not given.",
        metavar="FOLDER",
        file_okay=False,
        exists=True,
    ),
]

Answer = TypeVar("Answer")


class Models(Protocol):
    """What the commands do with models, wherever those are."""

    def entries(self) -> tuple[ModelEntry, ...]:
        """List them."""

    def examine(self, model_id: str) -> Examination:
        """Check one; that which is served if the id is empty."""

    def activate(self, model_id: str) -> str:
        """Serve one that passes, and return its id."""

    def rollback(self) -> str:
        """Serve the one of before, and return its id."""


class FolderModels:
    """The models of a folder; a server takes up a switch when it starts.

    Parameters
    ----------
    registry : Registry
        Of that folder.
    """

    def __init__(self, registry: Registry) -> None:
        self._registry = registry

    def entries(self) -> tuple[ModelEntry, ...]:
        """List them."""
        return self._registry.entries()

    def examine(self, model_id: str) -> Examination:
        """Check one here; the active one if the id is empty."""
        registry = self._registry
        return examine(registry.model(model_id) if model_id else registry.active())

    def activate(self, model_id: str) -> str:
        """Make one active that passes, and return its id."""
        self.examine(model_id).require_passed()
        return self._registry.activate(model_id).id

    def rollback(self) -> str:
        """Make that of before active, and return its id."""
        return self._registry.rollback().id


class ServerModels:
    """The models of a server that runs.

    Parameters
    ----------
    admin : AsyncModelAdmin
        The way to it.
    """

    def __init__(self, admin: AsyncModelAdmin) -> None:
        self._admin = admin

    def entries(self) -> tuple[ModelEntry, ...]:
        """List them."""
        return self._ask(lambda: self._admin.entries())

    def examine(self, model_id: str) -> Examination:
        """Have one checked; that which is served if the id is empty."""
        return self._ask(lambda: self._admin.examine(model_id))

    def activate(self, model_id: str) -> str:
        """Let one answer that passes, and return its id."""
        return self._ask(lambda: self._admin.activate(model_id))

    def rollback(self) -> str:
        """Let that of before answer, and return its id."""
        return self._ask(lambda: self._admin.rollback())

    def _ask(self, call: Callable[[], Awaitable[Answer]]) -> Answer:
        async def ask() -> Answer:
            async with self._admin:
                return await call()

        return asyncio.run(ask())


def registry_of(models_folder: Path | None) -> Registry:
    """Return the registry of the folder given, of that of the settings, or the shipped one."""
    return Registry(models_folder or load_settings().models_folder)


def models_at(
    models_folder: ModelsFolder = None,
    server: Annotated[
        str | None,
        typer.Option(help="A server that runs, instead of a folder.", metavar="HOST:PORT"),
    ] = None,
    token_file: Annotated[
        Path | None,
        typer.Option(
            help=f"File of a token with the admin scope; else ${TOKEN_VARIABLE}.",
            metavar="FILE",
            dir_okay=False,
            exists=True,
        ),
    ] = None,
    tls_ca: Annotated[
        Path | None,
        typer.Option(
            help="PEM file of those who vouch for the server; without it plaintext.",
            metavar="FILE",
            dir_okay=False,
            exists=True,
        ),
    ] = None,
    tls_certificate: Annotated[
        Path | None,
        typer.Option(help="PEM file that vouches for you.", dir_okay=False, exists=True),
    ] = None,
    tls_key: Annotated[
        Path | None, typer.Option(help="PEM file of its private key.", dir_okay=False, exists=True)
    ] = None,
    insecure: Annotated[
        bool, typer.Option("--insecure", help="Send the token in plaintext to another machine.")
    ] = False,
) -> Models:
    """Return the models that the options of a command name.

    Raises
    ------
    ConfigurationError
        If they do not go together, or the token would be readable on its way.
    """
    if server is None:
        return FolderModels(registry_of(models_folder))
    if models_folder is not None:
        raise ConfigurationError("a server has its own folder: give --server or --models-folder")
    if tls_ca is None and not insecure and not is_loopback(host_of(server)):
        raise ConfigurationError(
            f"{server} is another machine and the token would travel in plaintext; "
            "give --tls-ca, or --insecure if that is meant"
        )
    token = os.environ.get(TOKEN_VARIABLE, "") if token_file is None else token_file.read_text()
    credentials = None
    if tls_ca is not None:
        credentials = grpc.ssl_channel_credentials(
            tls_ca.read_bytes(), _content_of(tls_key), _content_of(tls_certificate)
        )
    return ServerModels(AsyncModelAdmin(server, credentials=credentials, token=token.strip()))


def with_models(command: Callable[..., None]) -> Callable[..., None]:
    """Give a command the options of `models_at`, and hand it the models that they name."""
    own = inspect.signature(command, eval_str=True).parameters
    common = inspect.signature(models_at, eval_str=True).parameters

    def run(**options: Any) -> None:
        where = {name: options.pop(name) for name in common}
        command(models=models_at(**where), **options)

    parameters = [*(own[name] for name in own if name != "models"), *common.values()]
    run.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
    run.__annotations__ = {parameter.name: parameter.annotation for parameter in parameters}
    run.__doc__ = command.__doc__
    run.__name__ = command.__name__
    return run


def _content_of(path: Path | None) -> bytes | None:
    return None if path is None else path.read_bytes()
