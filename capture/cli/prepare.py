"""``smart-capture prepare``: export, quantize, verify and compare classifiers, offline."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, TypeAlias

import typer
from rich.console import Console
from rich.table import Table

from capture.cli.exits import ExitCode
from capture.cli.model_access import ModelsFolder, registry_of
from inference.registry import SHIPPED_DEFAULT, SHIPPED_MODELS
from inference.verification import read_pictures, verify, write_record

app = typer.Typer(
    help="Make and compare classifiers. Needs the [prepare] extra to export and quantize.",
    no_args_is_help=True,
)

OptionalModel: TypeAlias = Annotated[
    str | None, typer.Argument(help="NAME@VERSION; the active one if not given.", metavar="MODEL")
]
Pictures: TypeAlias = Annotated[
    Path,
    typer.Option(
        "--pictures", help="Folder of photos.", metavar="FOLDER", exists=True, file_okay=False
    ),
]


@app.command()
def export(
    output: Annotated[Path, typer.Argument(help="The ONNX file to write.", dir_okay=False)],
) -> None:
    """Export EfficientNet-Lite0 from its PyTorch weights to ONNX, opset 17."""
    try:
        from inference.prepare.export import export_efficientnet_lite0
    except ModuleNotFoundError as error:
        raise _needs_extra(error) from error
    difference = export_efficientnet_lite0(output)
    typer.echo(f"{output}: largest difference to torch {difference:.1e}")


@app.command()
def quantize(
    exported: Annotated[
        Path, typer.Argument(help="What `prepare export` has written.", exists=True)
    ],
    output: Annotated[Path, typer.Argument(help="The model folder to write.", file_okay=False)],
    pictures: Pictures,
    names: Annotated[
        Path | None,
        typer.Option(help="A list of the photos to use, a file name a line.", exists=True),
    ] = None,
    labels: Annotated[
        Path, typer.Option(help="Class names, one a line.", exists=True)
    ] = SHIPPED_MODELS / SHIPPED_DEFAULT / "labels.txt",
) -> None:
    """Quantize an export to int8 and write a folder that can be served."""
    try:
        from inference.prepare.package import package
    except ModuleNotFoundError as error:
        raise _needs_extra(error) from error
    wanted = None if names is None else names.read_text(encoding="utf-8").split()
    manifest = package(exported, read_pictures(pictures, wanted), labels, output)
    for tier in manifest.tiers:
        typer.echo(f"{tier.path}: {tier.size_bytes / 1e6:.2f} MB")


@app.command("verify")
def verify_model(
    pictures: Pictures, model: OptionalModel = None, models_folder: ModelsFolder = None
) -> None:
    """Compare the quantized tiers with fp32 on this CPU, and keep the records with the model."""
    registry = registry_of(models_folder)
    manifest = registry.active() if model is None else registry.model(model)
    shown = read_pictures(pictures)
    table = Table("tier", "pictures", "agreement", "where sure", "mean difference", "", box=None)
    all_pass = True
    for tier in manifest.tiers:
        if tier.needs_verification:
            record = verify(manifest, tier, shown)
            write_record(record, manifest.folder / "verifications")
            all_pass &= record.passed
            table.add_row(
                tier.name,
                str(record.picture_count),
                f"{record.agreement:.1%}",
                f"{record.confident_agreement:.1%} of {record.confident_count}",
                f"{record.mean_difference:.3f}",
                "passed" if record.passed else "FAILED",
            )
    Console().print(table)
    raise typer.Exit(ExitCode.DONE if all_pass else ExitCode.SOME_FAILED)


@app.command()
def benchmark(
    model: OptionalModel = None,
    models_folder: ModelsFolder = None,
    runs: Annotated[int, typer.Option(help="Inferences a tier.", min=1)] = 200,
) -> None:
    """Time the tiers of a model in turns, one picture at a time on one thread."""
    from inference.prepare.benchmark import measure_tiers

    registry = registry_of(models_folder)
    manifest = registry.active() if model is None else registry.model(model)
    table = Table("tier", "size", "load", "median", "p99", "size ratio", "speed ratio", box=None)
    for figures in measure_tiers(manifest, run_count=runs):
        table.add_row(
            figures.name,
            f"{figures.size_mb:.2f} MB",
            f"{figures.load_ms:.0f} ms",
            f"{figures.median_ms:.2f} ms",
            f"{figures.p99_ms:.2f} ms",
            f"{figures.size_ratio:.3f}",
            f"{figures.speed_ratio:.2f}",
        )
    Console().print(table)


def _needs_extra(error: ModuleNotFoundError) -> typer.Exit:
    typer.echo(
        f"smart-capture: {error.name} is not installed; "
        "this command needs the extra: pip install 'smart-capture[prepare]'",
        err=True,
    )
    return typer.Exit(ExitCode.WRONG_USE)
