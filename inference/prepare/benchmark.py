"""How fast and how large the tiers of a model are, side by side."""

from __future__ import annotations

from dataclasses import dataclass
from time import perf_counter

import numpy as np

from inference.classifier import OnnxClassifier
from inference.manifest import ModelManifest


@dataclass(frozen=True, slots=True)
class TierFigures:
    """What one tier costs, on one thread, a picture at a time.

    Attributes
    ----------
    name : str
        The tier.
    size_mb : float
        Its file, in units of 10^6 bytes.
    load_ms : float
        Time to open it, check it and run it once.
    median_ms, p99_ms : float
        Time of one inference.
    size_ratio, speed_ratio : float
        Size and speed against the reference, the last tier.
    """

    name: str
    size_mb: float
    load_ms: float
    median_ms: float
    p99_ms: float
    size_ratio: float
    speed_ratio: float


def measure_tiers(manifest: ModelManifest, *, run_count: int = 200) -> tuple[TierFigures, ...]:
    """Time all tiers in turns, so that whatever else the machine does hits all alike.

    Parameters
    ----------
    manifest : ModelManifest
        The model.
    run_count : int
        Inferences a tier, at least 1.

    Raises
    ------
    ModelError
        If a tier cannot be loaded.
    """
    networks, load_ms = [], []
    for tier in manifest.tiers:
        start = perf_counter()
        networks.append(OnnxClassifier(manifest, tier))
        load_ms.append((perf_counter() - start) * 1000)
    how = manifest.preprocessing
    noise = np.random.default_rng(0).integers(0, 256, (1, how.height_px, how.width_px, 3))
    pixels = noise.astype(np.uint8)
    times = np.empty((run_count, len(networks)))
    for run in range(run_count):
        for column, network in enumerate(networks):
            start = perf_counter()
            network.probabilities(pixels)
            times[run, column] = (perf_counter() - start) * 1000
    sizes = [tier.size_bytes for tier in manifest.tiers]
    medians = np.median(times, axis=0)
    p99s = np.percentile(times, 99, axis=0)
    return tuple(
        TierFigures(
            name=tier.name,
            size_mb=sizes[index] / 1e6,
            load_ms=load_ms[index],
            median_ms=float(medians[index]),
            p99_ms=float(p99s[index]),
            size_ratio=sizes[index] / sizes[-1],
            speed_ratio=float(medians[-1] / medians[index]),
        )
        for index, tier in enumerate(manifest.tiers)
    )
