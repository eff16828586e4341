"""``smart-capture models``: which classifiers there are, and which one is served."""

from __future__ import annotations

from typing import Annotated, TypeAlias

import typer
from rich.console import Console
from rich.table import Table

from capture.cli.exits import ExitCode
from capture.cli.model_access import Models, with_models
from inference.examination import Comparison, TierExamination

app = typer.Typer(
    help=(
        "See, check and switch the classifiers that can be served: those of a folder, or with "
        "`--server` those of a server that runs."
    ),
    no_args_is_help=True,
)

ModelId: TypeAlias = Annotated[str, typer.Argument(help="NAME@VERSION", metavar="MODEL")]


@app.command("list")
@with_models
def list_models(models: Models) -> None:
    """List the models, with the active one marked.

    Of a server that runs also the one that it serves, if that is another one.
    """
    table = Table(box=None)
    for heading in ("", "model", "tiers", "classes", "licence", "what"):
        table.add_column(heading, no_wrap=heading == "model")
    for entry in models.entries():
        table.add_row(
            "*" if entry.is_active else "served" if entry.is_served else "",
            entry.id,
            ", ".join(f"{t.name} {t.size_bytes / 1e6:.1f} MB" for t in entry.tiers),
            str(entry.label_count),
            entry.license,
            entry.description,
        )
    Console().print(table)


@app.command()
@with_models
def verify(
    models: Models,
    model: Annotated[str, typer.Argument(help="NAME@VERSION; the active one if not given.")] = "",
) -> None:
    """Check the files of a model, and whether its quantized tiers may be used on this CPU.

    On that of the server, if one is named. Ends with 1 if a tier may not.
    """
    examination = models.examine(model)
    for tier in examination.tiers:
        typer.echo(f"{examination.model} {tier.name}: the file is the one of the manifest")
        if tier.comparison is not None:
            typer.echo(f"{examination.model} {_found(tier, tier.comparison)}")
    all_pass = all(tier.passed for tier in examination.tiers)
    raise typer.Exit(ExitCode.DONE if all_pass else ExitCode.SOME_FAILED)


@app.command()
@with_models
def activate(models: Models, model: ModelId) -> None:
    """Verify a model, and if it passes, serve it.

    A server that is named by `--server` serves it from now on, without a gap; one that reads
    this folder, from its next start on.
    """
    typer.echo(f"active: {models.activate(model)}")


@app.command()
@with_models
def rollback(models: Models) -> None:
    """Serve again the model that was active before."""
    typer.echo(f"active: {models.rollback()}")


def _found(tier: TierExamination, comparison: Comparison) -> str:
    return (
        f"{tier.name}: {'passed' if tier.passed else 'FAILED'} on this CPU: "
        f"same label as {comparison.reference} on {comparison.agreement:.1%} of "
        f"{comparison.picture_count} pictures, {comparison.confident_agreement:.1%} of the "
        f"{comparison.confident_count} it is sure of; mean difference of probability "
        f"{comparison.mean_difference:.3f}"
    )
