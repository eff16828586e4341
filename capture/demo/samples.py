"""The pictures that the demo plays, and what is expected of them."""

from __future__ import annotations

import csv
import json
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import Any

from capture.errors import UnreadableFileError
from capture.gates.verdict import ReasonCode, Verdict
from capture.measure.gyro import GyroSample


@dataclass(frozen=True, slots=True)
class BurstFrame:
    """One preview of the burst: its file, and the middle of its exposure in milliseconds."""

    file: Path
    captured_at_ms: float


@dataclass(frozen=True, slots=True)
class ExpectedStill:
    """A shot, and what should be said of it.

    Attributes
    ----------
    file : Path
        The picture.
    verdict : Verdict
        What it should be.
    reasons : tuple of ReasonCode
        Reasons that should be among those given.
    label : str or None
        The first label that it should have; None when it should not be classified.
    """

    file: Path
    verdict: Verdict
    reasons: tuple[ReasonCode, ...]
    label: str | None


@dataclass(frozen=True, slots=True)
class DemoSamples:
    """A burst with its gyroscope, six stills, and the camera that took them.

    Attributes
    ----------
    frames : tuple of BurstFrame
        In time order.
    gyro : tuple of GyroSample
        On the clock of the frames.
    stills : tuple of ExpectedStill
        In the order in which they are shot.
    profile : str
        The limits that the expectations are for.
    ready_after_ms : float
        When the hand has come to rest: READY before that would be wrong.
    still_width_px : int
        Width of a still.
    exposure_time_s : float
        Exposure time of a still.
    focal_length_px : float
        Focal length in pixels of a still.
    """

    frames: tuple[BurstFrame, ...]
    gyro: tuple[GyroSample, ...]
    stills: tuple[ExpectedStill, ...]
    profile: str
    ready_after_ms: float
    still_width_px: int
    exposure_time_s: float
    focal_length_px: float


def samples_folder() -> Path:
    """Return where the samples lie: in the installed package, or else in the repository."""
    package = Path(str(resources.files("capture")))
    installed = package / "samples" / "demo"
    return installed if installed.is_dir() else package.parent / "samples" / "demo"


def load_samples(folder: Path | None = None) -> DemoSamples:
    """Read the samples; those that ship if no folder is given.

    Raises
    ------
    UnreadableFileError
        If they are not there, or do not say what is needed.
    """
    folder = folder or samples_folder()
    try:
        return _load(folder)
    except OSError as error:
        raise UnreadableFileError(f"the demo's samples: {error}") from error
    except KeyError as error:
        raise UnreadableFileError(f"the demo's samples lack {error}") from error
    except ValueError as error:
        raise UnreadableFileError(f"the demo's samples make no sense: {error}") from error


def _load(folder: Path) -> DemoSamples:
    burst = folder / "burst"
    expected = json.loads((folder / "expected.json").read_text())
    camera = json.loads((folder / "camera.json").read_text())
    frames = [
        BurstFrame(burst / row["file"], float(row["captured_at_ms"]))
        for row in _rows(burst / "timestamps.csv")
    ]
    gyro = [
        GyroSample(
            *(float(row[name]) for name in ("timestamp_ms", "x_rad_s", "y_rad_s", "z_rad_s"))
        )
        for row in _rows(burst / "gyro.csv")
    ]
    return DemoSamples(
        frames=tuple(frames),
        gyro=tuple(gyro),
        stills=tuple(_still(folder, still) for still in expected["stills"]),
        profile=expected["profile"],
        ready_after_ms=expected["ready_after_ms"],
        still_width_px=camera["still_width_px"],
        exposure_time_s=camera["exposure_time_s"],
        focal_length_px=camera["focal_length_px"],
    )


def _still(folder: Path, still: dict[str, Any]) -> ExpectedStill:
    return ExpectedStill(
        file=folder / still["file"],
        verdict=Verdict(still["verdict"]),
        reasons=tuple(ReasonCode(code) for code in still["reasons"]),
        label=still["label"],
    )


def _rows(path: Path) -> list[dict[str, str]]:
    with path.open(newline="") as file:
        return list(csv.DictReader(file))
