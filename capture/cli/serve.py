"""``smart-capture serve``: the gRPC server."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Annotated, NoReturn

import typer

from capture.settings import ENV_PREFIX, load_settings
from inference.fork_server import ALLOCATOR

POLLING = {"GRPC_EXPERIMENTS": "-event_engine_listener"}
"""Environment that has one thread of gRPC look after all connections, where five would wake
each other: half the changes of thread in a call, a tenth less work of the front. Read when gRPC
is loaded; what is set already stands."""


def serve(
    host: Annotated[str | None, typer.Option(help="Address to listen on.")] = None,
    port: Annotated[
        int | None, typer.Option(min=0, max=65535, help="Port; 0 picks a free one.")
    ] = None,
    workers: Annotated[
        int | None, typer.Option(min=1, help="Worker processes; one per core if not given.")
    ] = None,
    profile: Annotated[
        str | None,
        typer.Option(help="Limits for callers that name none.", metavar="NAME"),
    ] = None,
    models_folder: Annotated[
        Path | None,
        typer.Option(
            "--models-folder",
            "--models",
            help="Folder of model manifests, instead of those shipped.",
        ),
    ] = None,
    classify: Annotated[
        bool | None,
        typer.Option(help="Say what is in accepted pictures; as the settings say if not given."),
    ] = None,
    tls_certificate: Annotated[
        Path | None, typer.Option(help="PEM file of the server's certificate.")
    ] = None,
    tls_key: Annotated[Path | None, typer.Option(help="PEM file of its private key.")] = None,
    tls_client_ca: Annotated[
        Path | None, typer.Option(help="PEM file; only clients it vouches for are let in.")
    ] = None,
    insecure: Annotated[
        bool, typer.Option("--insecure", help="Allow plaintext beyond this machine.")
    ] = False,
    tokens: Annotated[
        Path | None,
        typer.Option(help="TOML file of bearer tokens, see `smart-capture token`."),
    ] = None,
    metrics_port: Annotated[
        int | None, typer.Option(min=0, max=65535, help="Port of /metrics for Prometheus.")
    ] = None,
    metrics_host: Annotated[
        str | None, typer.Option(help="Address of /metrics; it speaks plaintext to anybody.")
    ] = None,
    trace_endpoint: Annotated[
        str | None,
        typer.Option(help="Address of an OTLP/gRPC collector of traces.", metavar="URL"),
    ] = None,
    grace: Annotated[
        float | None, typer.Option(min=0, help="Seconds to finish in at shutdown.")
    ] = None,
    log_level: Annotated[str | None, typer.Option(help="debug, info, warning or error.")] = None,
) -> None:
    """Serve cameras and pictures over gRPC until SIGTERM; a second one ends it at once.

    Prints the address when it is ready. On SIGTERM, Ctrl-C or a closed terminal health says
    NOT_SERVING, sessions are told, stills in hand are finished; then it ends with 0.
    """
    flags = {
        "host": host,
        "port": port,
        "worker_count": workers,
        "default_profile": profile,
        "models_folder": models_folder,
        "classify": classify,
        "tls_certificate": tls_certificate,
        "tls_key": tls_key,
        "tls_client_ca": tls_client_ca,
        "insecure": insecure or None,
        "tokens_file": tokens,
        "metrics_port": metrics_port,
        "metrics_host": metrics_host,
        "trace_endpoint": trace_endpoint,
        "drain_grace_s": grace,
        "log_level": log_level,
    }
    load_settings(**flags)  # what cannot be used is said here
    _become_server({name: str(value) for name, value in flags.items() if value is not None})


def _become_server(flags: dict[str, str]) -> NoReturn:
    """Go on as ``python -m capture.server``, in the same process.

    A new interpreter imports only what the server needs, which saves 30 MB, and the
    allocator reads its settings when a program starts: 3 MB messages cost less than half.
    """
    settings = {f"{ENV_PREFIX}{name.upper()}": value for name, value in flags.items()}
    path = {"PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    sys.stdout.flush()
    os.execve(
        sys.executable,
        [sys.executable, "-P", "-m", "capture.server"],
        POLLING | os.environ | ALLOCATOR | path | settings,
    )
