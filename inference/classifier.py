"""One ONNX network on one thread: pixels in, probabilities out."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from inference.errors import ModelError
from inference.manifest import InputLayout, ModelManifest, OutputKind, TierFile
from inference.network_cache import open_network


class OnnxClassifier:
    """One tier of a model, loaded.

    Parameters
    ----------
    manifest : ModelManifest
        The model.
    tier : TierFile
        Which of its files.

    Raises
    ------
    ModelError
        If the file is no ONNX network, or its tensors are not as the manifest says.
    """

    def __init__(self, manifest: ModelManifest, tier: TierFile) -> None:
        self._tensors = manifest.tensors
        self._session = open_network(tier)
        self._check_tensors(manifest, tier)

    def _check_tensors(self, manifest: ModelManifest, tier: TierFile) -> None:
        how, tensors = manifest.preprocessing, manifest.tensors
        inputs = {entry.name: entry for entry in self._session.get_inputs()}
        outputs = {entry.name for entry in self._session.get_outputs()}
        if set(inputs) != {tensors.input} or tensors.output not in outputs:
            raise ModelError(
                f"{tier.path.name} has inputs {sorted(inputs)} and outputs {sorted(outputs)}, "
                f"the manifest says {tensors.input!r} and {tensors.output!r}"
            )
        expected = "tensor(uint8)" if tensors.mean is None else "tensor(float)"
        found = inputs[tensors.input].type
        if found != expected:
            raise ModelError(f"{tier.path.name} takes {found}, the manifest says {expected}")
        blank = np.zeros((1, how.height_px, how.width_px, 3), np.uint8)
        count = self.probabilities(blank).size
        if count != len(manifest.labels):
            raise ModelError(
                f"{tier.path.name} has {count} classes, and {len(manifest.labels)} labels"
            )

    def probabilities(self, pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Return the probability of every class.

        Parameters
        ----------
        pixels : (1, H, W, 3) uint8
            RGB, as `inference.preprocess` makes it.

        Returns
        -------
        (class_count,) float32
            In [0, 1], with the sum 1, in the order of the labels.

        Raises
        ------
        ModelError
            If the network fails or answers something that is no probability.
        """
        try:
            feed = {self._tensors.input: self._input_of(pixels)}
            (scores,) = self._session.run([self._tensors.output], feed)
        except Exception as error:  # the runtime's exceptions have no common class
            raise ModelError(f"inference failed: {error}") from error
        values = np.asarray(scores, np.float32).reshape(-1)
        if not np.isfinite(values).all():
            raise ModelError("inference gave numbers that are not finite")
        if self._tensors.output_kind is OutputKind.PROBABILITIES:
            return values
        powers = np.exp(values - values.max())
        return np.asarray(powers / powers.sum(), np.float32)

    def _input_of(self, pixels: NDArray[np.uint8]) -> NDArray[Any]:
        tensors = self._tensors
        values: NDArray[Any] = pixels
        if tensors.mean is not None:
            mean = np.asarray(tensors.mean, np.float32)
            values = (pixels - mean) / np.asarray(tensors.std, np.float32)
        if tensors.layout is InputLayout.NCHW:
            values = np.ascontiguousarray(values.transpose(0, 3, 1, 2))
        return values
