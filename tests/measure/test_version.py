"""Stored measures are trusted by their version, so it has to change when they do."""

from __future__ import annotations

import hashlib
import json

from capture.conformance import pack_folder, read_table
from capture.measure.measures import MEASURES_VERSION

GOLDEN_OF_VERSION = {
    1: "3a1c2c6d29da0687",
    2: "71fd3d666b2e7f7d",
    3: "5a09b1045e29d252",
    4: "127ea152d8b3bf76",
    5: "f0ee77d9eb580cba",
}
"""What the conformance pack says under each version. Golden values that were taken anew are
a new version: raise MEASURES_VERSION, and add its line here."""


def test_golden_values_change_only_with_the_version() -> None:
    values = [(row["file"], row["values"]) for row in read_table(pack_folder())["pictures"]]
    digest = hashlib.sha256(json.dumps(values, sort_keys=True).encode()).hexdigest()
    assert digest[:16] == GOLDEN_OF_VERSION[MEASURES_VERSION]
