"""Settings: where a value comes from, and what a wrong one is told."""

from __future__ import annotations

from pathlib import Path

import pytest

from capture.errors import ConfigurationError
from capture.settings import load_settings, origin_of


@pytest.fixture(autouse=True)
def empty_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Stand in a folder without a settings file."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("SMART_CAPTURE_PORT", raising=False)
    return tmp_path


def test_flags_win_over_the_environment_and_the_environment_over_the_file(
    empty_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The nearer to the caller, the stronger."""
    assert (load_settings().port, origin_of("port")) == (50051, "default")
    (empty_folder / "smart-capture.toml").write_text("port = 1001\n")
    assert (load_settings().port, origin_of("port")) == (1001, "smart-capture.toml")
    monkeypatch.setenv("SMART_CAPTURE_PORT", "1002")
    assert (load_settings().port, origin_of("port")) == (1002, "environment SMART_CAPTURE_PORT")
    assert load_settings(port=1003).port == 1003


def test_a_flag_that_was_not_given_changes_nothing() -> None:
    """None stands for a flag left out."""
    assert load_settings(port=None) == load_settings()


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("port = 70000", r"port \(smart-capture.toml\): .*65535"),
        ("prot = 1", r"prot \(smart-capture.toml\)"),
        ("log_level = 'loud'", "log_level"),
        ("port = = 1", "smart-capture.toml"),
    ],
)
def test_a_wrong_setting_is_named(empty_folder: Path, text: str, complaint: str) -> None:
    """The error says which setting, where it stands, and what it may be."""
    (empty_folder / "smart-capture.toml").write_text(text)
    with pytest.raises(ConfigurationError, match=complaint):
        load_settings()


def test_a_wrong_flag_is_told_without_another_place() -> None:
    """Who gave it knows where it stands."""
    with pytest.raises(ConfigurationError, match=r"^port: "):
        load_settings(port=70000)
