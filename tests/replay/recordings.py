"""Recordings made on the spot: a scene that shakes, then stands."""

from __future__ import annotations

import csv
from pathlib import Path

import cv2
import numpy as np
from skimage import data

from capture.measure.luma import LumaPlane

FPS = 30.0
SCENE = cv2.resize(data.camera(), (400, 300), interpolation=cv2.INTER_AREA)


def shaking(frame_count: int = 45, calm_from: int = 12) -> list[tuple[LumaPlane, float, float]]:
    """Return frames with the place of their content; still from a frame on."""
    frames = []
    for number in range(frame_count):
        shake = max(0, calm_from - number) / calm_from
        x, y = 7 * shake * np.sin(1.9 * number), 5 * shake * np.cos(1.3 * number)
        matrix = np.array([[1, 0, x - 40], [0, 1, y - 30]])
        luma = cv2.warpAffine(SCENE, matrix, (320, 240), flags=cv2.INTER_CUBIC)
        frames.append((luma.astype(np.uint8, copy=False), float(x), float(y)))
    return frames


def write_folder(folder: Path, *, timestamps: bool = True) -> Path:
    """Write a burst as pictures, with their times."""
    folder.mkdir()
    with (folder / "timestamps.csv").open("w", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(["file", "captured_at_ms"])
        for number, (luma, _, _) in enumerate(shaking()):
            name = f"frame-{number}.png"
            cv2.imwrite(str(folder / name), luma)
            rows.writerow([name, f"{5000 + 1000 * number / FPS:.3f}"])
    if not timestamps:
        (folder / "timestamps.csv").unlink()
    return folder


def write_clip(clip: Path) -> Path:
    """Write the same burst as a clip."""
    writer = cv2.VideoWriter(str(clip), cv2.VideoWriter.fourcc(*"MJPG"), FPS, (320, 240))
    for luma, _, _ in shaking():
        writer.write(cv2.cvtColor(luma, cv2.COLOR_GRAY2BGR))
    writer.release()
    return clip


def write_gyro(file: Path, rate_rad_s: float, duration_ms: int = 2000) -> Path:
    """Write a table of a camera that turns right at a constant speed."""
    with file.open("w", newline="") as table:
        rows = csv.writer(table)
        rows.writerow(["timestamp_ms", "x_rad_s", "y_rad_s", "z_rad_s"])
        for at_ms in range(4900, 4900 + duration_ms, 5):
            rows.writerow([at_ms, 0.0, rate_rad_s, 0.0])
    return file
