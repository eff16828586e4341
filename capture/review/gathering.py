"""Gathers what a report says from a ledger: in one pass and a few indexed questions."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from itertools import islice
from pathlib import PurePath
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import ColumnElement, func, select

from capture.errors import LedgerError
from capture.gates.verdict import Verdict
from capture.ledger.ledger import Ledger
from capture.ledger.outcomes import Outcome
from capture.ledger.rows import OK, Row
from capture.ledger.schema import IS_FAILURE, assessments
from capture.review.axes import AXES, Axis, Bound, Limit, LimitsTable
from capture.review.findings import (
    BIN_COUNT,
    Distribution,
    Failure,
    Findings,
    FolderCount,
    ReasonCount,
)

PASS_COUNT = 20_000
PICTURES_PER_STRIP = 6
EXAMPLES_PER_FAILURE = 25
FOLDER_COUNT = 12


def gather(ledger: Ledger) -> Findings:
    """Gather what a report says.

    Raises
    ------
    LedgerError
        If there is nothing in the ledger yet.
    """
    outcomes = ledger.outcomes()
    if not outcomes:
        raise LedgerError("the ledger holds no pictures yet")
    judged_by, *others = ledger.profiles()
    limits = ledger.limits_of(judged_by["profile_sha256"])
    if limits is None:
        raise LedgerError(f"the ledger does not know the limits of {judged_by['profile']}")
    return Findings(
        verdicts=_verdicts(outcomes),
        reasons=_reasons(outcomes),
        distributions=_distributions(ledger, limits),
        failures=_failures(ledger, outcomes),
        folders=_folders(ledger),
        runs=tuple(ledger.runs()),
        root=ledger.common_folder(),
        profile=judged_by["profile"],
        profile_sha256=judged_by["profile_sha256"],
        engine_version=judged_by["engine_version"],
        other_profiles=tuple(others),
    )


def _verdicts(outcomes: Sequence[Outcome]) -> Mapping[str, int]:
    counts = {verdict.value: 0 for verdict in Verdict}
    for outcome in outcomes:
        if outcome.verdict is not None:
            counts[outcome.verdict] += outcome.count
    return counts


def _reasons(outcomes: Sequence[Outcome]) -> tuple[ReasonCount, ...]:
    counts: Counter[str] = Counter()
    alone: Counter[str] = Counter()
    for outcome in outcomes:
        for code in outcome.reason_codes:
            counts[code] += outcome.count
        if len(outcome.reason_codes) == 1:
            alone[outcome.reason_codes[0]] += outcome.count
    return tuple(ReasonCount(code, count, alone[code]) for code, count in counts.most_common())


def _failures(ledger: Ledger, outcomes: Sequence[Outcome]) -> tuple[Failure, ...]:
    return tuple(
        Failure(
            outcome.status,
            outcome.count,
            tuple(
                ledger.rows(
                    assessments.c.status == outcome.status, IS_FAILURE, limit=EXAMPLES_PER_FAILURE
                )
            ),
        )
        for outcome in outcomes
        if outcome.verdict is None
    )


def _distributions(ledger: Ledger, limits: LimitsTable) -> tuple[Distribution, ...]:
    drawn = [axis.limits(limits) for axis in AXES]
    bins = np.zeros((len(AXES), 3, BIN_COUNT), np.int64)
    missing = np.zeros(len(AXES), np.int64)
    for accepted, values in _values(ledger):
        for index, axis in enumerate(AXES):
            known = ~np.isnan(values[index])
            missing[index] += np.count_nonzero(~known)
            bins[index] += _binned(axis, drawn[index], values[index][known], accepted[known])
    return tuple(
        Distribution(
            axis,
            drawn[index],
            bins[index],
            int(missing[index]),
            _nearest(ledger, axis, drawn[index]),
            _worst(ledger, axis, drawn[index]),
        )
        for index, axis in enumerate(AXES)
    )


def _values(ledger: Ledger) -> Iterator[tuple[NDArray[np.bool_], NDArray[np.float64]]]:
    """Yield verdicts and values of some pictures at a time: (n,) and (axes, n)."""
    columns = [axis.column for axis in AXES]
    found = ledger.select(select(assessments.c.verdict, *columns).where(assessments.c.status == OK))
    while rows := list(islice(found, PASS_COUNT)):
        accepted = np.array([row[0] == Verdict.ACCEPT.value for row in rows])
        values = np.array([row[1:] for row in rows], np.float64).T
        yield accepted, values


def _binned(
    axis: Axis,
    limits: Sequence[Limit],
    values: NDArray[np.float64],
    accepted: NDArray[np.bool_],
) -> NDArray[np.int64]:
    beyond = np.zeros(values.shape, bool)
    for limit in limits:
        beyond |= limit.is_broken_by(values)
    index = np.minimum((axis.position(values) * BIN_COUNT).astype(int), BIN_COUNT - 1)
    classes = (accepted, ~accepted & ~beyond, ~accepted & beyond)
    return np.array([np.bincount(index[of], minlength=BIN_COUNT) for of in classes])


def _nearest(ledger: Ledger, axis: Axis, limits: Sequence[Limit]) -> tuple[Row, ...]:
    found = [
        row
        for limit in limits
        for row in _extreme(
            ledger, axis.column.is_not(None), func.abs(axis.column - limit.value), len(limits)
        )
    ]
    return tuple(found)


def _worst(ledger: Ledger, axis: Axis, limits: Sequence[Limit]) -> tuple[Row, ...]:
    found = []
    for limit in limits:
        at_most = limit.bound is Bound.AT_MOST
        broken = axis.column > limit.value if at_most else axis.column < limit.value
        refused = assessments.c.verdict != Verdict.ACCEPT.value
        order = axis.column.desc() if at_most else axis.column.asc()
        found += _extreme(ledger, broken & refused, order, len(limits))
    return tuple(found)


def _extreme(
    ledger: Ledger,
    condition: ColumnElement[bool],
    order: ColumnElement[Any],
    shared_by: int,
) -> list[Row]:
    """Return the first few pictures, each content once."""
    room = PICTURES_PER_STRIP // shared_by
    found: dict[str, Row] = {}
    for row in ledger.rows(
        assessments.c.status == OK, condition, order_by=[order], limit=8 * PICTURES_PER_STRIP
    ):
        found.setdefault(row["sha256"], row)
        if len(found) == room:
            break
    return list(found.values())


def _folders(ledger: Ledger) -> tuple[FolderCount, ...]:
    counts: Counter[str] = Counter()
    refused: Counter[str] = Counter()
    unjudged: Counter[str] = Counter()
    for path, verdict in ledger.select(select(assessments.c.path, assessments.c.verdict)):
        folder = str(PurePath(path).parent)
        counts[folder] += 1
        if verdict is None:
            unjudged[folder] += 1
        elif verdict != Verdict.ACCEPT.value:
            refused[folder] += 1
    worst_first = sorted(counts, key=lambda name: (-refused[name] - unjudged[name], name))
    return tuple(
        FolderCount(name, counts[name], refused[name], unjudged[name])
        for name in worst_first[:FOLDER_COUNT]
    )
