"""The command line: which commands there are, and how it ends."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from capture import __version__
from capture.cli import (
    assess,
    config,
    conformance,
    demo,
    export,
    groups,
    models,
    prepare,
    replay,
    report,
    score,
    serve,
    status,
    token,
    top,
)
from capture.cli.exits import ExitCode
from capture.errors import SmartCaptureError
from inference.errors import InferenceError

app = typer.Typer(
    name="smart-capture",
    help=(
        "The gate in front of an image classifier: is the camera steady, is the shot usable, "
        "what is in it?\n\nStart with `smart-capture demo`, then `smart-capture assess PHOTO`."
    ),
    no_args_is_help=True,
    rich_markup_mode="markdown",
    pretty_exceptions_enable=False,
)

app.command("demo")(demo.demo)
app.command("assess")(assess.assess)
app.command("replay")(replay.replay)
app.command("score")(score.score)
app.command("status")(status.status)
app.command("report")(report.report)
app.command("export")(export.export)
app.command("groups")(groups.groups)
app.command("serve")(serve.serve)
app.command("top")(top.top)
app.command("config")(config.config)
app.command("conformance")(conformance.conformance)
app.add_typer(token.app, name="token")
app.add_typer(models.app, name="models")
app.add_typer(prepare.app, name="prepare")


def _print_version(wanted: bool) -> None:
    if wanted:
        typer.echo(__version__)
        raise typer.Exit


@app.callback()
def _options(
    _version: Annotated[
        bool,
        typer.Option(
            "--version", help="Print the version and end.", callback=_print_version, is_eager=True
        ),
    ] = False,
) -> None:
    """Hold the options that go before a command."""


def run() -> None:
    """Run the command line; what cannot work is one line on stderr and exit code 2."""
    try:
        app()
    except (SmartCaptureError, InferenceError, OSError) as error:
        typer.echo(f"smart-capture: {error}", err=True)
        sys.exit(ExitCode.WRONG_USE)
