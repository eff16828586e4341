"""What a model is: its files, tensors, preprocessing, labels and licence.

A model is a folder with a ``manifest.toml``. Every fact that serving needs is in it, so
that any ONNX classifier comes in by a folder, without code.
"""

from __future__ import annotations

import hashlib
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any

from inference.errors import ModelError
from inference.preprocess import Preprocessing

MANIFEST_NAME = "manifest.toml"


class InputLayout(StrEnum):
    """Order of the axes of the input."""

    NHWC = "NHWC"
    NCHW = "NCHW"


class OutputKind(StrEnum):
    """What the numbers of the output are."""

    LOGITS = "logits"
    PROBABILITIES = "probabilities"


@dataclass(frozen=True, slots=True)
class Tensors:
    """How pixels go in and scores come out.

    Attributes
    ----------
    input, output : str
        Names in the graph.
    layout : InputLayout
        Order of the axes of the input.
    mean, std : tuple of 3 floats, or None
        The input is float32 ``(RGB - mean) / std``; None when it is uint8 RGB as it is.
    output_kind : OutputKind
        Logits are turned into probabilities by a softmax.
    """

    input: str
    output: str
    layout: InputLayout
    mean: tuple[float, float, float] | None
    std: tuple[float, float, float] | None
    output_kind: OutputKind


@dataclass(frozen=True, slots=True)
class TierFile:
    """One set of weights of the model.

    Attributes
    ----------
    name : str
        ``int8``, ``fp32`` or the like; the name stands in every prediction.
    path : Path
        The ONNX file.
    sha256 : str
        Its digest, in hexadecimal.
    needs_verification : bool
        Whether it is used only where its answers have been compared with the last tier's
        on the CPU at hand.
    """

    name: str
    path: Path
    sha256: str
    needs_verification: bool

    @property
    def size_bytes(self) -> int:
        """Length of the file; raises `ModelError` if it is not there."""
        try:
            return self.path.stat().st_size
        except OSError as error:
            raise ModelError(f"{self.path.name} cannot be read: {error.strerror}") from error

    def check(self) -> None:
        """Raise `ModelError` unless the file is there and has this digest."""
        try:
            with self.path.open("rb") as file:
                digest = hashlib.file_digest(file, "sha256").hexdigest()
        except OSError as error:
            raise ModelError(f"{self.path.name} cannot be read: {error.strerror}") from error
        if digest != self.sha256:
            raise ModelError(f"{self.path.name} is not the file that the manifest describes")


@dataclass(frozen=True, slots=True)
class ModelManifest:
    """A model and all that is needed to use it.

    Attributes
    ----------
    name, version : str
        Together they identify it, as ``name@version``.
    folder : Path
        Where its files are.
    description, source, license : str
        What it is, where it comes from, its SPDX licence.
    labels : tuple of str
        Class names, in the order of the output.
    preprocessing : Preprocessing
        Cut and size.
    tensors : Tensors
        Names and form of input and output.
    tiers : tuple of TierFile
        Cheapest first; the last one is the reference.
    min_margin : float
        Where the probabilities of the first two labels are closer than this, the next
        tier is asked.
    """

    name: str
    version: str
    folder: Path
    description: str
    source: str
    license: str
    labels: tuple[str, ...]
    preprocessing: Preprocessing
    tensors: Tensors
    tiers: tuple[TierFile, ...]
    min_margin: float

    @property
    def id(self) -> str:
        """Name and version, ``name@version``."""
        return f"{self.name}@{self.version}"


def read_manifest(folder: Path) -> ModelManifest:
    """Read the manifest of the model in a folder.

    Raises
    ------
    ModelError
        If it is missing, not TOML, incomplete or contradicts itself.
    """
    try:
        table = tomllib.loads((folder / MANIFEST_NAME).read_text(encoding="utf-8"))
        return _manifest_of(table, folder)
    except OSError as error:
        raise ModelError(f"no model in {folder.name}: {error.strerror}") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ModelError(f"{folder.name}/{MANIFEST_NAME} is not TOML: {error}") from error
    except KeyError as error:
        raise ModelError(f"{folder.name}/{MANIFEST_NAME} lacks {error}") from error
    except (TypeError, ValueError, AttributeError) as error:
        raise ModelError(f"{folder.name}/{MANIFEST_NAME}: {error}") from error


def _manifest_of(table: Mapping[str, Any], folder: Path) -> ModelManifest:
    labels = (folder / table["labels"]).read_text(encoding="utf-8").splitlines()
    tiers = tuple(
        TierFile(
            name=row["name"],
            path=folder / row["file"],
            sha256=row["sha256"],
            needs_verification=row.get("needs_verification", False),
        )
        for row in table["tiers"]
    )
    if not tiers:
        raise ValueError("a model needs at least one tier")
    if len({tier.name for tier in tiers}) < len(tiers):
        raise ValueError("two tiers have the same name")
    if tiers[-1].needs_verification:
        raise ValueError("the last tier is the reference, it cannot need verification")
    min_margin = float(table.get("min_margin", 0.0))
    if not 0 <= min_margin <= 1:
        raise ValueError(f"min_margin must be in [0, 1], got {min_margin}")
    return ModelManifest(
        name=table["name"],
        version=table["version"],
        folder=folder,
        description=table["description"],
        source=table["source"],
        license=table["license"],
        labels=tuple(labels),
        preprocessing=Preprocessing(**table["preprocessing"]),
        tensors=_tensors_of(table["tensors"]),
        tiers=tiers,
        min_margin=min_margin,
    )


def _tensors_of(table: Mapping[str, Any]) -> Tensors:
    mean, std = _triple_of(table, "mean"), _triple_of(table, "std")
    if (mean is None) != (std is None):
        raise ValueError("mean and std come together")
    return Tensors(
        input=table["input"],
        output=table["output"],
        layout=InputLayout(table["layout"]),
        mean=mean,
        std=std,
        output_kind=OutputKind(table["output_kind"]),
    )


def _triple_of(table: Mapping[str, Any], name: str) -> tuple[float, float, float] | None:
    if name not in table:
        return None
    values = tuple(map(float, table[name]))
    if len(values) != 3:
        raise ValueError(f"{name} must have a value for red, green and blue, got {len(values)}")
    return values
