"""Profiles: the three that ship, and what a file of one's own may say."""

from __future__ import annotations

import hashlib
import pickle
from dataclasses import replace
from importlib import resources
from pathlib import Path

import pytest

from capture.errors import ProfileError
from capture.gates.profile import SHIPPED, NoiseLimits, Profile, load_profile, parse_profile
from capture.gates.verdict import Verdict


def shipped_toml(name: str) -> str:
    return (resources.files("capture.gates") / "profiles" / f"{name}.toml").read_text()


@pytest.mark.parametrize("name", SHIPPED)
def test_a_shipped_profile_bears_its_name_and_the_hash_of_its_file(name: str) -> None:
    """An assessment can be traced to the very file of its limits."""
    profile = load_profile(name)
    assert profile.name == name
    assert profile.sha256 == hashlib.sha256(shipped_toml(name).encode()).hexdigest()


def test_strict_asks_for_more_than_default_and_lenient_for_less() -> None:
    """Every limit is ordered, so that the names mean what they say."""

    def asked(profile: Profile) -> list[float]:
        """Write all limits so that smaller is stricter."""
        exposure, steadiness = profile.exposure, profile.steadiness
        return [
            profile.blur.max_probability,
            profile.blur.min_blur_px_at_reference,
            -exposure.min_offset_ev,
            exposure.max_offset_ev,
            exposure.max_clipped_highlight_fraction,
            exposure.max_clipped_shadow_fraction,
            -exposure.min_dynamic_range_stops,
            profile.noise.max_sigma,
            -profile.size.min_short_edge_px,
            steadiness.max_predicted_blur_px,
            -steadiness.dwell_ms,
        ]

    strict, default, lenient = (asked(load_profile(n)) for n in ("strict", "default", "lenient"))
    assert all(a <= b <= c for a, b, c in zip(strict, default, lenient, strict=True))


def test_a_profile_of_ones_own_is_read_by_its_path(tmp_path: Path) -> None:
    """Any path that ends in .toml is read as a profile."""
    file = tmp_path / "nestbox.toml"
    file.write_text(shipped_toml("default").replace('"default"', '"nestbox"'))
    assert load_profile(str(file)).name == "nestbox"


def test_missing_evidence_may_lead_to_any_verdict() -> None:
    """The profile says what CANNOT_ASSESS leads to."""
    for verdict in Verdict:
        text = shipped_toml("default").replace('"CANNOT_ASSESS"', f'"{verdict}"')
        assert parse_profile(text.encode()).cannot_assess.leads_to is verdict


@pytest.mark.parametrize(
    ("old", "new", "complaint"),
    [
        ("max_probability = 0.5", "max_probability = 1.5", r"\(0, 1\)"),
        ("max_probability = 0.5", "max_probability = nan", "expected float"),
        ("max_probability = 0.5", "", "missing"),
        ("max_probability = 0.5", 'max_probability = "high"', "expected float"),
        ("max_probability = 0.5", "max_probability = true", "expected float"),
        ("[blur]", "[blur]\nmax_blurriness = 1", "unknown max_blurriness"),
        ("[blur]", "[blurr]", r"\[blur\] is missing"),
        ('leads_to = "CANNOT_ASSESS"', 'leads_to = "PERHAPS"', "no verdict"),
        ('name = "default"', "name = 7", "name must be"),
        ("[blur]", "[blur", "not a TOML file"),
        ("dwell_ms = 300.0", "dwell_ms = -1.0", "not negative"),
        ("near_max_distance = 6", "near_max_distance = 33", r"\[0, 16\]"),
        ("near_max_distance = 6", "near_max_distance = 6.5", "expected int"),
        ("burst_max_gap_s = 2.0", "burst_max_gap_s = -2.0", "not negative"),
        ("bracket_min_ev = 0.6", "bracket_min_ev = 0", "positive"),
    ],
)
def test_a_limit_that_makes_no_sense_is_named(old: str, new: str, complaint: str) -> None:
    """The error says which limit of which section is wrong."""
    text = shipped_toml("default")
    assert old in text
    with pytest.raises(ProfileError, match=complaint):
        parse_profile(text.replace(old, new, 1).encode())


def test_a_name_that_is_no_profile_lists_those_there_are() -> None:
    """A typing error is mended without looking anything up."""
    with pytest.raises(ProfileError, match="default, strict, lenient"):
        load_profile("strikt")


def test_a_profile_file_that_is_not_there_is_an_error_of_ours(tmp_path: Path) -> None:
    """A missing file is a ProfileError like any other wrong profile."""
    with pytest.raises(ProfileError, match="No such file"):
        load_profile(str(tmp_path / "none.toml"))


def test_a_wrong_limit_is_told_with_the_file_it_stands_in(tmp_path: Path) -> None:
    """Among several profiles of one's own, nobody has to look for it."""
    file = tmp_path / "nestbox.toml"
    file.write_text(shipped_toml("default").replace("[blur]", "[blurr]"))
    with pytest.raises(ProfileError, match=r"nestbox\.toml: \[blur\] is missing"):
        load_profile(str(file))


@pytest.mark.parametrize("name", SHIPPED)
def test_a_profile_crosses_to_a_worker_unchanged(name: str) -> None:
    """What comes out is equal, and is unpacked only once however often it comes."""
    profile = load_profile(name)
    first, second = (pickle.loads(pickle.dumps(profile, protocol=5)) for _ in range(2))
    assert first == profile
    assert first is second


def test_profiles_of_one_file_hash_but_other_limits_stay_apart() -> None:
    """Nothing is taken for another profile because it was packed before."""
    default = load_profile("default")
    other = replace(default, noise=NoiseLimits(max_sigma=1.0))
    assert pickle.loads(pickle.dumps(default)).noise == default.noise
    assert pickle.loads(pickle.dumps(other)).noise == other.noise
