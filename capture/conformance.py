"""The conformance pack: pictures with the values that any engine must find in them.

A port to a phone is checked against the same files. The page beside the pictures states
each measure's formula.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import Any

from capture.assess import assess_image
from capture.assessment import record_of
from capture.errors import ConfigurationError, ImageError
from capture.gates.profile import load_profile
from capture.images import EncodedImage

TABLE = "conformance.json"

TOLERANCES = {
    "blur.probability": 0.05,
    "blur.blur_px": 0.10,
    "blur.blur_px_at_reference": 0.10,
    "blur.motion_extent_px": 0.75,
    "blur.motion_angle_deg": 4.0,
    "exposure.offset_ev": 0.05,
    "exposure.clipped_highlight_fraction": 0.0005,
    "exposure.clipped_shadow_fraction": 0.0005,
    "exposure.dynamic_range_stops": 0.05,
    "noise_sigma": 0.15,
}
"""How far another engine may be off, in each measure's unit: what other decoders and other
arithmetic cost, measured between the decoders we use, with room to spare."""

EXACT = ("width_px", "height_px", "verdict", "blur.status", "blur.kind", "exposure.status")


@dataclass(frozen=True, slots=True)
class Check:
    """One value of one picture, held against the pack.

    Attributes
    ----------
    file : str
        The picture.
    measure : str
        Name as in the record.
    expected, found : object
        The golden value and ours.
    tolerance : float or None
        Allowed difference; None where the values must be equal.
    """

    file: str
    measure: str
    expected: Any
    found: Any
    tolerance: float | None

    @property
    def holds(self) -> bool:
        """Whether the engine agrees."""
        if self.tolerance is None or self.expected is None or self.found is None:
            return bool(self.expected == self.found)
        difference = abs(self.found - self.expected)
        if self.measure == "blur.motion_angle_deg":
            difference = min(difference, 180 - difference)  # a direction has no sign
        return bool(difference <= self.tolerance)


def pack_folder() -> Path:
    """Return the folder of the pack that ships, installed or in the repository."""
    for folder in (
        Path(str(resources.files("capture"))) / "samples" / "conformance",
        Path(__file__).parent.parent / "samples" / "conformance",
    ):
        if (folder / TABLE).is_file():
            return folder
    raise ConfigurationError("the conformance pack is not installed")


def check_pack(folder: Path) -> Iterator[Check]:
    """Judge every picture of a pack with this engine and compare.

    Raises
    ------
    ConfigurationError
        If the pack is not there, or its pictures are not those of its table.
    """
    for row in read_table(folder)["pictures"]:
        data = _read_picture(folder, row)
        record = flat_record(row["file"], data)
        for measure, expected in row["values"].items():
            tolerance = None if expected is None else TOLERANCES.get(measure)
            yield Check(row["file"], measure, expected, record.get(measure), tolerance)


def read_table(folder: Path) -> dict[str, Any]:
    """Read the table of a pack.

    Raises
    ------
    ConfigurationError
        If it is not there or is no such table.
    """
    try:
        table = json.loads((folder / TABLE).read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ConfigurationError(f"no conformance pack in {folder}: {error}") from error
    if not isinstance(table, dict) or "pictures" not in table:
        raise ConfigurationError(f"{folder / TABLE} is no table of a conformance pack")
    return table


def flat_record(name: str, data: bytes) -> dict[str, Any]:
    """Judge one picture under the default profile; the record with dotted names."""
    try:
        assessment = assess_image(EncodedImage(data), load_profile("default"), None)
    except ImageError as error:
        return {"status": error.code}
    flat: dict[str, Any] = {}
    for key, value in record_of(name, assessment).items():
        if isinstance(value, dict):
            flat |= {f"{key}.{inner}": item for inner, item in value.items()}
        else:
            flat[key] = value
    return flat


def golden_values(record: dict[str, Any]) -> dict[str, Any]:
    """Choose from a flat record what a pack states of a picture."""
    if record["status"] != "ok":
        return {"status": record["status"]}
    return {"status": "ok"} | {
        name: round(record[name], 4) if isinstance(record[name], float) else record[name]
        for name in (*EXACT, *TOLERANCES)
    }


def _read_picture(folder: Path, row: dict[str, Any]) -> bytes:
    try:
        data = Path(folder, row["file"]).read_bytes()
    except OSError as error:
        raise ConfigurationError(f"{folder / row['file']}: {error.strerror}") from error
    if hashlib.sha256(data).hexdigest() != row["sha256"]:
        raise ConfigurationError(f"{row['file']} is not the picture that the table speaks of")
    return data
