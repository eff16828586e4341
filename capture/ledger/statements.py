"""What is asked for every picture: building it anew would cost more than the answer."""

from __future__ import annotations

from typing import Any

from sqlalchemy import ColumnElement, bindparam, case, literal_column, select, update

from capture.gates.verdict import Verdict
from capture.ledger.rows import JUDGED_COLUMNS, LABEL_COLUMNS
from capture.ledger.schema import assessments

SAME_BYTES = (
    select(assessments)
    .where(assessments.c.sha256 == bindparam("sha256"))
    .order_by(assessments.c.path)
    .limit(8)
)


def _where_accepted(column: ColumnElement[Any]) -> ColumnElement[Any]:
    is_accepted = bindparam("verdict") == literal_column(f"'{Verdict.ACCEPT.value}'")
    return case((is_accepted, column))


JUDGE = (
    update(assessments)
    .where(assessments.c.path == bindparam("at_path"))
    .values({name: bindparam(name) for name in (*JUDGED_COLUMNS, "run_id")})
    .values({name: _where_accepted(assessments.c[name]) for name in LABEL_COLUMNS})
)
