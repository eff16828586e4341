"""Pictures that belong together are found from stored rows, and the best is named."""

from __future__ import annotations

import random
import re
from dataclasses import replace
from datetime import datetime, timedelta

import pytest

from capture.archive.best import Candidate, best_of
from capture.archive.groups import Group, GroupedPicture, GroupKind, groups_of
from capture.gates.profile import load_profile

LIMITS = load_profile("default").groups
NOON = datetime(2026, 11, 21, 12, 0, 0, 250_000)
SCENE, OTHER_SCENE = 0x0F0F_1234_5678_9ABC, 0xF1E2_D3C4_8765_4321


def candidate(path: str = "/a.jpg", **measures: object) -> Candidate:
    sharp = Candidate(path, "ACCEPT", 0.1, 0.0, 2.0, 4000, 3000)
    return replace(sharp, **measures)  # type: ignore[arg-type]


def picture(
    path: str,
    after_s: float | None = None,
    *,
    sha256: str | None = None,
    bits: int | None = SCENE,
    exposure_time_s: float | None = None,
    **measures: object,
) -> GroupedPicture:
    moment = None if after_s is None else NOON + timedelta(seconds=after_s)
    camera = (exposure_time_s, 4.0, 200.0)
    return GroupedPicture(candidate(path, **measures), sha256 or path, bits, moment, *camera)


def found(*pictures: GroupedPicture) -> list[tuple[GroupKind, tuple[str, ...]]]:
    return [(group.kind, group.paths) for group in groups_of(pictures, LIMITS)]


def test_the_same_bytes_are_exact_copies_even_without_a_hash() -> None:
    """A bare wall has no hash, but its copies are copies."""
    walls = [picture(path, sha256="s", bits=None) for path in ("/a", "/b")]
    assert found(*walls, picture("/c", bits=None)) == [(GroupKind.EXACT, ("/a", "/b"))]


def test_what_looks_alike_is_near_and_what_does_not_is_left_alone() -> None:
    """A few bits of the hash may differ, not many."""
    alike = picture("/b", bits=SCENE ^ 0b111)
    assert found(picture("/a"), alike, picture("/c", bits=OTHER_SCENE)) == [
        (GroupKind.NEAR, ("/a", "/b"))
    ]


def test_a_burst_is_alike_and_close_in_time() -> None:
    """A pause ends it; the same scene later is near, in a group around both bursts."""
    first = [picture(f"/{n}", 0.2 * n) for n in range(3)]
    second = [picture(f"/{n}", 600 + 0.2 * n) for n in range(3, 5)]
    assert found(*first, *second) == [
        (GroupKind.NEAR, ("/0", "/1", "/2", "/3", "/4")),
        (GroupKind.BURST, ("/0", "/1", "/2")),
        (GroupKind.BURST, ("/3", "/4")),
    ]


def test_close_in_time_but_of_something_else_is_no_burst() -> None:
    """Two subjects in one second stay apart."""
    assert found(picture("/a", 0.0), picture("/b", 0.3, bits=OTHER_SCENE)) == []


def test_a_bracket_is_told_from_a_burst_by_its_exposures() -> None:
    """Three times the exposure time on purpose; a third of a stop is the camera's whim."""
    times_s = (0.01, 0.0025, 0.04)
    bracket = [picture(f"/{n}", n / 4, exposure_time_s=t) for n, t in enumerate(times_s)]
    assert found(*bracket) == [(GroupKind.BRACKET, ("/0", "/1", "/2"))]
    wavering = [
        picture(f"/{n}", n / 4, exposure_time_s=t) for n, t in enumerate((1 / 100, 1 / 125))
    ]
    assert found(*wavering) == [(GroupKind.BURST, ("/0", "/1"))]


def test_one_shot_encoded_again_is_no_burst() -> None:
    """Nothing is shot twice in one hundredth of a second, nor a thumbnail in a burst."""
    assert found(picture("/a", 0.0), picture("/b", 0.0)) == [(GroupKind.NEAR, ("/a", "/b"))]
    thumbnail = picture("/b", 0.0, width_px=400, height_px=300)
    assert found(picture("/a", 0.0), thumbnail) == [(GroupKind.NEAR, ("/a", "/b"))]


def test_a_clock_of_whole_seconds_still_tells_a_burst() -> None:
    """Most cameras of the past wrote no fractions."""
    pictures = [picture(path, -0.25) for path in ("/a", "/b")]
    assert found(*pictures) == [(GroupKind.BURST, ("/a", "/b"))]


def test_a_picture_copied_into_a_burst_is_in_both_groups() -> None:
    """Copies lie within bursts."""
    pictures = [picture("/0", 0.0, sha256="s"), picture("/1", 0.5), picture("/2", 0.0, sha256="s")]
    assert found(*pictures) == [
        (GroupKind.BURST, ("/0", "/2", "/1")),
        (GroupKind.EXACT, ("/0", "/2")),
    ]


def test_groups_do_not_depend_on_the_order_of_pictures() -> None:
    """The same groups from any worker count, order or engine."""
    rng = random.Random(5)
    pictures = [
        picture(f"/{n:03d}", rng.random() * 100, bits=SCENE ^ rng.getrandbits(64) >> 58)
        for n in range(100)
    ]
    groups: list[list[Group]] = []
    for _ in range(3):
        rng.shuffle(pictures)
        groups.append(list(groups_of(pictures, LIMITS)))
    assert groups[0]
    assert groups[0] == groups[1] == groups[2]


@pytest.mark.parametrize(
    ("better", "worse", "reason"),
    [
        ({}, {"verdict": "RETAKE", "blur_probability": 0.0}, "judged ACCEPT, next best RETAKE"),
        ({"verdict": "CANNOT_ASSESS"}, {"verdict": "RETAKE"}, "judged CANNOT_ASSESS"),
        ({}, {"width_px": 400, "height_px": 300, "blur_probability": 0.0}, "larger: 4000 x 3000"),
        ({}, {"blur_probability": 0.31}, "sharper: blur probability 0.10, next best 0.31"),
        ({}, {"blur_probability": None}, "its blur could be measured"),
        ({}, {"exposure_offset_ev": -0.8}, r"better exposed: \+0.00, next best -0.80 EV"),
        ({}, {"noise_sigma": 5.0}, "less noise: 2.0, next best 5.0 levels"),
        ({}, {"blur_probability": 0.12}, "equal in all that is measured"),
        (
            {"exposure_offset_ev": -1.9996},
            {"exposure_offset_ev": -2.0004},
            "equal in all that is measured",
        ),
    ],
)
def test_the_reason_is_the_first_thing_that_differs(
    better: dict[str, object], worse: dict[str, object], reason: str
) -> None:
    """The verdict before all; what cannot be seen does not decide."""
    first, second = candidate("/a", **better), candidate("/b", **worse)
    for order in ([first, second], [second, first]):
        choice = best_of(order)
        assert choice.path == "/a"
        assert re.match(reason, choice.reason)
