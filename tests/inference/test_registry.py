"""Which model is served, and which was before."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from inference.errors import ModelError
from inference.registry import Registry
from tests.inference.tiny_models import write_model


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for version in ("1", "2", "3"):
        write_model(tmp_path / f"colours-{version}", {"fp32": "sure"}, version=version)
    return tmp_path


def test_the_shipped_model_is_active_from_the_start() -> None:
    """Nothing has to be configured."""
    assert Registry().active().id == "efficientnet-lite0@1"


def test_the_only_model_of_a_folder_is_active(tmp_path: Path) -> None:
    """One model leaves no choice."""
    write_model(tmp_path / "one", {"fp32": "sure"})
    assert Registry(tmp_path).active().id == "colours@1"


def test_among_several_one_must_be_chosen(folder: Path, tmp_path: Path) -> None:
    """Without a choice the command that makes one is named; no model is no choice either."""
    with pytest.raises(ModelError, match="models activate"):
        Registry(folder).active()
    (tmp_path / "empty").mkdir()
    with pytest.raises(ModelError, match="no active model"):
        Registry(tmp_path / "empty").active()


def test_a_choice_outlives_the_process(folder: Path) -> None:
    """Another registry of the same folder sees what was activated."""
    Registry(folder).activate("colours@2")
    assert Registry(folder).active().id == "colours@2"


def test_rollback_walks_back_through_the_choices(folder: Path) -> None:
    """Each rollback undoes one activation, until there is none left."""
    registry = Registry(folder)
    for version in ("1", "2", "2", "3"):
        registry.activate(f"colours@{version}")
    assert registry.rollback().id == "colours@2"
    assert registry.rollback().id == "colours@1"
    with pytest.raises(ModelError, match="no model was active before"):
        registry.rollback()
    assert registry.active().id == "colours@1"


def test_the_default_can_be_rolled_back_to(tmp_path: Path) -> None:
    """What was active without a choice counts as the first one."""
    write_model(tmp_path / "one", {"fp32": "sure"})
    registry = Registry(tmp_path)
    first = registry.active().id
    registry.activate(first)
    write_model(tmp_path / "two", {"fp32": "sure"}, version="2")
    registry.activate("colours@2")
    assert registry.rollback().id == first


def test_an_unknown_model_is_refused_and_the_known_are_named(folder: Path) -> None:
    """A mistyped name changes nothing."""
    registry = Registry(folder)
    registry.activate("colours@1")
    with pytest.raises(ModelError, match=r"no model colours@9.*colours@1, colours@2"):
        registry.activate("colours@9")
    assert registry.active().id == "colours@1"


def test_two_folders_cannot_hold_the_same_model(folder: Path) -> None:
    """Which one would be served?"""
    write_model(folder / "copy", {"fp32": "sure"}, version="2")
    with pytest.raises(ModelError, match="two folders: colours-2, copy"):
        Registry(folder).models()


@pytest.mark.parametrize("text", ["", "{}", "[1]"])
def test_a_broken_state_file_is_told(folder: Path, text: str) -> None:
    """It is not silently replaced by a guess."""
    (folder / "active.json").write_text(text)
    with pytest.raises(ModelError, match=r"active\.json"):
        Registry(folder).active()


@pytest.mark.parametrize("is_first", [True, False])
def test_a_choice_that_comes_to_nothing_is_undone(folder: Path, is_first: bool) -> None:
    """The state is what it was, also when there was none."""
    registry = Registry(folder)
    state = folder / "active.json"
    if not is_first:
        registry.activate("colours@1")
    before = state.read_text() if state.exists() else None

    def choose_and_fail() -> None:
        with registry.undone_on_failure():
            registry.choose("colours@2")
            assert registry.active().id == "colours@2"
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        choose_and_fail()
    assert (state.read_text() if state.exists() else None) == before
    with registry.undone_on_failure():
        registry.choose("colours@2")
    assert registry.active().id == "colours@2"


def test_models_are_listed_with_their_tiers(folder: Path) -> None:
    """By name and version, with the active one marked; an empty folder has none."""
    Registry(folder).activate("colours@2")
    entries = Registry(folder).entries()
    assert [(e.id, e.is_active, e.label_count) for e in entries] == [
        ("colours@1", False, 3),
        ("colours@2", True, 3),
        ("colours@3", False, 3),
    ]
    (tier,) = entries[0].tiers
    content = (folder / "colours-1" / "fp32.onnx").read_bytes()
    assert (tier.name, tier.size_bytes, tier.needs_verification) == ("fp32", len(content), False)
    assert tier.sha256 == hashlib.sha256(content).hexdigest()
    (folder / "empty").mkdir()
    assert Registry(folder / "empty").entries() == ()
