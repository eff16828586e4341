"""What a camera session remembers, as bytes and back: JSON, typed by its dataclasses.

The values of arrays stand behind the JSON, one after the other: a picture as a string in it
took longer than all the rest. Nothing is unpickled. What does not fit the classes to the
letter is no state: after a change of the classes a session that was cut off starts anew,
which costs a second of holding still.
"""

from __future__ import annotations

import json
import math
from dataclasses import fields, is_dataclass
from enum import Enum
from functools import cache
from io import BytesIO
from types import UnionType
from typing import Any, Union, get_args, get_origin, get_type_hints

import numpy as np

from capture.gates.profile import Profile
from capture.session import Session, SessionConfig

MAX_STATE_BYTES = 2 << 20
"""A session with a preview is some 90 kB, with as many motion samples as are kept 700 kB."""

_VERSION = 2
"""To be raised when a field keeps its name and changes its meaning."""

_NOT_KEPT = frozenset({"config", "profile"})
"""Come with the stream that goes on, and from the server that serves it."""

_PLAIN_TYPES = frozenset({int, float, str, bool, type(None)})


class UnreadableStateError(ValueError):
    """These bytes are no state of a session, or that of another version."""


def state_of(session: Session) -> bytes:
    """Write down what a session remembers, its configuration and profile left out."""
    arrays: list[bytes] = []
    state = {
        name: _plain(getattr(session, name), arrays)
        for name in _field_names(Session)
        if name not in _NOT_KEPT
    }
    text = json.dumps({"version": _VERSION, "state": state}, separators=(",", ":"))
    return b"\n".join([text.encode(), b"".join(arrays)])


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
        text, _, arrays = state.partition(b"\n")  # JSON without spaces has no end of line
        match json.loads(text):
            case {"version": int(version), "state": dict(kept), **rest} if not rest:
                pass
            case _:
                raise ValueError("it is no state")
        if version != _VERSION:
            raise ValueError(f"it is of version {version}")
        reading = BytesIO(arrays)
        session = Session(config, profile, **_arguments(Session, kept, reading, _NOT_KEPT))
        if reading.read(1):
            raise ValueError("more follows it")
    except (ValueError, TypeError, RecursionError) as error:
        raise UnreadableStateError(str(error)) from error
    return session


def _plain(value: Any, arrays: list[bytes]) -> Any:
    kind = type(value)
    if kind in _PLAIN_TYPES:
        return value
    if kind is tuple:
        return [_plain(item, arrays) for item in value]
    if is_dataclass(kind):
        return {name: _plain(getattr(value, name), arrays) for name in _field_names(kind)}
    if kind is np.ndarray:
        arrays.append(value.tobytes())
        return {"shape": value.shape}
    return value.value if isinstance(value, Enum) else value


@cache
def _field_names(kind: type) -> tuple[str, ...]:
    return tuple(field.name for field in fields(kind))


def _typed(kind: Any, plain: Any, arrays: BytesIO) -> Any:
    """Return the value of a type; raise `ValueError` or `TypeError` if it is of another."""
    origin = get_origin(kind)
    if origin in (Union, UnionType):
        (other,) = (option for option in get_args(kind) if option is not type(None))
        return None if plain is None else _typed(other, plain, arrays)
    if origin is tuple:
        return _tuple(get_args(kind), plain, arrays)
    if origin is np.ndarray:
        return _array(np.dtype(get_args(get_args(kind)[1])[0]), plain, arrays)
    if isinstance(kind, type) and is_dataclass(kind):
        return kind(**_arguments(kind, plain, arrays))
    if issubclass(kind, Enum):
        return kind(plain)
    if type(plain) is not kind and not (kind is float and type(plain) is int):
        raise TypeError(f"{plain!r:.40} is no {kind.__name__}")
    return plain


def _arguments(
    kind: Any, plain: Any, arrays: BytesIO, left_out: frozenset[str] = frozenset()
) -> dict[str, Any]:
    kinds = {name: of for name, of in _field_types(kind).items() if name not in left_out}
    if not isinstance(plain, dict) or plain.keys() != kinds.keys():
        raise TypeError(f"these are not the fields of {kind.__name__}")
    return {name: _typed(of, plain[name], arrays) for name, of in kinds.items()}


@cache
def _field_types(kind: type) -> dict[str, Any]:
    hints = get_type_hints(kind)
    return {name: hints[name] for name in _field_names(kind)}


def _tuple(kinds: tuple[Any, ...], plain: Any, arrays: BytesIO) -> tuple[Any, ...]:
    if not isinstance(plain, list):
        raise TypeError("this is no list")
    if kinds[-1] is Ellipsis:
        kinds = kinds[:1] * len(plain)
    return tuple(_typed(kind, item, arrays) for kind, item in zip(kinds, plain, strict=True))


def _array(dtype: np.dtype[Any], plain: Any, arrays: BytesIO) -> np.ndarray[Any, Any]:
    match plain:
        case {"shape": [*lengths], **rest} if not rest:
            shape = tuple(_typed(int, length, arrays) for length in lengths)
        case _:
            raise TypeError("this is no array")
    byte_count = math.prod(shape) * dtype.itemsize
    if min(shape, default=0) < 0 or byte_count > MAX_STATE_BYTES:
        raise ValueError(f"an array of {shape}")
    return np.frombuffer(arrays.read(byte_count), dtype).reshape(shape)
