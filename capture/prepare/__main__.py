"""``python -m capture.prepare``: train the model of the blur measure, offline."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import cv2
import typer

from capture.measure.blur_model import MODEL_PATH

app = typer.Typer(no_args_is_help=True, add_completion=False)


@app.callback()
def main() -> None:
    """Simulate degradations of sharp photos, and train on them. Needs the [prepare] extra."""


@app.command()
def blur(
    corpus: Annotated[Path, typer.Option(help="Folder that holds training_bases/.")],
    work: Annotated[Path, typer.Option(help="Where simulated captures are kept: 7 GB.")],
    output: Annotated[Path, typer.Option(help="The model to write.")] = MODEL_PATH,
    captures: Annotated[int, typer.Option(help="Captures of each photo by daylight.")] = 120,
    seed: Annotated[int, typer.Option(help="Of everything that is drawn.")] = 2,
    processes: Annotated[int, typer.Option(help="Processes that draw captures.")] = 1,
) -> None:
    """Train the blur model; the card is written beside it. About half an hour on one core."""
    try:
        from capture.prepare.blur_training import Plan, train_blur
    except ModuleNotFoundError as error:
        raise typer.BadParameter(f"{error}; install the [prepare] extra") from error
    cv2.setNumThreads(1)
    train_blur(
        corpus, work, output, Plan(captures_per_photo=captures, seed=seed, process_count=processes)
    )
    typer.echo(f"wrote {output} and {output.with_suffix('.md')}")


@app.command()
def families(
    work: Annotated[Path, typer.Option(help="Where `blur` has kept its captures.")],
    captures: Annotated[int, typer.Option(help="Captures of each photo, as there.")] = 120,
    seed: Annotated[int, typer.Option(help="Of everything that is drawn.")] = 2,
    epochs: Annotated[int, typer.Option(help="Passes of the network over the set.")] = 5,
) -> None:
    """Compare boosted trees with a convolutional network on scenes that neither has seen."""
    try:
        from capture.prepare.blur_training import Plan
        from capture.prepare.families import compare_families
    except ModuleNotFoundError as error:
        raise typer.BadParameter(f"{error}; install the [prepare] extra") from error
    cv2.setNumThreads(1)
    compared = compare_families(work, Plan(captures_per_photo=captures, seed=seed), epochs)
    for name, (figures, elapsed_ms) in compared.items():
        typer.echo(f"{name}: AUC {figures.auc:.3f}, {elapsed_ms:.1f} ms a picture")


if __name__ == "__main__":
    app()
