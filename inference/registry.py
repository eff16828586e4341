"""Which model is active, and which was before."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

from inference.errors import ModelError, UnknownModelError
from inference.manifest import MANIFEST_NAME, ModelManifest, read_manifest
from inference.whole_file import write_whole

SHIPPED_MODELS = Path(__file__).parent / "models"
SHIPPED_DEFAULT = "efficientnet-lite0"

_STATE_NAME = "active.json"
_MAX_HISTORY = 20


@dataclass(frozen=True, slots=True)
class TierEntry:
    """One set of weights of a model.

    Attributes
    ----------
    name : str
        ``int8``, ``fp32`` or the like.
    size_bytes : int
        Length of its file.
    sha256 : str
        Digest of its file as the manifest says, in hexadecimal.
    needs_verification : bool
        Whether it is used only where it was compared with the last tier.
    """

    name: str
    size_bytes: int
    sha256: str
    needs_verification: bool


@dataclass(frozen=True, slots=True)
class ModelEntry:
    """A model in the list of those there are.

    Attributes
    ----------
    id : str
        ``name@version``.
    description, source, license : str
        What it is, where it comes from, its SPDX licence.
    label_count : int
        Classes it knows.
    tiers : tuple of TierEntry
        Cheapest first.
    is_active : bool
        Whether a server that starts now would serve it.
    is_served : bool
        Whether the server that was asked serves it; False where none was asked.
    """

    id: str
    description: str
    source: str
    license: str
    label_count: int
    tiers: tuple[TierEntry, ...]
    is_active: bool
    is_served: bool = False


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

    def entries(self) -> tuple[ModelEntry, ...]:
        """List the models, by name and version.

        Raises
        ------
        ModelError
            If a manifest or its files cannot be used, or several models are there and none
            of them is active.
        """
        models = self.models()
        active = self.active().id if models else ""
        return tuple(_entry_of(model, is_active=model.id == active) for model in models)

    def model(self, model_id: str) -> ModelManifest:
        """Return the model ``name@version``.

        Raises
        ------
        UnknownModelError
            If there is none.
        """
        models = self.models()
        for model in models:
            if model.id == model_id:
                return model
        known = ", ".join(model.id for model in models) or "none"
        raise UnknownModelError(f"there is no model {model_id:.100}; there are: {known}")

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
        """Serve this model from the next start of a server on.

        The caller examines it first (`inference.examination`): a model that cannot be used
        must not become the active one.

        Raises
        ------
        ModelError
            If there is no such model, its files are not those of its manifest, or the
            state cannot be written.
        """
        model = self.model(model_id)
        for tier in model.tiers:
            tier.check()
        self.choose(model_id)
        return model

    def choose(self, model_id: str) -> None:
        """Write down which model is active; one that has just been examined.

        Raises
        ------
        ModelError
            If the state cannot be read or written.
        """
        history = self._history()
        if not history and (default := self._default()) is not None:
            history.append(default.id)
        if history[-1:] != [model_id]:
            history.append(model_id)
        self._write(history[-_MAX_HISTORY:])

    def previous(self) -> ModelManifest:
        """Return the model that was active before.

        Raises
        ------
        UnknownModelError
            If there was none, or it is gone.
        """
        history = self._history()[:-1]
        if not history:
            raise UnknownModelError("no model was active before this one")
        return self.model(history[-1])

    def rollback(self) -> ModelManifest:
        """Serve the model that was active before, from the next start of a server on.

        Raises
        ------
        ModelError
            If there was none, it is gone, or the state cannot be written.
        """
        model = self.previous()
        self._write(self._history()[:-1])
        return model

    @contextmanager
    def undone_on_failure(self) -> Iterator[None]:
        """Put the state back as it is now if what is done meanwhile fails.

        Raises
        ------
        ModelError
            If the state cannot be read, or not be put back.
        """
        before = self._history()
        try:
            yield
        except BaseException:
            self._write(before)
            raise

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
        path = self._folder / _STATE_NAME
        try:
            if history:
                write_whole(path, json.dumps(history, indent=2) + "\n")
            else:
                path.unlink(missing_ok=True)
        except OSError as error:
            raise ModelError(f"{_STATE_NAME} cannot be written: {error.strerror}") from error


def _entry_of(model: ModelManifest, *, is_active: bool) -> ModelEntry:
    return ModelEntry(
        id=model.id,
        description=model.description,
        source=model.source,
        license=model.license,
        label_count=len(model.labels),
        tiers=tuple(
            TierEntry(tier.name, tier.size_bytes, tier.sha256, tier.needs_verification)
            for tier in model.tiers
        ),
        is_active=is_active,
    )
