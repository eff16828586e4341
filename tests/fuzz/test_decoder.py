"""The fuzzer of the decoder, for a short while and always with the same inputs."""

from __future__ import annotations

from collections import Counter
from itertools import islice

import pytest

from tests.fuzz.decoder import mutations, outcome_of, seeds

pytestmark = pytest.mark.filterwarnings("default")  # of Pillow, on what is broken on purpose


def test_the_seeds_are_of_every_kind() -> None:
    """Most are decoded, some refused by name; none is merely unrecognized."""
    outcomes = Counter(outcome_of(data) for data in seeds())
    assert outcomes["decoded"] >= 10
    assert set(outcomes) == {"decoded", "UNSUPPORTED_COLOR", "UNSUPPORTED_BIT_DEPTH"}


@pytest.mark.parametrize("seed", range(4))
def test_damaged_inputs_are_decoded_or_refused(seed: int) -> None:
    """A thousand inputs each; nothing but an ImageError comes out, whatever goes in."""
    outcomes = Counter(outcome_of(data) for data in islice(mutations(seed), 1000))
    assert outcomes["decoded"] > 100
    assert {"TRUNCATED", "CORRUPT", "INVALID_FRAME"} <= set(outcomes)


def test_a_seed_gives_the_same_inputs_again() -> None:
    """So that a finding can be had again."""
    assert list(islice(mutations(7), 50)) == list(islice(mutations(7), 50))
