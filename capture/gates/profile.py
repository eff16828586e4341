"""Profiles: the named limits against which measures are judged.

A profile is a TOML file. Three ship with the package: ``default``, ``strict`` and
``lenient``. A name is looked up among them; a path to a ``.toml`` file is read as it is.
"""

from __future__ import annotations

import hashlib
import math
import pickle
import tomllib
from dataclasses import dataclass, fields
from functools import lru_cache
from importlib import resources
from pathlib import Path
from typing import Any, TypeVar, get_type_hints

from capture.errors import ProfileError
from capture.gates.verdict import Verdict

Limits = TypeVar("Limits")

SHIPPED = ("default", "strict", "lenient")


@dataclass(frozen=True, slots=True)
class BlurLimits:
    """`max_probability` in (0, 1); `min_blur_px_at_reference` is tolerated blur, in pixels."""

    max_probability: float
    min_blur_px_at_reference: float


@dataclass(frozen=True, slots=True)
class ExposureLimits:
    """Stops, and shares of the picture in (0, 1]."""

    min_offset_ev: float
    max_offset_ev: float
    max_clipped_highlight_fraction: float
    max_clipped_shadow_fraction: float
    min_dynamic_range_stops: float


@dataclass(frozen=True, slots=True)
class NoiseLimits:
    """Noise in 8-bit luma levels."""

    max_sigma: float


@dataclass(frozen=True, slots=True)
class SizeLimits:
    """Pixels: the short edge a picture must have, and the pixels it may declare."""

    min_short_edge_px: int
    max_pixels: int


@dataclass(frozen=True, slots=True)
class CannotAssessPolicy:
    """What missing evidence leads to: ``ACCEPT``, ``RETAKE`` or ``CANNOT_ASSESS``."""

    leads_to: Verdict


@dataclass(frozen=True, slots=True)
class SteadinessLimits:
    """When a camera counts as steady, and how often a shot may be asked for again.

    Attributes
    ----------
    max_predicted_blur_px : float
        Blur the movement may cause in the still, in its pixels at the reference scale
        (long edge 1000 px).
    release_predicted_blur_px : float
        Above this a steady camera counts as moving again; hysteresis, >= the maximum.
    dwell_ms : float
        How long it must stay below, in milliseconds.
    rearm_scene_change : float
        How much of the scene must change before READY is given again, in [0, 1].
    max_retakes : int
        After so many refusals a shot is taken anyway and flagged.
    """

    max_predicted_blur_px: float
    release_predicted_blur_px: float
    dwell_ms: float
    rearm_scene_change: float
    max_retakes: int


@dataclass(frozen=True, slots=True)
class GroupLimits:
    """When pictures of an archive belong together.

    Attributes
    ----------
    near_max_distance : int
        Bits of the perceptual hash in which two pictures that look alike differ, 0 to 16.
    burst_max_gap_s : float
        From one picture of a burst to the next, in seconds.
    bracket_min_ev : float
        Stops between the longest and the shortest exposure that make a burst a bracket.
    """

    near_max_distance: int
    burst_max_gap_s: float
    bracket_min_ev: float


@dataclass(frozen=True, slots=True)
class Profile:
    """Named limits, with the sha256 of the file they were read from."""

    name: str
    sha256: str
    blur: BlurLimits
    exposure: ExposureLimits
    noise: NoiseLimits
    size: SizeLimits
    cannot_assess: CannotAssessPolicy
    steadiness: SteadinessLimits
    groups: GroupLimits

    def __reduce__(self) -> tuple[Any, ...]:
        # It goes with every job and is the same each time: packed once, unpacked once.
        return _unpacked, (_packed(self),)


@lru_cache(maxsize=64)
def _packed(profile: Profile) -> bytes:
    return pickle.dumps([getattr(profile, field.name) for field in fields(profile)], protocol=5)


@lru_cache(maxsize=64)
def _unpacked(packed: bytes) -> Profile:
    return Profile(*pickle.loads(packed))


def load_profile(name_or_path: str) -> Profile:
    """Read a shipped profile by name, or any other by the path of its TOML file.

    Raises
    ------
    ProfileError
        If there is none, or its limits are missing, unknown or make no sense.
    """
    if name_or_path in SHIPPED:
        resource = resources.files("capture.gates") / "profiles" / f"{name_or_path}.toml"
        return parse_profile(resource.read_bytes())
    if not name_or_path.endswith(".toml"):
        raise ProfileError(
            f"no profile {name_or_path!r}; there are {', '.join(SHIPPED)}, or give a .toml file"
        )
    try:
        return parse_profile(Path(name_or_path).read_bytes())
    except OSError as error:
        raise ProfileError(f"profile {name_or_path}: {error.strerror}") from error
    except ProfileError as error:
        raise ProfileError(f"profile {name_or_path}: {error}") from error


def parse_profile(toml: bytes) -> Profile:
    """Read a profile from the bytes of its TOML file.

    Raises
    ------
    ProfileError
        If limits are missing, unknown or make no sense.
    """
    try:
        table = tomllib.loads(toml.decode())
    except (UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise ProfileError(f"not a TOML file: {error}") from error
    profile = Profile(
        name=_name(table),
        sha256=hashlib.sha256(toml).hexdigest(),
        blur=_section(BlurLimits, table, "blur"),
        exposure=_section(ExposureLimits, table, "exposure"),
        noise=_section(NoiseLimits, table, "noise"),
        size=_section(SizeLimits, table, "size"),
        cannot_assess=_section(CannotAssessPolicy, table, "cannot_assess"),
        steadiness=_section(SteadinessLimits, table, "steadiness"),
        groups=_section(GroupLimits, table, "groups"),
    )
    _refuse_unknown("", table, {field.name for field in fields(Profile)} - {"sha256"})
    _check(profile)
    return profile


def _name(table: dict[str, Any]) -> str:
    name = table.get("name")
    if not isinstance(name, str) or not name:
        raise ProfileError("name must be a non-empty string")
    return name


def _section(kind: type[Limits], table: dict[str, Any], section: str) -> Limits:
    values = table.get(section)
    if not isinstance(values, dict):
        raise ProfileError(f"[{section}] is missing")
    types = get_type_hints(kind)
    _refuse_unknown(f"[{section}]: ", values, set(types))
    missing = sorted(set(types) - set(values))
    if missing:
        raise ProfileError(f"[{section}]: {', '.join(missing)} missing")
    return kind(**{name: _value(section, name, types[name], values[name]) for name in types})


def _value(section: str, name: str, kind: type, value: object) -> object:
    if kind is Verdict:
        try:
            return Verdict(str(value))
        except ValueError:
            raise ProfileError(f"[{section}] {name}: {value!r} is no verdict") from None
    whole = isinstance(value, int) and not isinstance(value, bool)
    if not (whole or (kind is float and isinstance(value, float) and math.isfinite(value))):
        raise ProfileError(f"[{section}] {name}: expected {kind.__name__}, got {value!r}")
    return kind(value)


def _refuse_unknown(where: str, table: dict[str, Any], known: set[str]) -> None:
    unknown = sorted(set(table) - known)
    if unknown:
        raise ProfileError(f"{where}unknown {', '.join(unknown)}")


def _check(profile: Profile) -> None:
    blur, exposure, steadiness = profile.blur, profile.exposure, profile.steadiness
    groups = profile.groups
    rules = {
        "[blur] max_probability lies in (0, 1)": 0 < blur.max_probability < 1,
        "[blur] min_blur_px_at_reference is not negative": blur.min_blur_px_at_reference >= 0,
        "[exposure] min_offset_ev is negative": exposure.min_offset_ev < 0,
        "[exposure] max_offset_ev is positive": exposure.max_offset_ev > 0,
        "[exposure] clipped fractions lie in (0, 1]": (
            0 < exposure.max_clipped_highlight_fraction <= 1
            and 0 < exposure.max_clipped_shadow_fraction <= 1
        ),
        "[exposure] min_dynamic_range_stops is positive": exposure.min_dynamic_range_stops > 0,
        "[noise] max_sigma is positive": profile.noise.max_sigma > 0,
        "[size] limits are positive": (
            profile.size.min_short_edge_px > 0 and profile.size.max_pixels > 0
        ),
        "[steadiness] max_predicted_blur_px is positive": steadiness.max_predicted_blur_px > 0,
        "[steadiness] release_predicted_blur_px >= max_predicted_blur_px": (
            steadiness.release_predicted_blur_px >= steadiness.max_predicted_blur_px
        ),
        "[steadiness] dwell_ms and max_retakes are not negative": (
            steadiness.dwell_ms >= 0 and steadiness.max_retakes >= 0
        ),
        "[steadiness] rearm_scene_change lies in [0, 1]": 0 <= steadiness.rearm_scene_change <= 1,
        "[groups] near_max_distance lies in [0, 16]": 0 <= groups.near_max_distance <= 16,
        "[groups] burst_max_gap_s is not negative": groups.burst_max_gap_s >= 0,
        "[groups] bracket_min_ev is positive": groups.bracket_min_ev > 0,
    }
    broken = [rule for rule, holds in rules.items() if not holds]
    if broken:
        raise ProfileError(f"must hold: {'; '.join(broken)}")
