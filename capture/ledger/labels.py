"""What people say of pictures: kept beside the assessments, by the hash of the bytes.

Labels outlive the rows they were given to: a picture that is moved, copied or scored anew
keeps them. Nothing is overwritten; of several by one person, the last one counts. No command
asks for them yet: they are for programs that do, by `Ledger.add_labels` and `Ledger.labels`.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime

from sqlalchemy import Connection, func, insert, select

from capture.gates.verdict import ReasonCode, Verdict
from capture.ledger.schema import labels


@dataclass(frozen=True, slots=True)
class Label:
    """One person's word on one picture.

    Attributes
    ----------
    sha256 : str
        Of the picture's bytes.
    path : str
        Where it lay when it was labelled.
    verdict : Verdict
        What it should be.
    reviewer : str
        Who says so.
    labelled_at : datetime
        With a time zone.
    reason_code : ReasonCode or None
        What is wrong with it.
    note : str or None
        Free words.
    """

    sha256: str
    path: str
    verdict: Verdict
    reviewer: str
    labelled_at: datetime
    reason_code: ReasonCode | None = None
    note: str | None = None


def add(connection: Connection, added: Sequence[Label]) -> None:
    """Write labels down, in the order they were given."""
    if added:
        connection.execute(insert(labels), [_row_of(label) for label in added])


def last_words(connection: Connection) -> Iterator[Label]:
    """Yield the last label of each person for each picture, oldest first."""
    last = select(func.max(labels.c.id)).group_by(labels.c.sha256, labels.c.reviewer)
    columns = [column for column in labels.columns if column.name != "id"]
    found = connection.execute(select(*columns).where(labels.c.id.in_(last)).order_by(labels.c.id))
    for row in found.mappings():
        verdict, code, moment = row["verdict"], row["reason_code"], row["labelled_at"]
        yield Label(
            **dict(row)
            | {
                "verdict": Verdict(verdict),
                "reason_code": None if code is None else ReasonCode(code),
                # SQLite keeps no time zone; what is written is UTC.
                "labelled_at": moment if moment.tzinfo else moment.replace(tzinfo=UTC),
            }
        )


def _row_of(label: Label) -> dict[str, object]:
    reason = label.reason_code
    return asdict(label) | {
        "verdict": label.verdict.value,
        "reason_code": None if reason is None else reason.value,
        "labelled_at": label.labelled_at.astimezone(UTC),
    }
