"""Compare the two families of the blur measure on scenes that neither has seen.

One is shipped: boosted trees over edge widths and spectrum. The other is a small convolutional
network over the same tiles.
"""

from __future__ import annotations

import math
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from capture.measure.blur_model import SIGMA_OFFSET_PX, BlurAnswer
from capture.measure.tiles import choose_tiles
from capture.prepare.blur_card import CardFigures, measure_figures
from capture.prepare.blur_training import Plan, fold_of
from capture.prepare.grow_trees import grow, tabulate
from capture.prepare.simulated_set import Sample, read_set
from capture.prepare.tile_net import TileNet
from capture.prepare.train_tiles import collect, train

HELD_OUT_FOLD = 0
TRAINING_TILES = 12


def compare_families(
    work_folder: Path, plan: Plan, epoch_count: int
) -> dict[str, tuple[CardFigures, float]]:
    """Train both on two folds of the simulated set and judge the third.

    Parameters
    ----------
    work_folder : Path
        Where `train_blur` has kept its captures.
    plan : Plan
        The plan of that training.
    epoch_count : int
        Passes of the network over the set.

    Returns
    -------
    dict
        By family: figures without a fitted probability, and milliseconds a picture.
    """
    asked = [s for s in read_set(work_folder / "benchmark") if fold_of(s.camera) == HELD_OUT_FOLD]
    benchmark = tabulate(asked)
    model = grow(tabulate(_known(work_folder)), plan.seed, plan.tree_count)
    training = collect(_known(work_folder), TRAINING_TILES)
    net = train(training, seed=plan.seed, epoch_count=epoch_count)
    results = {}
    for name, judge in (
        ("boosted trees", model.judge),
        ("convolutional network", partial(answer_of, net)),
    ):
        tiles = [choose_tiles(sample.luma).luma for sample in asked]
        started = time.thread_time()
        answers = [judge(chosen) for chosen in tiles]
        elapsed_ms = 1e3 * (time.thread_time() - started) / len(answers)
        results[name] = (measure_figures(answers, benchmark), elapsed_ms)
    return results


def answer_of(net: TileNet, tiles: NDArray[np.uint8]) -> BlurAnswer:
    """Ask the network about the tiles of one picture, (n, 128, 128) uint8."""
    with torch.no_grad():
        picture, _ = net(torch.from_numpy(tiles)[None])
    logit, log_sigma, along_0, along_45, motion = picture[0].tolist()
    return BlurAnswer(
        probability=1 / (1 + math.exp(-logit)),
        sigma_px=max(0.0, math.exp(log_sigma) - SIGMA_OFFSET_PX),
        motion_probability=1 / (1 + math.exp(-motion)),
        anisotropy=min(1.0, math.hypot(along_0, along_45)),
        angle_deg=math.degrees(math.atan2(along_45, along_0)) / 2 % 180.0,
    )


def _known(work_folder: Path) -> Iterator[Sample]:
    samples = read_set(work_folder / "training")
    return (sample for sample in samples if fold_of(sample.camera) != HELD_OUT_FOLD)
