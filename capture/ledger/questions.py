"""What is asked of a whole ledger."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from posixpath import commonprefix
from typing import Any

from sqlalchemy import ColumnElement, Connection, CursorResult, func, select

from capture.ledger.rows import Row
from capture.ledger.schema import assessments, profiles


def as_rows(found: CursorResult[*tuple[Any, ...]]) -> Iterator[Row]:
    """Yield what was found, with the names of its columns."""
    names = tuple(found.keys())
    return (dict(zip(names, values, strict=True)) for values in found)


def common_folder(connection: Connection, *conditions: ColumnElement[bool]) -> str:
    """Return the folder that all paths share, ending in a slash; empty if none."""
    path = assessments.c.path
    ends = select(func.min(path), func.max(path)).where(*conditions)
    first, last = connection.execute(ends).one()
    if first is None:
        return ""
    shared: str = commonprefix([first, last])
    return shared[: shared.rfind("/") + 1]


def profiles_of_rows(connection: Connection) -> list[Row]:
    """Return name, hash and count of every profile that rows stand judged by, most first."""
    by = ("profile", "profile_sha256", "engine_version")
    count = func.count().label("count")
    columns = [assessments.c[name] for name in by]
    query = select(*columns, count).group_by(*columns).order_by(count.desc())
    return [dict(row) for row in connection.execute(query).mappings()]


def limits_of(connection: Connection, profile_sha256: str) -> Mapping[str, Any] | None:
    """Return the sections and limits of a profile, or None if it is not known here."""
    query = select(profiles.c.limits).where(profiles.c.sha256 == profile_sha256)
    limits: Mapping[str, Any] | None = connection.scalar(query)
    return limits
