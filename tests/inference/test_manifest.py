"""What a model says of itself."""

from __future__ import annotations

from pathlib import Path

import pytest

from inference.errors import ModelError
from inference.manifest import InputLayout, OutputKind, read_manifest
from inference.registry import SHIPPED_DEFAULT, SHIPPED_MODELS
from tests.inference.tiny_models import write_model

SHIPPED = SHIPPED_MODELS / SHIPPED_DEFAULT


def test_the_shipped_model_is_complete() -> None:
    """1000 different labels, int8 before fp32, a licence, and files as they were made."""
    manifest = read_manifest(SHIPPED)
    assert manifest.id == "efficientnet-lite0@1"
    assert manifest.license == "Apache-2.0"
    assert len(set(manifest.labels)) == 1000
    assert [tier.name for tier in manifest.tiers] == ["int8", "fp32"]
    assert [tier.needs_verification for tier in manifest.tiers] == [True, False]
    for tier in manifest.tiers:
        tier.check()
    assert (SHIPPED / "CREDITS.md").read_text()


def test_shipped_files_stay_small() -> None:
    """Below 20 MiB each, and int8 at most 0.28 of fp32."""
    int8, fp32 = (tier.path.stat().st_size for tier in read_manifest(SHIPPED).tiers)
    assert fp32 < 20 << 20
    assert int8 <= 0.28 * fp32


def test_a_model_of_another_kind_is_described_by_its_manifest(tmp_path: Path) -> None:
    """Float planes with mean and standard deviation are as good as uint8 pixels."""
    manifest = read_manifest(write_model(tmp_path / "colours", {"fp32": "sure"}))
    assert manifest.tensors.layout is InputLayout.NCHW
    assert manifest.tensors.output_kind is OutputKind.LOGITS
    assert manifest.tensors.std == (255, 255, 255)
    assert manifest.labels == ("red", "green", "blue")


@pytest.mark.parametrize(
    ("old", "new", "complaint"),
    [
        ('version = "1"', "", "lacks 'version'"),
        ('layout = "NCHW"', 'layout = "HWC"', "HWC"),
        ('output_kind = "logits"', 'output_kind = "votes"', "votes"),
        ("mean = [0, 0, 0]", "", "mean and std come together"),
        (
            "mean = [0, 0, 0]",
            "mean = [0, 0]",
            "mean must have a value for red",
        ),
        ("min_margin = 0.15", "min_margin = 2", "min_margin"),
        ("width_px = 4", "width_px = 0", "size must be positive"),
        ("width_px = 4", "widht_px = 4", "widht_px"),
        ('labels = "labels.txt"', 'labels = "gone.txt"', "No such file"),
        ('name = "colours"', "name = colours", "not TOML"),
        ("needs_verification = false", "needs_verification = true", "the last tier"),
        ("[[tiers]]", "[[others]]", "lacks 'tiers'"),
    ],
)
def test_a_manifest_that_cannot_be_used_says_why(
    tmp_path: Path, old: str, new: str, complaint: str
) -> None:
    """Every mistake is a ModelError that names it."""
    folder = write_model(tmp_path / "colours", {"fp32": "sure"})
    text = (folder / "manifest.toml").read_text()
    assert old in text
    (folder / "manifest.toml").write_text(text.replace(old, new))
    with pytest.raises(ModelError, match=complaint):
        read_manifest(folder)


def test_a_folder_without_manifest_is_no_model(tmp_path: Path) -> None:
    """The folder is named, not its whole path."""
    with pytest.raises(ModelError, match=r"^no model in nothing: No such file"):
        read_manifest(tmp_path / "nothing")


def test_a_changed_file_is_noticed(tmp_path: Path) -> None:
    """A file that is not the one described, or is gone, is not used."""
    (tier,) = read_manifest(write_model(tmp_path / "colours", {"fp32": "sure"})).tiers
    tier.path.write_bytes(tier.path.read_bytes() + b"\0")
    with pytest.raises(ModelError, match="not the file"):
        tier.check()
    tier.path.unlink()
    with pytest.raises(ModelError, match="cannot be read"):
        tier.check()
