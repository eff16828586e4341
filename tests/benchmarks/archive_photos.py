"""The photos of the benchmark: camera photos of the development corpus, some damaged."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import simplejpeg

CORPUS = Path(
    os.environ.get("SMART_CAPTURE_CORPUS", Path(__file__).parents[3] / "shared" / "corpus")
)
COLLECTIONS = (
    *("photos_budgie_cc0", "photos_nextcloud", "photos_lomiri", "photos_banana"),
    *("camera_originals", "documents_phone", "blur_kwentar_scaled", "blur_desk_phone"),
)
CORRUPT_COUNT = 6
MIN_PIXELS, MAX_PIXELS = 2_000_000, 12_500_000


def make_photos(folder: Path, count: int) -> list[str]:
    """Copy photos of 2 to 12 MP into a folder, no two of the same bytes.

    Returns
    -------
    list of str
        Names of those that are not damaged.
    """
    originals = [file.read_bytes() for file in _originals()]
    names = [f"{number:04d}.jpg" for number in range(count)]
    for number, name in enumerate(names):
        data = originals[number % len(originals)]
        # A comment tells copies apart and costs no decoder anything.
        data = data[:2] + b"\xff\xfe\x00\x06" + number.to_bytes(4, "big") + data[2:]
        if number < CORRUPT_COUNT:
            data = data[: len(data) // 2]
        (folder / name).write_bytes(data)
    return names[CORRUPT_COUNT:]


def _originals() -> Iterator[Path]:
    for file in sorted(CORPUS.rglob("*")):
        collection = file.relative_to(CORPUS).parts[0]
        if file.suffix.lower() not in (".jpg", ".jpeg") or collection not in COLLECTIONS:
            continue
        height, width, *_ = simplejpeg.decode_jpeg_header(file.read_bytes())
        if MIN_PIXELS <= height * width <= MAX_PIXELS:
            yield file
