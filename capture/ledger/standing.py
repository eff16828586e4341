"""How rows stand, asked of many at once, and what a profile decides of them, written at once."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from functools import lru_cache
from typing import Any

from sqlalchemy import Connection, bindparam, select

from capture.gates.profile import Profile
from capture.gates.verdict import Verdict
from capture.ledger.database import execute_plain, select_among
from capture.ledger.rejudging import Judgement, Standing
from capture.ledger.rows import LABEL_COLUMNS
from capture.ledger.schema import assessments
from capture.ledger.statements import JUDGE

TOGETHER_COUNT = 128

COLUMNS = tuple(assessments.c[name] for name in Standing._fields)
"""What is asked for to know how a row stands."""

_OF_SIZES = (
    select(*COLUMNS)
    .where(assessments.c.size_bytes.in_(bindparam("sizes", expanding=True)))
    .where(assessments.c.sha256.is_not(None))
    .limit(bindparam("limit"))
)


def at_paths(connection: Connection, paths: Sequence[str]) -> dict[str, Standing]:
    """Return by path how those `paths` stand that have a row."""
    found = select_among(connection, COLUMNS, assessments.c.path, paths)
    return {row.path: row for row in map(Standing._make, found)}


def of_sizes(connection: Connection, sizes: Collection[int], limit: int) -> list[Standing]:
    """Return how pictures of any of those lengths stand, no more than `limit` of them."""
    found = connection.execute(_OF_SIZES, {"sizes": list(sizes), "limit": limit})
    return list(map(Standing._make, found))


def judge(
    connection: Connection,
    run_id: int,
    profile: Profile,
    engine_version: str,
    judgements: Sequence[Judgement],
) -> None:
    """Replace what a profile decides of rows that are there; see `Ledger.put_judgements`."""
    by = {
        "engine_version": engine_version,
        "profile": profile.name,
        "profile_sha256": profile.sha256,
        "run_id": run_id,
    }
    # By path, so that two machines lock rows in one order and never each other out.
    rest = sorted(judgements)
    if connection.dialect.name == "sqlite":
        whole = len(rest) - len(rest) % TOGETHER_COUNT
        for start in range(0, whole, TOGETHER_COUNT):
            some = rest[start : start + TOGETHER_COUNT]
            given = (*[value for judgement in some for value in judgement], *by.values())
            connection.exec_driver_sql(_judge_together(tuple(by)), given)
        rest = rest[whole:]
    if rest:
        given_each = [judged._asdict() | by | {"at_path": judged.path} for judged in rest]
        execute_plain(connection, JUDGE, given_each)


@lru_cache(maxsize=1)
def _judge_together(by: tuple[str, ...]) -> str:
    """Return SQLite's statement for many rows at once.

    One after the other, each row would hand Python's lock over twice, and the thread that
    judges the next rows would keep it for 5 ms each time.
    """
    decided = [name for name in Judgement._fields if name != "path"]
    rows = ", ".join([f"({', '.join('?' * len(Judgement._fields))})"] * TOGETHER_COUNT)
    values: dict[str, Any] = (
        dict.fromkeys(by, "?")
        | {name: f"judged.{name}" for name in decided}
        | {
            name: f"CASE WHEN judged.verdict = '{Verdict.ACCEPT.value}' THEN assessments.{name} END"
            for name in LABEL_COLUMNS
        }
    )
    assigned = ", ".join([f"{name} = {value}" for name, value in values.items()])
    return (
        f"WITH judged({', '.join(Judgement._fields)}) AS (VALUES {rows}) "
        f"UPDATE assessments SET {assigned} FROM judged WHERE assessments.path = judged.path"
    )
