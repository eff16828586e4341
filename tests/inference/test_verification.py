"""Is the quantized network to be trusted on this CPU?"""

from __future__ import annotations

import json
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
import pytest

from inference.cpu import cpu_signature
from inference.errors import ModelError
from inference.manifest import read_manifest
from inference.registry import SHIPPED_DEFAULT, SHIPPED_MODELS
from inference.verification import (
    PICTURES_FOLDER,
    Verification,
    read_pictures,
    verified,
    verify,
    write_record,
)
from tests.inference.tiny_models import write_model


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return tmp_path / "cache" / "smart-capture" / "verifications"


def tinted(seed: int, count: int = 20) -> list[np.ndarray]:
    """Return pictures in which one channel clearly prevails."""
    generator = np.random.default_rng(seed)
    pictures = generator.integers(0, 60, (count, 8, 8, 3), np.uint8)
    pictures[np.arange(count), :, :, generator.integers(0, 3, count)] += 150
    return list(pictures)


def test_the_shipped_int8_network_passes_here() -> None:
    """Measured now on this machine, with the pictures that ship."""
    manifest = read_manifest(SHIPPED_MODELS / SHIPPED_DEFAULT)
    record = verify(manifest, manifest.tiers[0], read_pictures(PICTURES_FOLDER))
    assert record.picture_count == 23
    assert record.confident_count >= 10
    assert record.passed


def test_every_shipped_record_is_of_the_shipped_files() -> None:
    """A record of files that are no longer there would vouch for nothing."""
    manifest = read_manifest(SHIPPED_MODELS / SHIPPED_DEFAULT)
    paths = list((manifest.folder / "verifications").glob("*.json"))
    assert paths
    digests = tuple(tier.sha256 for tier in manifest.tiers)
    for path in paths:
        record = Verification(**json.loads(path.read_text()))
        assert (record.sha256, record.reference_sha256) == digests
        assert record.passed


def test_a_network_that_agrees_passes(tmp_path: Path) -> None:
    """Identical tiers agree on every picture, with no difference at all."""
    manifest = read_manifest(write_model(tmp_path / "m", {"int8": "sure", "fp32": "sure"}))
    record = verify(manifest, manifest.tiers[0], tinted(1))
    assert (record.agreement, record.confident_agreement, record.mean_difference) == (1, 1, 0)
    assert record.passed
    assert record.cpu == cpu_signature()


@pytest.mark.parametrize("weights", ["wrong", "unsure"])
def test_a_network_that_differs_fails(tmp_path: Path, weights: str) -> None:
    """Other labels fail it, and so do the same labels with other probabilities."""
    manifest = read_manifest(write_model(tmp_path / "m", {"int8": weights, "fp32": "sure"}))
    assert not verify(manifest, manifest.tiers[0], tinted(2)).passed


def test_pictures_that_tell_nothing_do_not_pass_a_network(tmp_path: Path) -> None:
    """When the reference is sure of no picture, agreement would be luck."""
    manifest = read_manifest(write_model(tmp_path / "m", {"int8": "unsure", "fp32": "unsure"}))
    record = verify(manifest, manifest.tiers[0], tinted(3))
    assert record.confident_count == 0
    assert not record.passed
    with pytest.raises(ModelError, match="needs pictures"):
        verify(manifest, manifest.tiers[0], [])


def test_a_record_is_measured_once_and_then_read(tmp_path: Path, cache: Path) -> None:
    """The first use leaves a record in the user's cache; the second one trusts it."""
    manifest = read_manifest(write_model(tmp_path / "m", {"int8": "wrong", "fp32": "sure"}))
    (tier, _) = manifest.tiers
    record = verified(manifest, tier)
    assert not record.passed
    (path,) = cache.iterdir()
    assert Verification(**json.loads(path.read_text())) == record
    altered = replace(record, picture_count=1234)
    path.write_text(json.dumps(asdict(altered)))
    assert verified(manifest, tier) == altered


def test_a_record_in_the_model_folder_comes_first(tmp_path: Path, cache: Path) -> None:
    """What ships with a model needs no measurement."""
    manifest = read_manifest(write_model(tmp_path / "m", {"int8": "sure", "fp32": "sure"}))
    record = replace(verify(manifest, manifest.tiers[0], tinted(4)), picture_count=4321)
    write_record(record, manifest.folder / "verifications")
    assert verified(manifest, manifest.tiers[0]) == record
    assert not cache.exists()


def test_a_record_of_another_cpu_counts_for_nothing(tmp_path: Path, cache: Path) -> None:
    """Renamed to fit, a foreign record is not believed."""
    manifest = read_manifest(write_model(tmp_path / "m", {"int8": "wrong", "fp32": "sure"}))
    path = write_record(verified(manifest, manifest.tiers[0]), cache)
    foreign = Verification(**json.loads(path.read_text()))
    foreign = replace(foreign, cpu="another", confident_agreement=1.0, mean_difference=0.0)
    path.write_text(json.dumps(asdict(foreign)))
    assert not verified(manifest, manifest.tiers[0]).passed


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"model": 1}', "\x00"])
def test_a_broken_record_is_measured_again(tmp_path: Path, cache: Path, text: str) -> None:
    """Whatever is in the cache, the check works."""
    manifest = read_manifest(write_model(tmp_path / "m", {"int8": "sure", "fp32": "sure"}))
    verified(manifest, manifest.tiers[0])
    (path,) = cache.iterdir()
    path.write_text(text)
    assert verified(manifest, manifest.tiers[0]).model == "colours@1"


def test_a_cache_that_cannot_be_written_is_no_obstacle(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A file where the cache folder should be: measured each time, and no error."""
    (tmp_path / "file").touch()
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
    manifest = read_manifest(write_model(tmp_path / "m", {"int8": "wrong", "fp32": "sure"}))
    assert not verified(manifest, manifest.tiers[0]).passed


def test_named_pictures_must_be_there(tmp_path: Path) -> None:
    """A list of names is a promise; a folder without pictures is a mistake."""
    with pytest.raises(ModelError, match=r"gone\.jpg cannot be read"):
        read_pictures(PICTURES_FOLDER, ["otter.jpg", "gone.jpg"])
    with pytest.raises(ModelError, match="no pictures"):
        read_pictures(tmp_path)


def test_the_signature_tells_cpu_and_runtime() -> None:
    """Architecture first, the version of ONNX Runtime last, the same at every call."""
    words = cpu_signature().split()
    assert words[-2] == "onnxruntime"
    assert len(words) > 3
    assert cpu_signature() == cpu_signature()
