"""The commands that show, switch and compare models."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from capture.cli.app import app
from inference.errors import ModelError, ModelNotVerifiedError
from inference.verification import PICTURES_FOLDER
from tests.inference.tiny_models import write_model


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("COLUMNS", "120")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    models = tmp_path / "models"
    write_model(models / "one", {"int8": "sure", "fp32": "sure"})
    write_model(models / "two", {"int8": "sure", "fp32": "sure"}, version="2")
    write_model(models / "three", {"int8": "wrong", "fp32": "sure"}, version="3")
    return models


def smart_capture(*arguments: str | Path) -> Result:
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


def test_models_are_listed_with_the_active_one_marked(folder: Path) -> None:
    """One line a model: id, tiers with sizes, number of classes, licence."""
    smart_capture("models", "activate", "colours@2", "--models-folder", folder)
    result = smart_capture("models", "list", "--models-folder", folder)
    assert result.exit_code == 0
    lines = [line.split() for line in result.output.splitlines()]
    assert [line[:2] for line in lines if "colours@2" in line] == [["*", "colours@2"]]
    assert [line[0] for line in lines if "colours@1" in line] == ["colours@1"]


@pytest.mark.parametrize("flag", ["--models-folder", "--models"])
def test_a_server_takes_the_folder_by_the_same_name(tmp_path: Path, flag: str) -> None:
    """And by its short one; a folder without an active model ends it before it listens."""
    (tmp_path / "none").mkdir()
    command = [sys.executable, "-m", "capture", "serve", "--port", "0", flag, tmp_path / "none"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 2
    assert "none has no active model" in done.stderr


def test_the_shipped_model_is_listed_without_any_option() -> None:
    """The one that ships is there and active."""
    result = smart_capture("models", "list")
    assert result.exit_code == 0
    assert "* efficientnet-lite0@1" in " ".join(result.output.split())


def test_switching_and_going_back(folder: Path) -> None:
    """activate makes sure first, rollback undoes, and both name what is active now."""
    at = ("--models-folder", folder)
    result = smart_capture("models", "activate", "colours@1", *at)
    assert result.output == "active: colours@1\n"
    assert smart_capture("models", "activate", "colours@2", *at).exit_code == 0
    assert smart_capture("models", "rollback", *at).output == "active: colours@1\n"


def test_a_model_that_does_not_load_is_not_activated(folder: Path) -> None:
    """The active model stays when the new one's file is damaged."""
    at = ("--models-folder", folder)
    smart_capture("models", "activate", "colours@1", *at)
    (folder / "two" / "fp32.onnx").write_bytes(b"damaged")
    result = smart_capture("models", "activate", "colours@2", *at)
    assert isinstance(result.exception, ModelError)
    assert "* colours@1" in " ".join(smart_capture("models", "list", *at).output.split())


def test_a_model_that_fails_its_verification_is_not_activated(folder: Path) -> None:
    """The tier is named, and the active model stays."""
    at = ("--models-folder", folder)
    smart_capture("models", "activate", "colours@1", *at)
    result = smart_capture("models", "activate", "colours@3", *at)
    assert isinstance(result.exception, ModelNotVerifiedError)
    assert "int8" in str(result.exception)
    assert "* colours@1" in " ".join(smart_capture("models", "list", *at).output.split())


def test_verify_tells_files_and_cpu(folder: Path) -> None:
    """Exit code 0 when every tier may be used here, 1 when one may not."""
    good = smart_capture("models", "verify", "colours@2", "--models-folder", folder)
    assert good.exit_code == 0
    assert "int8: passed on this CPU" in good.output
    bad = smart_capture("models", "verify", "colours@3", "--models-folder", folder)
    assert bad.exit_code == 1
    assert "int8: FAILED on this CPU" in bad.output
    assert "fp32: the file is the one of the manifest" in bad.output


def test_verifying_with_own_pictures_leaves_a_record_with_the_model(folder: Path) -> None:
    """The record goes into the model's folder, and decides from then on."""
    result = smart_capture(
        "prepare", "verify", "colours@3", "--pictures", PICTURES_FOLDER, "--models-folder", folder
    )
    assert result.exit_code == 1
    assert "FAILED" in result.output
    assert list((folder / "three" / "verifications").glob("*.json"))


def test_benchmark_prints_a_row_a_tier_with_ratios(folder: Path) -> None:
    """The last tier is the reference: its ratios are 1."""
    result = smart_capture(
        "prepare", "benchmark", "colours@1", "--runs", "3", "--models-folder", folder
    )
    assert result.exit_code == 0
    rows = {line.split()[0]: line.split() for line in result.output.splitlines() if line.split()}
    assert rows["fp32"][-2:] == ["1.000", "1.00"]
    assert "int8" in rows


@pytest.mark.skipif(
    importlib.util.find_spec("torch") is not None, reason="the [prepare] extra is installed"
)
def test_without_the_extra_the_extra_is_named(tmp_path: Path) -> None:
    """One line says what to install; nothing is written."""
    result = smart_capture("prepare", "export", tmp_path / "out.onnx")
    assert result.exit_code == 2
    assert "smart-capture[prepare]" in result.output
    assert not (tmp_path / "out.onnx").exists()
