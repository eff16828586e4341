"""Three networks of a few hundred bytes whose answers are known without running them.

Each averages the picture and answers one score a channel: red, green, blue. They are
written by ``python -m tests.inference.tiny_models`` (needs the [prepare] extra) and
committed, so that the suite runs without it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path

FOLDER = Path(__file__).parent / "models"

WEIGHTS = {
    "sure": [[20, 0, 0], [0, 20, 0], [0, 0, 20]],
    "unsure": [[0.1, 0, 0], [0, 0.1, 0], [0, 0, 0.1]],
    "wrong": [[0, 20, 0], [0, 0, 20], [20, 0, 0]],
    "four_classes": [[1, 0, 0, 0], [0, 1, 0, 0], [0, 0, 1, 0]],
}


def write_model(
    folder: Path,
    tiers: Mapping[str, str],
    *,
    name: str = "colours",
    version: str = "1",
    min_margin: float = 0.15,
) -> Path:
    """Write a model folder; `tiers` maps the name of a tier to one of `WEIGHTS`.

    All tiers but the last need verification.
    """
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "labels.txt").write_text("red\ngreen\nblue\n")
    text = f"""\
name = "{name}"
version = "{version}"
description = "Which colour prevails"
source = "made by the tests"
license = "Apache-2.0"
labels = "labels.txt"
min_margin = {min_margin}
preprocessing = {{ width_px = 4, height_px = 4 }}

[tensors]
input = "planes"
output = "scores"
layout = "NCHW"
mean = [0, 0, 0]
std = [255, 255, 255]
output_kind = "logits"
"""
    for number, (tier, weights) in enumerate(tiers.items(), start=1):
        content = (FOLDER / f"{weights}.onnx").read_bytes()
        (folder / f"{tier}.onnx").write_bytes(content)
        text += f"""
[[tiers]]
name = "{tier}"
file = "{tier}.onnx"
sha256 = "{hashlib.sha256(content).hexdigest()}"
needs_verification = {"true" if number < len(tiers) else "false"}
"""
    (folder / "manifest.toml").write_text(text)
    return folder


def network_bytes(weights: list[list[float]]) -> bytes:
    """Return the ONNX file of one network."""
    import numpy as np
    from onnx import TensorProto, helper, numpy_helper

    class_count = len(weights[0])
    graph = helper.make_graph(
        [
            helper.make_node("GlobalAveragePool", ["planes"], ["pooled"]),
            helper.make_node("Flatten", ["pooled"], ["means"]),
            helper.make_node("MatMul", ["means", "weights"], ["scores"]),
        ],
        "tiny",
        [helper.make_tensor_value_info("planes", TensorProto.FLOAT, ["batch", 3, 4, 4])],
        [helper.make_tensor_value_info("scores", TensorProto.FLOAT, ["batch", class_count])],
        [numpy_helper.from_array(np.asarray(weights, np.float32), "weights")],
    )
    opset = helper.make_opsetid("", 17)
    model = helper.make_model(graph, opset_imports=[opset], ir_version=8, producer_name="")
    return bytes(model.SerializeToString())


if __name__ == "__main__":
    for stem, weights in WEIGHTS.items():
        (FOLDER / f"{stem}.onnx").write_bytes(network_bytes(weights))
