"""Networks, tiers and the choice between them."""

from __future__ import annotations

import hashlib
import re
from pathlib import Path

import cv2
import numpy as np
import pytest

from inference.classifier import OnnxClassifier
from inference.errors import ModelError
from inference.manifest import ModelManifest, read_manifest
from inference.prediction import Prediction
from inference.preprocess import preprocess
from inference.registry import SHIPPED_DEFAULT, SHIPPED_MODELS
from inference.tiers import TieredClassifier, load_classifier, load_model
from inference.verification import PICTURES_FOLDER, read_pictures
from tests.inference.tiny_models import write_model

BLUE, GREEN, RED = np.eye(3, dtype=np.uint8) * 255


def plain(color: np.ndarray) -> np.ndarray:
    return np.full((16, 16, 3), color, np.uint8)


@pytest.fixture(scope="module")
def shipped() -> TieredClassifier:
    return load_classifier()


def labels_of(prediction: Prediction) -> list[str]:
    return [label.label for label in prediction.labels]


class TestShippedModel:
    @pytest.mark.parametrize(
        ("picture", "label"),
        [
            ("banana", "banana"),
            ("daisy", "daisy"),
            ("dome", "dome"),
            ("gazelle", "gazelle"),
            ("otter", "otter"),
            ("scooter", "motor scooter"),
            ("standing_stones", "megalith"),
            ("boathouse", "boathouse"),
        ],
    )
    def test_it_names_what_is_in_the_picture(
        self, shipped: TieredClassifier, picture: str, label: str
    ) -> None:
        """Clear pictures get their label."""
        color = cv2.imread(str(PICTURES_FOLDER / f"{picture}.jpg"))
        prediction = shipped.classify(color)
        assert labels_of(prediction)[0] == label
        assert prediction.labels[0].probability > 0.5

    def test_labels_are_sorted_and_probable(self, shipped: TieredClassifier) -> None:
        """Probabilities fall, none is out of range, and as many come as were asked for."""
        color = cv2.imread(str(PICTURES_FOLDER / "cat.jpg"))
        for count in (1, 5, 1000):
            probabilities = [
                label.probability for label in shipped.classify(color, max_label_count=count).labels
            ]
            assert len(probabilities) == count
            assert probabilities == sorted(probabilities, reverse=True)
            assert all(0 <= probability <= 1 for probability in probabilities)
        assert sum(probabilities) == pytest.approx(1, abs=1e-4)

    def test_the_answer_is_that_of_fp32(self, shipped: TieredClassifier) -> None:
        """On the shipped pictures both tiers together name what fp32 alone names."""
        manifest = read_manifest(SHIPPED_MODELS / SHIPPED_DEFAULT)
        exact = OnnxClassifier(manifest, manifest.tiers[-1])
        tiers = set()
        for color in read_pictures(PICTURES_FOLDER):
            prediction = shipped.classify(color, max_label_count=1)
            tiers.add(prediction.tier)
            best = exact.probabilities(preprocess(color, manifest.preprocessing)).argmax()
            assert labels_of(prediction) == [manifest.labels[best]]
        assert tiers == set(shipped.tier_names)

    def test_a_noise_picture_is_left_to_the_last_tier(self, shipped: TieredClassifier) -> None:
        """Where no label stands out, fp32 answers and the reason says so."""
        noise = np.random.default_rng(0).integers(0, 256, (300, 300, 3), np.uint8)
        prediction = shipped.classify(noise)
        assert prediction.tier == "fp32"
        if "int8" in shipped.tier_names:
            assert "< 0.15" in prediction.tier_reason

    def test_bad_arguments_are_refused(self, shipped: TieredClassifier) -> None:
        """No labels wanted, or no picture given, is the caller's mistake."""
        with pytest.raises(ValueError, match="max_label_count"):
            shipped.classify(plain(RED), max_label_count=0)
        with pytest.raises(ValueError, match="color must be"):
            shipped.classify(np.zeros((4, 4), np.uint8))


class TestTiers:
    @pytest.mark.parametrize(("color", "label"), [(RED, "red"), (GREEN, "green"), (BLUE, "blue")])
    def test_any_onnx_network_comes_in_by_a_manifest(
        self, tmp_path: Path, color: np.ndarray, label: str
    ) -> None:
        """A network with float planes answers what it must, channels in the right order."""
        classifier = load_classifier(write_model(tmp_path / "m", {"fp32": "sure"}).parent)
        prediction = classifier.classify(plain(color), max_label_count=3)
        assert labels_of(prediction)[0] == label
        assert (prediction.model, prediction.tier) == ("colours@1", "fp32")
        assert prediction.tier_reason == "the only tier"

    def test_a_sure_cheap_tier_answers(self, tmp_path: Path) -> None:
        """The first tier whose margin reaches the limit has the word."""
        manifest = read_manifest(write_model(tmp_path, {"cheap": "sure", "exact": "wrong"}))
        prediction = tiers_of(manifest).classify(plain(RED))
        assert labels_of(prediction)[0] == "red"
        assert prediction.tier == "cheap"
        assert prediction.tier_reason == "margin 1.00 >= 0.15"

    def test_an_unsure_cheap_tier_asks_the_exact_one(self, tmp_path: Path) -> None:
        """Below the limit the next tier answers, and the margin is told."""
        manifest = read_manifest(write_model(tmp_path, {"cheap": "unsure", "exact": "sure"}))
        prediction = tiers_of(manifest).classify(plain(RED))
        assert labels_of(prediction)[0] == "red"
        assert prediction.labels[0].probability > 0.99
        assert prediction.tier == "exact"
        assert prediction.tier_reason == "cheap margin 0.03 < 0.15"

    def test_a_tier_that_fails_verification_is_left_out(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """A cheap tier that names other things than the exact one is not served."""
        monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
        folder = write_model(tmp_path / "m", {"int8": "wrong", "fp32": "sure"})
        classifier = load_model(read_manifest(folder))
        assert classifier.tier_names == ("fp32",)
        prediction = classifier.classify(plain(GREEN))
        assert labels_of(prediction)[0] == "green"
        assert prediction.tier_reason == "int8 differs from fp32 on this CPU"


class TestNetworksThatCannotBeUsed:
    def test_a_file_that_is_no_network(self, tmp_path: Path) -> None:
        """Refused with its name, although its digest is right."""
        folder = write_model(tmp_path, {"fp32": "sure"})
        rewrite(folder, b"not a network")
        with pytest.raises(ModelError, match=r"fp32\.onnx cannot be loaded"):
            load_model(read_manifest(folder))

    def test_a_network_with_other_tensors(self, tmp_path: Path) -> None:
        """The names in the file and in the manifest are both told."""
        folder = write_model(tmp_path, {"fp32": "sure"})
        text = (folder / "manifest.toml").read_text()
        (folder / "manifest.toml").write_text(text.replace('"planes"', '"pixels"'))
        with pytest.raises(ModelError, match=r"inputs \['planes'\].*'pixels'"):
            load_model(read_manifest(folder))

    def test_a_network_with_more_classes_than_labels(self, tmp_path: Path) -> None:
        """A label list of another network would name the wrong things."""
        folder = write_model(tmp_path, {"fp32": "four_classes"})
        with pytest.raises(ModelError, match="4 classes, and 3 labels"):
            load_model(read_manifest(folder))

    def test_a_network_that_takes_another_type(self, tmp_path: Path) -> None:
        """Without mean and std the input would have to be uint8."""
        folder = write_model(tmp_path, {"fp32": "sure"})
        text = (folder / "manifest.toml").read_text()
        text = text.replace("mean = [0, 0, 0]\n", "").replace("std = [255, 255, 255]\n", "")
        (folder / "manifest.toml").write_text(text)
        with pytest.raises(ModelError, match=r"takes tensor\(float\)"):
            load_model(read_manifest(folder))


def tiers_of(manifest: ModelManifest) -> TieredClassifier:
    """Load every tier, verified or not."""
    return TieredClassifier(
        manifest, [(tier.name, OnnxClassifier(manifest, tier)) for tier in manifest.tiers]
    )


def rewrite(folder: Path, content: bytes) -> None:
    """Replace the only network of a folder, and its digest in the manifest."""
    (folder / "fp32.onnx").write_bytes(content)
    text = (folder / "manifest.toml").read_text()
    digest = hashlib.sha256(content).hexdigest()
    (folder / "manifest.toml").write_text(re.sub(r"[0-9a-f]{64}", digest, text))
