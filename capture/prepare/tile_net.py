"""The network of the blur measure: tiles of one picture in, one answer for the picture out."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn import functional

TILE_OUTPUTS = 5
"""Per tile: logit of blurred, log(sigma + 0.5), anisotropy along 0 and 45 degrees, evidence."""
PICTURE_OUTPUTS = 5
"""Per picture: logit of blurred, log(sigma + 0.5), the two anisotropies, logit of motion."""

_FEATURES = 64
_ENERGY_FLOOR = 1e-2
_STRUCTURE_SCALES = 4


class TileNet(nn.Module):  # type: ignore[misc]  # torch has no types here
    """A small convolutional network over tiles, and a pooled head over the picture.

    Each tile is brought to zero mean and unit contrast, so that a faint edge and a strong one
    of the same width look alike; how faint it was goes to the head beside them.
    """

    def __init__(self, widths: tuple[int, int, int, int] = (16, 32, 64, 96)) -> None:
        super().__init__()
        a, b, c, d = widths
        self.stages = nn.ModuleList(
            [
                _convolution(1, a, 5, 2),
                nn.Sequential(_convolution(a, b, 3, 2), _convolution(b, b, 3, 1)),
                nn.Sequential(_convolution(b, c, 3, 2), _convolution(c, c, 3, 1)),
                nn.Sequential(_convolution(c, d, 3, 2), _convolution(d, d, 3, 1)),
            ]
        )
        with torch.no_grad():
            self.stages[0][0].weight.copy_(_oriented_derivatives(a))
        self.register_buffer("sobel", _sobel())
        self.look = nn.Conv2d(d, 2, 1)
        self.embed = nn.Sequential(
            nn.Linear(a + b + c + 4 * d + 2 + 3 * _STRUCTURE_SCALES, 96),
            nn.ReLU(),
            nn.Linear(96, _FEATURES),
            nn.ReLU(),
        )
        self.tile_head = nn.Linear(_FEATURES, TILE_OUTPUTS)
        self.weigh = nn.Linear(_FEATURES, 3)
        self.head = nn.Sequential(
            nn.Linear(5 * _FEATURES, 64), nn.ReLU(), nn.Linear(64, PICTURE_OUTPUTS)
        )

    def forward(self, tiles: Tensor) -> tuple[Tensor, Tensor]:
        """Judge pictures of equally many tiles.

        Parameters
        ----------
        tiles : (pictures, tiles, 128, 128) uint8
            Luma.

        Returns
        -------
        picture : (pictures, 5) float32
            As in ``PICTURE_OUTPUTS``.
        tile : (pictures, tiles, 5) float32
            As in ``TILE_OUTPUTS``.
        """
        pictures, count = tiles.shape[0], tiles.shape[1]
        luma = tiles.reshape(pictures * count, 1, tiles.shape[2], tiles.shape[3]).float()
        mean = luma.mean((2, 3), keepdim=True)
        centred = luma - mean
        contrast = centred.square().mean((2, 3), keepdim=True).sqrt() + 3.0
        maps = centred / contrast
        features = [contrast.flatten(1).log() - 3.0, mean.flatten(1) / 128 - 1.0]
        features.append(self._structure(maps))
        for stage in self.stages:
            maps = stage(maps)
            # Blur shows as a ratio of energies: a difference of their logarithms.
            features.append((maps.mean((2, 3)) + _ENERGY_FLOOR).log())
        flat = maps.flatten(2)
        weights = self.look(maps).flatten(2).softmax(2)
        features += [torch.matmul(weights, flat.transpose(1, 2)).flatten(1), flat.amax(2)]
        tile = self.embed(torch.cat(features, 1)).reshape(pictures, count, _FEATURES)
        shares = self.weigh(tile).softmax(1)
        pooled = torch.matmul(shares.transpose(1, 2), tile).flatten(1)
        picture = self.head(torch.cat([pooled, tile.mean(1), tile.amax(1)], 1))
        return picture, self.tile_head(tile)

    def _structure(self, luma: Tensor) -> Tensor:
        """Energy and anisotropy of the gradient at 1, 2, 4 and 8 px: (n, 12)."""
        features = []
        for scale in range(_STRUCTURE_SCALES):
            if scale:
                luma = functional.avg_pool2d(luma, 2)
            gradient = functional.conv2d(luma, self.sobel)
            xx, yy = gradient.square().mean((2, 3)).unbind(1)
            xy = (gradient[:, 0] * gradient[:, 1]).mean((1, 2))
            energy = xx + yy + 1e-5
            features += [energy.log() + 2.0, 2 * (xx - yy) / energy, 4 * xy / energy]
        return torch.stack(features, 1)


def _sobel() -> Tensor:
    row = torch.tensor([[-1.0, 0, 1], [-2, 0, 2], [-1, 0, 1]]) / 8
    return torch.stack([row, row.T])[:, None]


def _oriented_derivatives(count: int) -> Tensor:
    """First and second derivatives of a Gaussian in count / 2 directions: a fair start."""
    y, x = torch.meshgrid(torch.arange(-2.0, 3), torch.arange(-2.0, 3), indexing="ij")
    bell = torch.exp(-(x.square() + y.square()) / 2)
    kernels = []
    for index in range(count // 2):
        angle = math.pi * index / (count // 2)
        along = x * math.cos(angle) + y * math.sin(angle)
        first = along * bell
        second = (along.square() - 1) * bell
        second = second - second.mean()
        kernels += [first / first.abs().sum(), second / second.abs().sum()]
    return torch.stack(kernels)[:, None]


def _convolution(inputs: int, outputs: int, side: int, stride: int) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(inputs, outputs, side, stride, side // 2, bias=False),
        nn.BatchNorm2d(outputs),
        nn.ReLU(),
    )
