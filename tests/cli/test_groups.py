"""``smart-capture groups`` on pictures that were really scored."""

from __future__ import annotations

import io
import json
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from capture.archive.groups import GroupKind

GOOD_SAMPLE = Path(__file__).parents[2] / "samples" / "demo" / "good.jpg"


def run(*words: object) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "capture", *(str(word) for word in words)]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def scene(seed: int) -> NDArray[np.uint8]:
    """A textured picture; another seed gives another one."""
    rng = np.random.default_rng(seed)
    picture = np.full((480, 640, 3), 128, np.float32)
    for cells in (3, 8, 20, 120):
        coarse = rng.normal(0, 25, (cells, cells, 3)).astype(np.float32)
        picture += cv2.resize(coarse, (640, 480), interpolation=cv2.INTER_NEAREST)
    return np.clip(picture, 0, 255).astype(np.uint8)


def jpeg(pixels: NDArray[np.uint8], taken_at: str | None = None) -> bytes:
    """A JPEG with the moment in its EXIF."""
    tags = Image.Exif()
    if taken_at is not None:
        tags.get_ifd(0x8769)[0x9003] = taken_at
    stream = io.BytesIO()
    Image.fromarray(pixels).save(stream, "JPEG", exif=tags, quality=92)
    return stream.getvalue()


def test_copies_bursts_and_lookalikes_of_a_folder(tmp_path: Path) -> None:
    """Scored once, grouped from the ledger; the blurred picture of a burst is not its best."""
    photos, ledger = tmp_path / "photos", tmp_path / "run.db"
    photos.mkdir()
    good = np.asarray(Image.open(GOOD_SAMPLE).convert("RGB"), np.uint8)
    turned = np.ascontiguousarray(np.rot90(good))
    for name, data in {
        "burst_1.jpg": jpeg(cv2.GaussianBlur(good, (0, 0), 6), "2026:11:21 12:00:00"),
        "burst_2.jpg": jpeg(good, "2026:11:21 12:00:01"),
        "copy_1.jpg": jpeg(scene(2)),
        "copy_2.jpg": jpeg(scene(2)),
        "large.jpg": jpeg(turned),
        "small.jpg": jpeg(cv2.resize(turned, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA)),
        "single.jpg": jpeg(scene(4), "2026:11:21 12:00:01"),
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
