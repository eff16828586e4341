"""From PyTorch weights to the files that are served; needs the [prepare] extra."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("torch", reason="needs the [prepare] extra")

import onnx
import onnxruntime as ort
from skimage import data

from inference.errors import ModelError
from inference.manifest import ModelManifest, read_manifest
from inference.prepare.benchmark import measure_tiers
from inference.prepare.export import MAX_PARITY_ERROR, export_efficientnet_lite0
from inference.prepare.package import EFFICIENTNET_LITE0_PREPROCESSING, package
from inference.prepare.quantize import normalize, quantize
from inference.preprocess import preprocess
from inference.registry import SHIPPED_DEFAULT, SHIPPED_MODELS
from inference.verification import PICTURES_FOLDER, read_pictures, verify
from tests.inference import tiny_models

pytestmark = [pytest.mark.prepare, pytest.mark.timeout(300)]

LABELS = SHIPPED_MODELS / SHIPPED_DEFAULT / "labels.txt"


def photos() -> list[np.ndarray]:
    """Return photographs that ship with scikit-image, BGR."""
    names = ("astronaut", "coffee", "chelsea", "rocket")
    return [np.ascontiguousarray(getattr(data, name)()[:, :, ::-1]) for name in names]


@pytest.fixture(scope="module")
def exported(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("export") / "exported.onnx"
    assert export_efficientnet_lite0(path) < MAX_PARITY_ERROR
    return path


@pytest.fixture(scope="module")
def packaged(exported: Path) -> ModelManifest:
    pictures = photos() + read_pictures(PICTURES_FOLDER)
    return package(exported, pictures, LABELS, exported.parent / "model")


def test_the_export_has_the_opset_asked_for(exported: Path) -> None:
    """Opset 17, with named tensors and a free batch size."""
    model = onnx.load(exported)
    assert [(entry.domain, entry.version) for entry in model.opset_import] == [("", 17)]
    assert [entry.name for entry in model.graph.input] == ["pixel_values"]
    assert [entry.name for entry in model.graph.output] == ["scores"]


def test_folding_the_input_changes_no_bit(exported: Path, packaged: ModelManifest) -> None:
    """uint8 pixels give exactly the scores of the normalized planes."""
    plain = ort.InferenceSession(exported, providers=["CPUExecutionProvider"])
    folded = ort.InferenceSession(packaged.tiers[-1].path, providers=["CPUExecutionProvider"])
    for color in photos():
        pixels = preprocess(color, EFFICIENTNET_LITE0_PREPROCESSING)
        (expected,) = plain.run(None, {"pixel_values": normalize(pixels)})
        (scores,) = folded.run(None, {"pixels": pixels})
        np.testing.assert_array_equal(scores, expected)


def test_the_package_verifies_itself(packaged: ModelManifest) -> None:
    """A few dozen photos calibrate a network that agrees with fp32, at 0.28 of its size."""
    record = verify(packaged, packaged.tiers[0], photos() + read_pictures(PICTURES_FOLDER))
    assert record.passed
    int8, fp32 = measure_tiers(packaged, run_count=5)
    assert int8.size_ratio <= 0.28
    assert fp32.speed_ratio == 1


def test_fp32_is_the_network_that_ships(packaged: ModelManifest) -> None:
    """The shipped file can be made again: it gives the same scores."""
    shipped = read_manifest(SHIPPED_MODELS / SHIPPED_DEFAULT)
    sessions = [
        ort.InferenceSession(manifest.tiers[-1].path, providers=["CPUExecutionProvider"])
        for manifest in (packaged, shipped)
    ]
    for color in photos():
        pixels = preprocess(color, EFFICIENTNET_LITE0_PREPROCESSING)
        ours, theirs = (session.run(None, {"pixels": pixels})[0] for session in sessions)
        np.testing.assert_allclose(ours, theirs, atol=MAX_PARITY_ERROR)


def test_a_calibration_set_without_black_and_white_is_refused(
    exported: Path, tmp_path: Path
) -> None:
    """The folded input would not be what the network was calibrated for."""
    grey = [np.full((1, 224, 224, 3), value, np.uint8) for value in (90, 160)]
    with pytest.raises(ModelError, match="black and with white"):
        quantize(exported, grey, tmp_path / "fp32.onnx", tmp_path / "int8.onnx")


def test_the_tiny_networks_are_what_their_module_writes() -> None:
    """The committed files of the tests are up to date."""
    for stem, weights in tiny_models.WEIGHTS.items():
        committed = (tiny_models.FOLDER / f"{stem}.onnx").read_bytes()
        assert tiny_models.network_bytes(weights) == committed
