"""``smart-capture groups`` on pictures that were really scored."""

from __future__ import annotations

import io
import json
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
from PIL import Image

from capture.archive.groups import GroupKind


def run(*words: object) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "capture", *(str(word) for word in words)]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def photo(
    seed: int, *, taken_at: str | None = None, width_px: int = 640, blur_px: float = 0
) -> bytes:
    """A textured scene as a JPEG with EXIF."""
    rng = np.random.default_rng(seed)
    picture = np.full((480, 640, 3), 128, np.float32)
    for cells in (3, 8, 20, 120):
        coarse = rng.normal(0, 25, (cells, cells, 3)).astype(np.float32)
        picture += cv2.resize(coarse, (640, 480), interpolation=cv2.INTER_NEAREST)
    if blur_px:
        picture = cv2.GaussianBlur(picture, (0, 0), blur_px)
    picture = cv2.resize(picture, (width_px, width_px * 3 // 4), interpolation=cv2.INTER_AREA)
    tags = Image.Exif()
    if taken_at is not None:
        tags.get_ifd(0x8769)[0x9003] = taken_at
    stream = io.BytesIO()
    Image.fromarray(np.clip(picture, 0, 255).astype(np.uint8)).save(stream, "JPEG", exif=tags)
    return stream.getvalue()


def test_copies_bursts_and_lookalikes_of_a_folder(tmp_path: Path) -> None:
    """Scored once, grouped from the ledger; the blurred picture of a burst is not its best."""
    photos, ledger = tmp_path / "photos", tmp_path / "run.db"
    photos.mkdir()
    for name, data in {
        "burst_1.jpg": photo(1, taken_at="2026:11:21 12:00:00", blur_px=5),
        "burst_2.jpg": photo(1, taken_at="2026:11:21 12:00:01"),
        "copy_1.jpg": photo(2),
        "copy_2.jpg": photo(2),
        "large.jpg": photo(3),
        "small.jpg": photo(3, width_px=320),
        "single.jpg": photo(4, taken_at="2026:11:21 12:00:01"),
        "broken.jpg": b"no picture",
    }.items():
        (photos / name).write_bytes(data)
    assert run("score", photos, "--ledger", ledger, "--quiet").returncode == 1
    done = run("groups", ledger, "--jsonl")
    assert done.returncode == 0, done.stderr
    groups = [json.loads(line) for line in done.stdout.splitlines()]
    names = [[Path(path).name for path in group["paths"]] for group in groups]
    assert [(group["kind"], *found) for group, found in zip(groups, names, strict=True)] == [
        (GroupKind.BURST, "burst_1.jpg", "burst_2.jpg"),
        (GroupKind.EXACT, "copy_1.jpg", "copy_2.jpg"),
        (GroupKind.NEAR, "large.jpg", "small.jpg"),
    ]
    assert [Path(group["best"]).name for group in groups] == [
        *("burst_2.jpg", "copy_1.jpg", "large.jpg"),
    ]
    assert all(group["reason"] for group in groups)
    printed = run("groups", ledger, "--kind", "exact")
    assert "groups: 1 exact" in printed.stdout
    assert "burst_1" not in printed.stdout
    assert len(list(photos.iterdir())) == 8


def test_no_ledger_is_one_line(tmp_path: Path) -> None:
    """A wrong name makes no new ledger."""
    done = run("groups", tmp_path / "none.db")
    assert done.returncode == 2
    assert len(done.stderr.splitlines()) == 1
    assert not (tmp_path / "none.db").exists()
