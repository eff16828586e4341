"""Networks kept as they were optimized for this CPU."""

from __future__ import annotations

from pathlib import Path
from typing import NoReturn

import numpy as np
import pytest

from inference.classifier import OnnxClassifier
from inference.errors import ModelError
from inference.manifest import ModelManifest, read_manifest
from inference.network_cache import cache_folder
from inference.registry import SHIPPED_DEFAULT, SHIPPED_MODELS
from inference.tiers import load_model
from tests.inference.tiny_models import write_model


@pytest.fixture(autouse=True)
def networks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return tmp_path / "cache" / "smart-capture" / "networks"


@pytest.fixture
def colours(tmp_path: Path) -> ModelManifest:
    return read_manifest(write_model(tmp_path / "m", {"fp32": "sure"}))


def answer_of(manifest: ModelManifest, tier: int = -1) -> np.ndarray:
    how = manifest.preprocessing
    shape = (1, how.height_px, how.width_px, 3)
    pixels = np.random.default_rng(7).integers(0, 256, shape, np.uint8)
    return OnnxClassifier(manifest, manifest.tiers[tier]).probabilities(pixels)


@pytest.mark.parametrize("tier", [0, 1])
def test_a_kept_network_computes_the_same(
    networks: Path, tier: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Both shipped networks give the same bits from the cache and from their files."""
    manifest = read_manifest(SHIPPED_MODELS / SHIPPED_DEFAULT)
    kept = answer_of(manifest, tier)
    assert len(list(networks.iterdir())) == 1
    monkeypatch.setenv("XDG_CACHE_HOME", "/dev/null")
    np.testing.assert_array_equal(answer_of(manifest, tier), kept)


def test_a_network_is_optimized_once(networks: Path, colours: ModelManifest) -> None:
    """The second start finds what the first one kept, and leaves nothing else."""
    first = answer_of(colours)
    (folder,) = networks.iterdir()
    written = {path.name: path.stat().st_mtime_ns for path in folder.iterdir()}
    np.testing.assert_array_equal(answer_of(colours), first)
    (folder,) = networks.iterdir()
    assert {path.name: path.stat().st_mtime_ns for path in folder.iterdir()} == written


def test_a_damaged_cache_is_no_obstacle(networks: Path, colours: ModelManifest) -> None:
    """What cannot be opened is worked out from the file again."""
    first = answer_of(colours)
    (folder,) = networks.iterdir()
    (folder / "network.onnx").write_bytes(b"damaged")
    np.testing.assert_array_equal(answer_of(colours), first)
    (folder / "network.onnx").unlink()
    np.testing.assert_array_equal(answer_of(colours), first)


def test_a_user_without_a_home_needs_no_cache(
    colours: ModelManifest, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As in a container that runs under a number: every start works from the files."""

    def nobody(uid: int) -> NoReturn:
        raise KeyError(uid)

    first = answer_of(colours)
    monkeypatch.delenv("XDG_CACHE_HOME")
    monkeypatch.delenv("HOME", raising=False)
    monkeypatch.setattr("pwd.getpwuid", nobody)
    assert cache_folder() is None
    np.testing.assert_array_equal(answer_of(colours), first)
    assert load_model(colours).tier_names == ("fp32",)


def test_a_file_that_was_changed_is_not_kept(networks: Path, colours: ModelManifest) -> None:
    """Only the file that the manifest describes gets into the cache."""
    path = colours.tiers[0].path
    path.write_bytes(path.read_bytes() + b"\0")
    with pytest.raises(ModelError, match="not the file that the manifest describes"):
        answer_of(colours)
    assert not networks.exists()
