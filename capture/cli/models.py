"""``smart-capture models``: which classifiers there are, and which one is served."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, TypeAlias

import typer
from rich.console import Console
from rich.table import Table

from capture.settings import load_settings
from inference.manifest import ModelManifest
from inference.registry import Registry
from inference.tiers import load_model
from inference.verification import verified

app = typer.Typer(
    help="See, check and switch the classifiers that can be served.", no_args_is_help=True
)

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
ModelId: TypeAlias = Annotated[str, typer.Argument(help="NAME@VERSION", metavar="MODEL")]


@app.command("list")
def list_models(models_folder: ModelsFolder = None) -> None:
    """List the models, with the active one marked."""
    registry = registry_of(models_folder)
    models = registry.models()
    active = registry.active().id if models else ""
    table = Table(box=None)
    for heading in ("", "model", "tiers", "classes", "licence", "what"):
        table.add_column(heading, no_wrap=heading == "model")
    for model in models:
        table.add_row(
            "*" if model.id == active else "",
            model.id,
            ", ".join(f"{t.name} {t.size_bytes / 1e6:.1f} MB" for t in model.tiers),
            str(len(model.labels)),
            model.license,
            model.description,
        )
    Console().print(table)


@app.command()
def verify(
    model: Annotated[
        str | None, typer.Argument(help="NAME@VERSION; the active one if not given.")
    ] = None,
    models_folder: ModelsFolder = None,
) -> None:
    """Check the files of a model, and whether its quantized tiers may be used on this CPU."""
    registry = registry_of(models_folder)
    manifest = registry.active() if model is None else registry.model(model)
    all_pass = True
    for tier in manifest.tiers:
        tier.check()
        typer.echo(f"{manifest.id} {tier.name}: the file is the one of the manifest")
        if not tier.needs_verification:
            continue
        record = verified(manifest, tier)
        all_pass &= record.passed
        typer.echo(
            f"{manifest.id} {tier.name}: {'passed' if record.passed else 'FAILED'} on this CPU: "
            f"same label as {record.reference} on {record.agreement:.1%} of "
            f"{record.picture_count} pictures, {record.confident_agreement:.1%} of the "
            f"{record.confident_count} it is sure of; mean difference of probability "
            f"{record.mean_difference:.3f}"
        )
    raise typer.Exit(0 if all_pass else 1)


@app.command()
def activate(model: ModelId, models_folder: ModelsFolder = None) -> None:
    """Load a model, and if that works, serve it from the next start of a worker on."""
    registry = registry_of(models_folder)
    _load(registry.model(model))
    typer.echo(f"active: {registry.activate(model).id}")


@app.command()
def rollback(models_folder: ModelsFolder = None) -> None:
    """Serve again the model that was active before."""
    typer.echo(f"active: {registry_of(models_folder).rollback().id}")


def _load(manifest: ModelManifest) -> None:
    tiers = load_model(manifest).tier_names
    typer.echo(f"{manifest.id} loads, with the tiers {', '.join(tiers)}")


def registry_of(models_folder: Path | None) -> Registry:
    """Return the registry of the folder given, of that of the settings, or the shipped one."""
    return Registry(models_folder or load_settings().models_folder)
