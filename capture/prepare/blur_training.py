"""Train the model of the blur measure: one seeded command from photos to model and card.

The figures of the card are cross-validated: every scene is judged by a model that has seen
neither it nor another photo of its camera. The shipped model is then grown from all scenes.
"""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression

from capture.measure.blur_model import BlurAnswer
from capture.prepare.bases import Base, list_bases, list_skimage_bases
from capture.prepare.blur_card import card, measure_figures
from capture.prepare.blur_set import simulate_benchmark, simulate_training
from capture.prepare.grow_trees import FeatureTable, grow, tabulate
from capture.prepare.simulated_set import read_set, write_set

CROP_PX = (640, 448)
FOLD_COUNT = 6
BENCHMARK_SEED = 2


@dataclass(frozen=True, slots=True)
class Plan:
    """How large a training is.

    Attributes
    ----------
    captures_per_photo : int
        Random captures of windows of each photo.
    night_captures_per_photo : int
        Captures of each photo as a night scene.
    tree_count : int
        Trees of each sum.
    seed : int
        Of the captures and the trees; the benchmark is the same for all.
    process_count : int
        Processes that draw captures; the captures are the same for any number.
    """

    captures_per_photo: int = 120
    night_captures_per_photo: int = 12
    tree_count: int = 600
    seed: int = 2
    process_count: int = 1


def list_training_bases(corpus: Path | None) -> tuple[Base, ...]:
    """List the photos that a shipped model may be trained on.

    Parameters
    ----------
    corpus : Path or None
        Folder with ``training_bases``; None for scikit-image's photos alone.
    """
    bases = list_skimage_bases() if corpus is None else list_bases(corpus)
    return tuple(base for base in bases if base.redistributable)


def draw_tables(
    bases: tuple[Base, ...], work_folder: Path, plan: Plan
) -> tuple[FeatureTable, FeatureTable]:
    """Simulate what is not in the work folder yet; return training and benchmark features."""
    simulate = partial(
        simulate_training,
        count=plan.captures_per_photo,
        night_count=plan.night_captures_per_photo,
        crop_px=CROP_PX,
    )
    write_set(work_folder / "training", bases, simulate, plan.seed, plan.process_count)
    # scikit-image's photos are too small for a ladder up to 60 px, unless there are no others.
    large = tuple(base for base in bases if base.path is not None) or bases
    write_set(
        work_folder / "benchmark", large, simulate_benchmark, BENCHMARK_SEED, plan.process_count
    )
    return (
        tabulate(read_set(work_folder / "training")),
        tabulate(read_set(work_folder / "benchmark")),
    )


def cross_validate(
    training: FeatureTable, benchmark: FeatureTable, plan: Plan
) -> tuple[BlurAnswer, ...]:
    """Judge every benchmark capture by a model that knows neither its scene nor its camera."""
    training_fold = _folds(training.column("camera"))
    benchmark_fold = _folds(benchmark.column("camera"))
    answers: dict[int, BlurAnswer] = {}
    for fold in range(FOLD_COUNT):
        model = grow(training.pick(training_fold != fold), plan.seed, plan.tree_count)
        for row in np.flatnonzero(benchmark_fold == fold):
            answers[int(row)] = model.answer(benchmark.scalars[row], benchmark.vectors[row])
    return tuple(answers[row] for row in range(len(answers)))


def fit_logit(answers: Sequence[BlurAnswer], benchmark: FeatureTable) -> tuple[float, float]:
    """Return slope and offset that make the logits of cross-validated answers probabilities.

    Sharp and blurred weigh alike, whatever their number in the benchmark.

    References
    ----------
    Platt, "Probabilistic outputs for support vector machines", 1999.
    """
    label = benchmark.column("label").astype(float)
    known = ~np.isnan(label)
    weight = np.where(label == 1, 1 / (label == 1).sum(), 1 / (label == 0).sum())[known]
    fit = LogisticRegression(C=1e4).fit(
        _logits(answers)[known, None], label[known], weight * known.sum() / 2
    )
    return float(fit.coef_[0, 0]), float(fit.intercept_[0])


def _logits(answers: Sequence[BlurAnswer]) -> NDArray[np.float64]:
    probability = np.clip([answer.probability for answer in answers], 1e-12, 1 - 1e-12)
    return np.asarray(np.log(probability / (1 - probability)), np.float64)


def train_blur(corpus: Path | None, work_folder: Path, model_path: Path, plan: Plan) -> None:
    """Simulate, cross-validate, grow, calibrate; write the model and its card.

    Parameters
    ----------
    corpus : Path or None
        Folder with ``training_bases``; None for scikit-image's photos alone.
    work_folder : Path
        Where the simulated captures are kept: about 60 MB a photo.
    model_path : Path
        The ``.npz`` file to write; the card is written beside it as Markdown.
    plan : Plan
        How large.
    """
    bases = list_training_bases(corpus)
    training, benchmark = draw_tables(bases, work_folder, plan)
    answers = cross_validate(training, benchmark, plan)
    slope, offset = fit_logit(answers, benchmark)
    model = grow(training, plan.seed, plan.tree_count)
    replace(model, logit_slope=slope, logit_offset=offset).write(model_path)
    probability = 1 / (1 + np.exp(-(slope * _logits(answers) + offset)))
    calibrated = [
        replace(answer, probability=float(value))
        for answer, value in zip(answers, probability, strict=True)
    ]
    figures = measure_figures(calibrated, benchmark)
    model_path.with_suffix(".md").write_text(
        card(figures, len(bases), len(training.truth), plan.seed), encoding="utf-8"
    )


def fold_of(camera: str) -> int:
    """Return the fold of a camera: photos of one camera are never divided."""
    return zlib.crc32(camera.encode()) % FOLD_COUNT


def _folds(cameras: NDArray[np.str_]) -> NDArray[np.int64]:
    return np.array([fold_of(camera) for camera in cameras])
