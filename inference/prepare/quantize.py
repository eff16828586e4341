"""From a float32 network to the two files that are served.

Both take ``pixels`` (N, H, W, 3) uint8: the normalization ``(x - 127) / 128`` is exactly
what a DequantizeLinear of scale 1/128 and zero point 127 computes, so folding it into the
graph changes no bit, quarters the request and saves the arithmetic.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper
from onnxruntime.quantization import (
    CalibrationDataReader,
    CalibrationMethod,
    QuantFormat,
    QuantType,
    quantize_static,
)
from onnxruntime.quantization.shape_inference import quant_pre_process

from inference.errors import ModelError

INPUT_SCALE = np.float32(1 / 128)
INPUT_ZERO_POINT = np.uint8(127)

_FORBIDDEN = {"ConvInteger", "DynamicQuantizeLinear", "MatMulInteger"}


class _Pictures(CalibrationDataReader):  # type: ignore[misc]
    def __init__(self, pictures: Iterable[NDArray[np.uint8]]) -> None:
        self._pictures = iter(pictures)

    def get_next(self) -> dict[str, NDArray[np.float32]] | None:
        pixels = next(self._pictures, None)
        return None if pixels is None else {"pixel_values": normalize(pixels)}


def normalize(pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Return (N, 3, H, W) float32 of what the unfolded network takes."""
    planes = pixels.transpose(0, 3, 1, 2).astype(np.float32)
    return np.ascontiguousarray((planes - np.float32(127)) * INPUT_SCALE)


def quantize(exported: Path, pictures: Iterable[NDArray[np.uint8]], fp32: Path, int8: Path) -> None:
    """Write the folded float32 network and its int8 twin.

    Static, QDQ, per channel, u8 activations and s8 weights: per tensor the depthwise
    convolutions lose 8 points of top-1, and no other combination has fast kernels.

    Parameters
    ----------
    exported : Path
        The network with input ``pixel_values``.
    pictures : iterable of (1, 224, 224, 3) uint8
        The calibration set, preprocessed as in serving; 100 photos are plenty.
    fp32, int8 : Path
        The files to write.

    Raises
    ------
    ModelError
        If the calibration set does not span black to white, or the graph is not as it
        should be.
    """
    with TemporaryDirectory() as folder:
        cleaned, quantized = Path(folder, "cleaned.onnx"), Path(folder, "quantized.onnx")
        quant_pre_process(exported, cleaned, skip_symbolic_shape=True)
        quantize_static(
            cleaned,
            quantized,
            _Pictures(pictures),
            quant_format=QuantFormat.QDQ,
            per_channel=True,
            activation_type=QuantType.QUInt8,
            weight_type=QuantType.QInt8,
            calibrate_method=CalibrationMethod.MinMax,
        )
        onnx.save(fold_float_input(onnx.load(cleaned)), fp32)
        onnx.save(fold_quantized_input(onnx.load(quantized)), int8)


def fold_float_input(model: onnx.ModelProto) -> onnx.ModelProto:
    """Return the float network with input ``pixels``, bit-identical."""
    graph = model.graph
    name = graph.input[0].name
    scale = numpy_helper.from_array(np.asarray(INPUT_SCALE), "pixels_scale")
    zero_point = numpy_helper.from_array(np.asarray(INPUT_ZERO_POINT), "pixels_zero_point")
    graph.initializer.extend([scale, zero_point])
    dequantize = helper.make_node(
        "DequantizeLinear", ["pixels_nchw", scale.name, zero_point.name], [name]
    )
    return _with_pixels_input(model, [dequantize])


def fold_quantized_input(model: onnx.ModelProto) -> onnx.ModelProto:
    """Return the quantized network with input ``pixels``, bit-identical.

    Raises
    ------
    ModelError
        If the input was not quantized as the pixels are.
    """
    graph = model.graph
    (first,) = [node for node in graph.node if graph.input[0].name in node.input]
    values = {entry.name: numpy_helper.to_array(entry) for entry in graph.initializer}
    found = tuple(values[name].item() for name in first.input[1:])
    if first.op_type != "QuantizeLinear" or found != (INPUT_SCALE, INPUT_ZERO_POINT):
        raise ModelError(
            f"the input is quantized with (scale, zero point) {found}, not (1/128, 127): "
            "the calibration set needs pictures with black and with white pixels"
        )
    unwanted = _FORBIDDEN & {node.op_type for node in graph.node}
    if unwanted:
        raise ModelError(f"the graph has dynamically quantized nodes: {sorted(unwanted)}")
    for node in graph.node:
        for index, name in enumerate(node.input):
            if name == first.output[0]:
                node.input[index] = "pixels_nchw"
    graph.node.remove(first)
    return _with_pixels_input(model, [])


def _with_pixels_input(model: onnx.ModelProto, nodes: list[onnx.NodeProto]) -> onnx.ModelProto:
    graph = model.graph
    _, _, height, width = (dim.dim_value for dim in graph.input[0].type.tensor_type.shape.dim)
    del graph.input[:]
    graph.input.append(
        helper.make_tensor_value_info("pixels", TensorProto.UINT8, ["batch", height, width, 3])
    )
    transpose = helper.make_node("Transpose", ["pixels"], ["pixels_nchw"], perm=[0, 3, 1, 2])
    for node in reversed([transpose, *nodes]):
        graph.node.insert(0, node)
    onnx.checker.check_model(model, full_check=True)
    return model
