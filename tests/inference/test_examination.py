"""May a model be served here?"""

from __future__ import annotations

from pathlib import Path

import pytest

from inference.errors import ModelError, ModelNotVerifiedError
from inference.examination import Examiner, examine
from inference.manifest import read_manifest
from inference.registry import Registry
from tests.inference.tiny_models import write_model


def test_a_sound_model_passes_tier_by_tier(tmp_path: Path) -> None:
    """What needs no comparison has none; the id names it all."""
    folder = write_model(tmp_path / "one", {"int8": "sure", "fp32": "sure"})
    examination = examine(read_manifest(folder))
    examination.require_passed()
    assert examination.model == "colours@1"
    int8, fp32 = examination.tiers
    assert int8.comparison is not None
    assert (int8.comparison.reference, int8.comparison.agreement) == ("fp32", 1.0)
    assert fp32.comparison is None


def test_the_shipped_model_passes_or_says_which_tier_does_not() -> None:
    """On every CPU its reference may be used."""
    examination = examine(Registry().active())
    assert examination.tiers[-1].passed
    for tier in examination.tiers[:-1]:
        assert tier.comparison is not None
        assert tier.comparison.picture_count > 10


def test_a_tier_that_answers_differently_is_named(tmp_path: Path) -> None:
    """The model loads, and is not to be activated."""
    folder = write_model(tmp_path / "one", {"int8": "wrong", "fp32": "sure"})
    examination = examine(read_manifest(folder))
    with pytest.raises(ModelNotVerifiedError, match=r"colours@1 .* int8"):
        examination.require_passed()


@pytest.mark.parametrize("damage", ["file", "missing", "classes"])
def test_a_model_that_does_not_load_is_told(tmp_path: Path, damage: str) -> None:
    """Another file than the manifest says, none, or one with other classes."""
    weights = "four_classes" if damage == "classes" else "sure"
    folder = write_model(tmp_path / "one", {"int8": "sure", "fp32": weights})
    if damage == "file":
        (folder / "fp32.onnx").write_bytes(b"damaged")
    if damage == "missing":
        (folder / "fp32.onnx").unlink()
    with pytest.raises(ModelError, match=r"fp32\.onnx"):
        Examiner()((tmp_path, "colours@1"))


def test_an_examiner_finds_a_model_by_its_folder_and_id(tmp_path: Path) -> None:
    """What a process of its own does for a server."""
    write_model(tmp_path / "one", {"fp32": "sure"})
    assert Examiner()((tmp_path, "colours@1")) == examine(read_manifest(tmp_path / "one"))
    with pytest.raises(ModelError, match="there is no model colours@2"):
        Examiner()((tmp_path, "colours@2"))
