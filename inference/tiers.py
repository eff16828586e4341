"""Which network answers: the cheap one where it is sure, the exact one where it is not."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from pathlib import Path
from time import perf_counter
from typing import Any

import numpy as np
from numpy.typing import NDArray

from inference.classifier import OnnxClassifier
from inference.errors import ModelError
from inference.manifest import ModelManifest
from inference.prediction import Label, Prediction
from inference.preprocess import preprocess
from inference.registry import Registry
from inference.verification import verified

_LOGGER = logging.getLogger(__name__)


class TieredClassifier:
    """Asks the cheapest tier first, and the next one where it cannot decide.

    Parameters
    ----------
    manifest : ModelManifest
        The model.
    tiers : sequence of (str, OnnxClassifier)
        Names and networks, cheapest first, at least one.
    remark : str
        Why tiers of the manifest are missing; empty when none is.
    """

    def __init__(
        self,
        manifest: ModelManifest,
        tiers: Sequence[tuple[str, OnnxClassifier]],
        remark: str = "",
    ) -> None:
        if not tiers:
            raise ModelError(f"{manifest.id} has no tier that can be used here")
        self._manifest = manifest
        self._tiers = tuple(tiers)
        self._remark = remark

    @property
    def model(self) -> str:
        """Name and version of the model."""
        return self._manifest.id

    @property
    def tier_names(self) -> tuple[str, ...]:
        """Tiers in use, cheapest first."""
        return tuple(name for name, _ in self._tiers)

    def classify(self, color: NDArray[Any], *, max_label_count: int = 5) -> Prediction:
        """Say what is in a picture.

        Parameters
        ----------
        color : (H, W, 3) uint8
            Upright, BGR, no smaller than twice the network's input where the original is
            not either.
        max_label_count : int
            Labels to return, at least 1.

        Returns
        -------
        Prediction
            From the first tier whose two best labels differ by the model's margin, or
            from the last one.

        Raises
        ------
        ModelError
            If a network fails.
        ValueError
            If `color` or `max_label_count` is not as described.
        """
        if max_label_count < 1:
            raise ValueError(f"max_label_count must be at least 1, got {max_label_count}")
        start = perf_counter()
        pixels = preprocess(color, self._manifest.preprocessing)
        tier, reason, probabilities = self._ask(pixels)
        order = np.argsort(-probabilities, kind="stable")[:max_label_count]
        labels = tuple(
            Label(self._manifest.labels[index], float(probabilities[index])) for index in order
        )
        duration_ms = (perf_counter() - start) * 1000
        return Prediction(self.model, tier, reason, labels, duration_ms)

    def _ask(self, pixels: NDArray[np.uint8]) -> tuple[str, str, NDArray[np.float32]]:
        limit = self._manifest.min_margin
        reasons = [self._remark] if self._remark else []
        for name, network in self._tiers[:-1]:
            probabilities = network.probabilities(pixels)
            margin = _margin(probabilities)
            if margin >= limit:
                return name, f"margin {margin:.2f} >= {limit:g}", probabilities
            reasons.append(f"{name} margin {margin:.2f} < {limit:g}")
        name, network = self._tiers[-1]
        return name, "; ".join(reasons) or "the only tier", network.probabilities(pixels)


def _margin(probabilities: NDArray[np.float32]) -> float:
    if probabilities.size < 2:
        return 1.0
    second, first = np.partition(probabilities, -2)[-2:]
    return float(first - second)


def load_classifier(
    models_folder: Path | None = None, model_id: str | None = None
) -> TieredClassifier:
    """Load a model of a folder of models.

    A tier that needs verification and has no passing record for this CPU is compared with
    the reference now; if it fails, the model is served without it.

    Parameters
    ----------
    models_folder : Path or None
        Folder of model folders; None for the models that ship with the package.
    model_id : str or None
        ``name@version``; None for the active one.

    Raises
    ------
    ModelError
        If there is no usable model.
    """
    registry = Registry(models_folder)
    return load_model(registry.active() if model_id is None else registry.model(model_id))


def load_model(manifest: ModelManifest) -> TieredClassifier:
    """Load the tiers of a model that may be used on this CPU.

    Raises
    ------
    ModelError
        If a file cannot be used.
    """
    usable, remarks = [], []
    for tier in manifest.tiers:
        if tier.needs_verification:
            record = verified(manifest, tier)
            if not record.passed:
                remarks.append(f"{tier.name} differs from {record.reference} on this CPU")
                _LOGGER.warning("%s: %s; it is not used", manifest.id, remarks[-1])
                continue
        usable.append((tier.name, OnnxClassifier(manifest, tier)))
    return TieredClassifier(manifest, usable, "; ".join(remarks))
