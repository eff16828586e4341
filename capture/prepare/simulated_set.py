"""A simulated set on disk: one file a scene, so that a set is drawn once and read often."""

from __future__ import annotations

import json
import zlib
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from capture.measure.luma import LumaPlane
from capture.prepare.bases import Base
from capture.prepare.blur_set import Capture

Simulate = Callable[[NDArray[np.uint8], np.random.Generator], Iterable[Capture]]


@dataclass(frozen=True, slots=True, eq=False)
class Sample:
    """One simulated capture as it was kept.

    Attributes
    ----------
    scene : str
        Name of the sharp photo.
    camera : str
        Camera of the photo, or the photo's name where it is unknown.
    luma : LumaPlane
        (H, W) uint8.
    sharp_mask : (H // 8, W // 8) uint8
        As in `Capture`.
    truth : dict
        As `Capture.truth` gives it.
    """

    scene: str
    camera: str
    luma: LumaPlane
    sharp_mask: NDArray[np.uint8]
    truth: dict[str, Any]


def draw_scene(base: Base, simulate: Simulate, seed: int) -> Iterator[Sample]:
    """Simulate one scene; the same seed and photo give the same captures."""
    rng = np.random.default_rng([seed, zlib.crc32(base.name.encode())])
    for capture in simulate(base.read(), rng):
        yield Sample(
            base.name, base.camera or base.name, capture.luma, capture.sharp_mask, capture.truth()
        )


def write_set(
    folder: Path, bases: Iterable[Base], simulate: Simulate, seed: int, process_count: int = 1
) -> None:
    """Draw every scene that is not in the folder yet, in so many processes."""
    folder.mkdir(parents=True, exist_ok=True)
    missing = [base for base in bases if not _path_of(folder, base).exists()]
    write = partial(_write_scene, folder, simulate, seed)
    if process_count == 1:
        for base in missing:
            write(base)
        return
    with ProcessPoolExecutor(process_count, initializer=cv2.setNumThreads, initargs=(1,)) as pool:
        for _ in pool.map(write, missing):
            pass


def _path_of(folder: Path, base: Base) -> Path:
    return folder / (base.name.replace(":", "_").replace("/", "_") + ".npz")


def _write_scene(folder: Path, simulate: Simulate, seed: int, base: Base) -> None:
    samples = list(draw_scene(base, simulate, seed))
    arrays: dict[str, NDArray[Any]] = {}
    for index, sample in enumerate(samples):
        arrays[f"luma_{index}"] = sample.luma
        arrays[f"mask_{index}"] = sample.sharp_mask
    table = {
        "scene": base.name,
        "camera": base.camera or base.name,
        "truth": [sample.truth for sample in samples],
    }
    arrays["table"] = np.frombuffer(json.dumps(table).encode(), np.uint8)
    path = _path_of(folder, base)
    part = path.with_suffix(".part")
    with part.open("wb") as file:
        np.savez(file, allow_pickle=False, **arrays)
    part.rename(path)


def read_set(folder: Path) -> Iterator[Sample]:
    """Read all scenes of a folder in the order of their names."""
    for path in sorted(folder.glob("*.npz")):
        with np.load(path) as arrays:
            table = json.loads(arrays["table"].tobytes())
            for index, truth in enumerate(table["truth"]):
                yield Sample(
                    table["scene"],
                    table["camera"],
                    arrays[f"luma_{index}"],
                    arrays[f"mask_{index}"],
                    truth,
                )
