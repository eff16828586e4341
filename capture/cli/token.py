"""``smart-capture token``: who may call a server."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from capture.server.tokens import Scope, add_entry, new_token, read_entries
from capture.settings import load_settings

app = typer.Typer(
    help="Make and list the bearer tokens that a server lets in.", no_args_is_help=True
)

_TokensFile = Annotated[
    Path | None,
    typer.Option("--tokens", help="TOML file of tokens; that of the settings if not given."),
]


@app.command("new")
def new(
    name: Annotated[str, typer.Option(help="Who will hold it.")],
    scope: Annotated[
        list[Scope] | None, typer.Option(help="What it is good for; may be repeated.")
    ] = None,
    tokens: _TokensFile = None,
) -> None:
    """Make a token, print it once, and add its hash to the file of tokens.

    Without a file the entry is printed too, to be put where it belongs. A server that runs
    takes it up without a restart; take the entry out again to revoke it.
    """
    token, entry = new_token(name, scope or [Scope.CAPTURE])
    path = tokens or load_settings().tokens_file
    if path is not None:
        add_entry(path, entry)
    typer.echo(token)
    if path is None:
        typer.echo(entry.to_toml(), err=True, nl=False)


@app.command("list")
def list_(tokens: _TokensFile = None) -> None:
    """List the names and scopes of a file of tokens."""
    path = tokens or load_settings().tokens_file
    if path is None:
        raise typer.BadParameter("there is no tokens_file in the settings; give --tokens")
    for entry in read_entries(path):
        typer.echo(f"{entry.name}\t{' '.join(sorted(entry.scopes))}")
