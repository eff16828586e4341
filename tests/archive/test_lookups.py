"""What is looked up together stays within bounds."""

from __future__ import annotations

import zipfile
from pathlib import Path

from capture import __version__
from capture.archive.judging import Judging
from capture.archive.lookups import MAX_OPEN_ZIP_COUNT, look_up
from capture.archive.sources import Sources
from capture.ledger.ledger import Ledger
from tests.archive.runs import DEFAULT


def test_few_zips_are_open_at_once(ledger: Ledger, tmp_path: Path) -> None:
    """Each stays open as long as one of its members may be read, and folders hold thousands."""
    for number in range(2 * MAX_OPEN_ZIP_COUNT + 1):
        with zipfile.ZipFile(tmp_path / f"{number:03d}.zip", "w") as archive:
            archive.writestr("1.jpg", b"one")
            archive.writestr("2.jpg", b"two")
    judging = Judging(DEFAULT, __version__, False, False, ledger.max_pixels_of)
    lists = list(look_up(Sources([str(tmp_path)]).listing(), ledger, judging))
    for found in lists:
        archives = {item.picture.path.partition("!")[0] for item in found.pictures}
        assert len(archives) <= MAX_OPEN_ZIP_COUNT + 1
    assert sum(len(found.pictures) for found in lists) == 2 * (2 * MAX_OPEN_ZIP_COUNT + 1)
