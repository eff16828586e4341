"""Which model is active, and which was before."""

from __future__ import annotations

import json
from itertools import pairwise
from pathlib import Path

from inference.errors import ModelError
from inference.manifest import MANIFEST_NAME, ModelManifest, read_manifest
from inference.whole_file import write_whole

SHIPPED_MODELS = Path(__file__).parent / "models"
SHIPPED_DEFAULT = "efficientnet-lite0"

_STATE_NAME = "active.json"
_MAX_HISTORY = 20


class Registry:
    """The models of one folder, and the state file beside them.

    Parameters
    ----------
    models_folder : Path or None
        Folder of model folders; None for the models that ship with the package.
    """

    def __init__(self, models_folder: Path | None = None) -> None:
        self._folder = SHIPPED_MODELS if models_folder is None else models_folder

    def models(self) -> tuple[ModelManifest, ...]:
        """Return the models, by name and version.

        Raises
        ------
        ModelError
            If a manifest cannot be used, or two models have the same id.
        """
        folders = sorted(path.parent for path in self._folder.glob(f"*/{MANIFEST_NAME}"))
        models = tuple(sorted(map(read_manifest, folders), key=lambda model: model.id))
        for one, other in pairwise(models):
            if one.id == other.id:
                raise ModelError(
                    f"{one.id} is in two folders: {one.folder.name}, {other.folder.name}"
                )
        return models

    def model(self, model_id: str) -> ModelManifest:
        """Return the model ``name@version``.

        Raises
        ------
        ModelError
            If there is none.
        """
        models = self.models()
        for model in models:
            if model.id == model_id:
                return model
        known = ", ".join(model.id for model in models) or "none"
        raise ModelError(f"there is no model {model_id}; there are: {known}")

    def active(self) -> ModelManifest:
        """Return the model that is served.

        Returns
        -------
        ModelManifest
            The one last activated; before that the shipped default, or the only model.

        Raises
        ------
        ModelError
            If there is no model, or several and none has been activated.
        """
        history = self._history()
        if history:
            return self.model(history[-1])
        default = self._default()
        if default is None:
            raise ModelError(
                f"{self._folder.name} has no active model: choose one with "
                "`smart-capture models activate NAME@VERSION`"
            )
        return default

    def _default(self) -> ModelManifest | None:
        models = self.models()
        if len(models) != 1:
            models = tuple(model for model in models if model.name == SHIPPED_DEFAULT)
        return models[0] if len(models) == 1 else None

    def activate(self, model_id: str) -> ModelManifest:
        """Serve this model from the next start of a worker on.

        The caller loads it first (`inference.tiers.load_model`): a model that cannot be
        loaded must not become the active one.

        Raises
        ------
        ModelError
            If there is no such model, its files are not those of its manifest, or the
            state cannot be written.
        """
        model = self.model(model_id)
        for tier in model.tiers:
            tier.check()
        history = self._history()
        if not history and (default := self._default()) is not None:
            history.append(default.id)
        if history[-1:] != [model_id]:
            history.append(model_id)
        self._write(history[-_MAX_HISTORY:])
        return model

    def rollback(self) -> ModelManifest:
        """Serve the model that was active before.

        Raises
        ------
        ModelError
            If there was none, or it is gone.
        """
        history = self._history()[:-1]
        if not history:
            raise ModelError("no model was active before this one")
        model = self.model(history[-1])
        self._write(history)
        return model

    def _history(self) -> list[str]:
        path = self._folder / _STATE_NAME
        try:
            history = json.loads(path.read_text(encoding="utf-8"))
        except FileNotFoundError:
            return []
        except (OSError, ValueError) as error:
            raise ModelError(f"{_STATE_NAME} cannot be read: {error}") from error
        if not isinstance(history, list) or not all(isinstance(entry, str) for entry in history):
            raise ModelError(f"{_STATE_NAME} must be a list of names with versions")
        return history

    def _write(self, history: list[str]) -> None:
        try:
            write_whole(self._folder / _STATE_NAME, json.dumps(history, indent=2) + "\n")
        except OSError as error:
            raise ModelError(f"{_STATE_NAME} cannot be written: {error.strerror}") from error
