"""``smart-capture serve``: the gRPC server."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path
from typing import Annotated

import typer
import uvloop

from capture.server.app import Server
from capture.server.app import serve as run_server
from capture.server.log import configure_log
from capture.settings import load_settings


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
    models: Annotated[
        Path | None, typer.Option(help="Folder of model manifests, instead of those shipped.")
    ] = None,
    classify: Annotated[bool, typer.Option(help="Say what is in the accepted pictures.")] = True,
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
    grace: Annotated[
        float | None, typer.Option(min=0, help="Seconds to finish in at shutdown.")
    ] = None,
    log_level: Annotated[str | None, typer.Option(help="debug, info, warning or error.")] = None,
) -> None:
    """Serve cameras and pictures over gRPC until SIGTERM; a second one ends it at once.

    Prints the address when it is ready. On SIGTERM health says NOT_SERVING, sessions are
    told, stills in hand are finished; then it ends with 0.
    """
    settings = load_settings(
        host=host,
        port=port,
        worker_count=workers,
        default_profile=profile,
        models_folder=models,
        tls_certificate=tls_certificate,
        tls_key=tls_key,
        tls_client_ca=tls_client_ca,
        tokens_file=tokens,
        insecure=insecure or None,
        metrics_port=metrics_port,
        drain_grace_s=grace,
        log_level=log_level,
    )
    configure_log(settings.log_level)
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        is_drained = runner.run(run_server(settings, _announce, classify=classify))
    raise typer.Exit(0 if is_drained else 1)


def _announce(server: Server) -> None:
    typer.echo(
        f"listening on {server.settings.host}:{server.port} with "
        f"{server.pool.worker_count} workers, profile {server.settings.default_profile}"
    )
    sys.stdout.flush()
