"""Judge many stills at once: columns of measures against the limits of one profile.

What `capture.gates.shot` says of one picture, this says of thousands, in NumPy: only for
what breaks a limit is anything to be made in Python.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from capture.gates.limits import LIMITS, Measured
from capture.gates.profile import Profile
from capture.gates.verdict import ReasonCode, Verdict

Numbers = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class BrokenLimit:
    """One limit, and the pictures that do not meet it.

    Attributes
    ----------
    code, measure, limit, leads_to
        As in `Reason`.
    hint : str
        The same, to be filled in with `told`.
    rows : (M,) int
        Which pictures, in ascending order.
    value, told : (M,) float64
        What was measured of them, and what a person is told.
    scalar : (M,) int
        As in `Reason`.
    """

    code: ReasonCode
    measure: str
    limit: float
    leads_to: Verdict
    hint: str
    rows: NDArray[np.intp]
    value: Numbers
    told: Numbers
    scalar: NDArray[np.int64]


def broken_limits(columns: Measured, profile: Profile) -> Iterator[BrokenLimit]:
    """Yield the limits that any picture breaks, as one picture is held against them.

    Parameters
    ----------
    columns : Measured
        What was measured of N pictures.
    profile : Profile
        What is allowed.
    """
    for limit in LIMITS:
        rows = np.flatnonzero(limit.is_broken(columns, profile))
        if not rows.size:
            continue
        allowed = float(limit.limit(profile))
        value = np.asarray(limit.value(columns))[rows]
        yield BrokenLimit(
            limit.code,
            limit.measure,
            allowed,
            limit.leads_to(profile),
            limit.hint_under(profile),
            rows,
            value,
            np.asarray(limit.told(columns))[rows],
            np.rint(limit.sense.scalar(value, allowed)).astype(np.int64),
        )
