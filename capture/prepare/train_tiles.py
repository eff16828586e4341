"""Train the tile network on simulated captures."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from capture.measure.blur_model import SIGMA_OFFSET_PX
from capture.measure.tiles import TILE_PX, choose_tiles
from capture.prepare.blur_set import MASK_REDUCTION
from capture.prepare.simulated_set import Sample
from capture.prepare.tile_net import TileNet

_MIN_KIND_SIGMA_PX = 0.7
_IGNORED = -1.0


@dataclass(frozen=True, slots=True, eq=False)
class TrainingSet:
    """Chosen tiles and the truth about them, n pictures of t tiles.

    Attributes
    ----------
    tiles : (n, t, 128, 128) uint8
        Luma.
    label, tile_label : (n,), (n, t) float32
        1 blurred, 0 sharp, -1 not to be learnt from.
    log_sigma, tile_log_sigma : (n,), (n, t) float32
        log(sigma in px + 0.5); NaN where not to be learnt from.
    direction : (n, 2) float32
        Anisotropy (l1 - l2) / (l1 + l2) times cosine and sine of twice the angle.
    is_motion : (n,) float32
        1 motion, 0 defocus, -1 not to be learnt from.
    """

    tiles: NDArray[np.uint8]
    label: NDArray[np.float32]
    tile_label: NDArray[np.float32]
    log_sigma: NDArray[np.float32]
    tile_log_sigma: NDArray[np.float32]
    direction: NDArray[np.float32]
    is_motion: NDArray[np.float32]


def collect(samples: Iterable[Sample], tile_count: int) -> TrainingSet:
    """Choose the tiles of every sample and put its truth beside them."""
    rows = [_row(sample, tile_count) for sample in samples]
    return TrainingSet(*(np.stack(column) for column in zip(*rows, strict=True)))


def join(sets: Iterable[TrainingSet]) -> TrainingSet:
    """Put sets of equal tile counts behind each other."""
    rows = [
        (s.tiles, s.label, s.tile_label, s.log_sigma, s.tile_log_sigma, s.direction, s.is_motion)
        for s in sets
    ]
    return TrainingSet(*(np.concatenate(column) for column in zip(*rows, strict=True)))


def train(
    training: TrainingSet,
    *,
    seed: int,
    epoch_count: int,
    tiles_per_step: int = 8,
    batch_size: int = 24,
    peak_rate: float = 3e-3,
    net: TileNet | None = None,
) -> TileNet:
    """Train a network; the same seed and set give the same network on the same machine.

    Parameters
    ----------
    training : TrainingSet
        At least one batch of pictures.
    seed : int
        Of the weights, the order and the mirroring.
    epoch_count : int
        Passes over the set.
    tiles_per_step : int
        Tiles of a picture shown at a time, drawn anew each time.
    batch_size : int
        Pictures a step.
    peak_rate : float
        Largest learning rate of the one-cycle schedule.
    net : TileNet or None
        A network to go on with; None for a fresh one.

    Returns
    -------
    TileNet
        In evaluation mode.
    """
    torch.manual_seed(seed)
    rng = np.random.default_rng(seed)
    net = TileNet() if net is None else net
    net.train()
    net.stages.to(memory_format=torch.channels_last)
    batch_size = min(batch_size, len(training.label))
    step_count = epoch_count * (len(training.label) // batch_size)
    optimizer = torch.optim.AdamW(net.parameters(), lr=peak_rate, weight_decay=1e-3)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, peak_rate, total_steps=step_count)
    for epoch in range(epoch_count):
        order = rng.permutation(len(training.label))
        losses = []
        for start in range(0, len(order) - batch_size + 1, batch_size):
            batch = _batch(
                training, np.sort(order[start : start + batch_size]), tiles_per_step, rng
            )
            with torch.autocast("cpu", torch.bfloat16):
                picture, tile = net(batch.tiles)
            loss = _loss(picture.float(), tile.float(), batch)
            optimizer.zero_grad()
            loss.backward()
            nn.utils.clip_grad_norm_(net.parameters(), 2.0)
            optimizer.step()
            schedule.step()
            losses.append(float(loss.detach()))
        print(f"epoch {epoch + 1}/{epoch_count}: loss {np.mean(losses):.4f}", flush=True)
    net.eval()
    return net


@dataclass(frozen=True, slots=True, eq=False)
class _Batch:
    tiles: Tensor
    label: Tensor
    tile_label: Tensor
    log_sigma: Tensor
    tile_log_sigma: Tensor
    direction: Tensor
    is_motion: Tensor


def _row(sample: Sample, tile_count: int) -> tuple[NDArray[Any] | np.float32, ...]:
    tiles = choose_tiles(sample.luma, tile_count)
    count = len(tiles.luma)
    truth = sample.truth
    label = _IGNORED if truth["label"] is None else float(truth["label"])
    log_sigma = math.log(truth["sigma_px"] + SIGMA_OFFSET_PX)
    xx, xy, yy = truth["variance"]
    direction = np.array([(xx - yy), 2 * xy]) / max(xx + yy, 1e-9)
    is_motion = _IGNORED
    if truth["sigma_px"] >= _MIN_KIND_SIGMA_PX:
        is_motion = 0.0 if truth["cause"] == "disk" else 1.0
    tile_label = np.full(count, label)
    tile_log_sigma = np.full(count, log_sigma)
    if truth["is_composite"]:
        direction = np.zeros(2)
        share = _sharp_share(sample, tiles.x_px, tiles.y_px)
        background = math.log(math.sqrt((xx + yy) / 2) + SIGMA_OFFSET_PX)
        tile_label = np.where(share > 0.6, 0.0, np.where(share < 0.02, 1.0, _IGNORED))
        tile_log_sigma = np.where(
            share > 0.6, log_sigma, np.where(share < 0.02, background, np.nan)
        )
    pick = np.arange(tile_count) % count
    return (
        tiles.luma[pick],
        np.float32(label),
        tile_label[pick].astype(np.float32),
        np.float32(log_sigma),
        tile_log_sigma[pick].astype(np.float32),
        direction.astype(np.float32),
        np.float32(is_motion),
    )


def _sharp_share(
    sample: Sample, x_px: NDArray[np.int64], y_px: NDArray[np.int64]
) -> NDArray[np.float64]:
    side = TILE_PX // MASK_REDUCTION
    return np.array(
        [
            sample.sharp_mask[
                y // MASK_REDUCTION : y // MASK_REDUCTION + side,
                x // MASK_REDUCTION : x // MASK_REDUCTION + side,
            ].mean()
            / 255
            for x, y in zip(x_px, y_px, strict=True)
        ]
    )


def _batch(
    training: TrainingSet, rows: NDArray[np.int64], tiles_per_step: int, rng: np.random.Generator
) -> _Batch:
    count = training.tiles.shape[1]
    shown = np.stack([rng.permutation(count)[:tiles_per_step] for _ in rows])
    at = (rows[:, None], shown)
    tiles = training.tiles[at]
    direction = training.direction[rows].copy()
    if rng.random() < 0.5:
        tiles = tiles[..., ::-1]
        direction[:, 1] *= -1
    if rng.random() < 0.5:
        tiles = tiles[..., ::-1, :]
        direction[:, 1] *= -1
    if rng.random() < 0.5:
        tiles = tiles.swapaxes(-1, -2)
        direction[:, 0] *= -1
    arrays = (
        np.ascontiguousarray(tiles),
        training.label[rows],
        training.tile_label[at],
        training.log_sigma[rows],
        training.tile_log_sigma[at],
        direction,
        training.is_motion[rows],
    )
    return _Batch(*(torch.from_numpy(array) for array in arrays))


def _loss(picture: Tensor, tile: Tensor, batch: _Batch) -> Tensor:
    blurred = (batch.label == 1).float()
    sigma = (picture[:, 1] - batch.log_sigma).abs().mean()
    direction = (picture[:, 2:4] - batch.direction).square().sum(1)
    loss = (
        _entropy(picture[:, 0], batch.label)
        + 1.5 * sigma
        + 1.5 * (direction * (0.1 + blurred)).mean()
        + 0.5 * _entropy(picture[:, 4], batch.is_motion)
    )
    known = ~batch.tile_log_sigma.isnan()
    log_width = tile[..., 4]
    error = (tile[..., 1] - batch.tile_log_sigma.nan_to_num()).abs()
    spread = (error * torch.exp(-log_width) + log_width)[known].mean()
    tile_direction = (tile[..., 2:4] - batch.direction[:, None]).square().sum(2)
    return (
        loss
        + 0.5 * _entropy(tile[..., 0], batch.tile_label)
        + 0.3 * spread
        + 0.5 * (tile_direction * (0.1 + blurred[:, None])).mean()
    )


def _entropy(logit: Tensor, label: Tensor) -> Tensor:
    known = label >= 0
    if not bool(known.any()):
        return logit.sum() * 0
    return functional.binary_cross_entropy_with_logits(logit[known], label[known])
