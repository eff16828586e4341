"""What a camera session remembers, as bytes and back: JSON, typed by its dataclasses.

Nothing is unpickled. What does not fit the classes to the letter is no state: after a
change of the classes a session that was cut off starts anew, which costs a second of
holding still.
"""

from __future__ import annotations

import base64
import json
from dataclasses import fields, is_dataclass
from enum import Enum
from functools import cache
from types import UnionType
from typing import Any, Union, get_args, get_origin, get_type_hints

import numpy as np

from capture.gates.profile import Profile
from capture.session import Session, SessionConfig

MAX_STATE_BYTES = 2 << 20
"""A session with a preview is some 110 kB, with as many motion samples as are kept 900 kB."""

_VERSION = 1
"""To be raised when a field keeps its name and changes its meaning."""

_NOT_KEPT = frozenset({"config", "profile"})
"""Come with the stream that goes on, and from the server that serves it."""


class UnreadableStateError(ValueError):
    """These bytes are no state of a session, or that of another version."""


def state_of(session: Session) -> bytes:
    """Write down what a session remembers, its configuration and profile left out."""
    state = {
        field.name: _plain(getattr(session, field.name))
        for field in fields(session)
        if field.name not in _NOT_KEPT
    }
    return json.dumps({"version": _VERSION, "state": state}, separators=(",", ":")).encode()


def session_from(state: bytes, config: SessionConfig, profile: Profile) -> Session:
    """Return the session that goes on from a state.

    Parameters
    ----------
    state : bytes
        As `state_of` wrote it.
    config : SessionConfig
        As the client sent it now.
    profile : Profile
        The limits in force now.

    Raises
    ------
    UnreadableStateError
        If it cannot be read, or is of another version.
    """
    if len(state) > MAX_STATE_BYTES:
        raise UnreadableStateError(f"the state has {len(state)} bytes")
    try:
        match json.loads(state):
            case {"version": int(version), "state": dict(kept), **rest} if not rest:
                pass
            case _:
                raise ValueError("it is no state")
        if version != _VERSION:
            raise ValueError(f"it is of version {version}")
        return Session(config, profile, **_arguments(Session, kept, _NOT_KEPT))
    except (ValueError, TypeError, RecursionError) as error:
        raise UnreadableStateError(str(error)) from error


def _plain(value: Any) -> Any:
    if is_dataclass(value):
        return {field.name: _plain(getattr(value, field.name)) for field in fields(value)}
    if isinstance(value, np.ndarray):
        content = base64.b64encode(value.tobytes()).decode()
        return {"shape": value.shape, "base64": content}
    if isinstance(value, tuple):
        return [_plain(item) for item in value]
    return value.value if isinstance(value, Enum) else value


def _typed(kind: Any, plain: Any) -> Any:
    """Return the value of a type; raise `ValueError` or `TypeError` if it is of another."""
    origin = get_origin(kind)
    if origin in (Union, UnionType):
        (other,) = (option for option in get_args(kind) if option is not type(None))
        return None if plain is None else _typed(other, plain)
    if origin is tuple:
        return _tuple(get_args(kind), plain)
    if origin is np.ndarray:
        return _array(np.dtype(get_args(get_args(kind)[1])[0]), plain)
    if isinstance(kind, type) and is_dataclass(kind):
        return kind(**_arguments(kind, plain))
    if issubclass(kind, Enum):
        return kind(plain)
    if type(plain) is not kind and not (kind is float and type(plain) is int):
        raise TypeError(f"{plain!r:.40} is no {kind.__name__}")
    return plain


def _arguments(kind: Any, plain: Any, left_out: frozenset[str] = frozenset()) -> dict[str, Any]:
    kinds = {name: of for name, of in _field_types(kind).items() if name not in left_out}
    if not isinstance(plain, dict) or plain.keys() != kinds.keys():
        raise TypeError(f"these are not the fields of {kind.__name__}")
    return {name: _typed(of, plain[name]) for name, of in kinds.items()}


@cache
def _field_types(kind: type) -> dict[str, Any]:
    hints = get_type_hints(kind)
    return {field.name: hints[field.name] for field in fields(kind)}


def _tuple(kinds: tuple[Any, ...], plain: Any) -> tuple[Any, ...]:
    if not isinstance(plain, list):
        raise TypeError("this is no list")
    if kinds[-1] is Ellipsis:
        kinds = kinds[:1] * len(plain)
    return tuple(_typed(kind, item) for kind, item in zip(kinds, plain, strict=True))


def _array(dtype: np.dtype[Any], plain: Any) -> np.ndarray[Any, Any]:
    match plain:
        case {"shape": [*shape], "base64": str(content), **rest} if not rest:
            pass
        case _:
            raise TypeError("this is no array")
    values = np.frombuffer(base64.b64decode(content, validate=True), dtype)
    return values.reshape(tuple(_typed(int, length) for length in shape))
