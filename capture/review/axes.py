"""What the report draws: each measure with its range, its scale and its limits."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import ColumnElement, case

from capture.ledger.schema import assessments

LimitsTable = Mapping[str, Mapping[str, float]]
"""Section and name of a profile's limits, as the ledger keeps them."""


class Bound(Enum):
    """Which side of a limit is refused."""

    AT_MOST = "at most"
    AT_LEAST = "at least"


@dataclass(frozen=True, slots=True)
class Limit:
    """A limit of a measure, in the measure's unit."""

    value: float
    bound: Bound

    def is_broken_by(self, values: NDArray[np.float64]) -> NDArray[np.bool_]:
        """Say which values lie on the refused side; missing ones (NaN) do not."""
        broken = values > self.value if self.bound is Bound.AT_MOST else values < self.value
        return np.asarray(broken)


@dataclass(frozen=True, slots=True)
class Axis:
    """One measure as it is drawn.

    Attributes
    ----------
    name : str
        As in the record.
    title, unit : str
        For people.
    column : ColumnElement
        The value in SQL.
    low, high : float
        Ends of the axis; what lies beyond is counted in the last bin.
    ticks : tuple of float
        Marked values.
    root : bool
        Square-root scale: most values lie close to 0.
    limits : callable
        Picks the limits of this measure from those of a profile.
    remark : str
        What the numbers mean.
    """

    name: str
    title: str
    unit: str
    column: ColumnElement[Any]
    low: float
    high: float
    ticks: tuple[float, ...]
    limits: Callable[[LimitsTable], tuple[Limit, ...]]
    remark: str
    root: bool = False

    def position(self, values: NDArray[np.float64]) -> NDArray[np.float64]:
        """Map values to [0, 1] along the axis."""
        share = np.clip((values - self.low) / (self.high - self.low), 0.0, 1.0)
        return np.asarray(np.sqrt(share) if self.root else share)

    def words(self, value: float) -> str:
        """Write a value with its unit."""
        if self.unit == "%":
            return f"{100 * value:.3g} %"
        if self.unit == "EV":
            return f"{value:+.2f} EV"
        return f"{value:.3g} {self.unit}".rstrip()


def _at_most(section: str, name: str) -> Callable[[LimitsTable], tuple[Limit, ...]]:
    return lambda limits: (Limit(limits[section][name], Bound.AT_MOST),)


def _at_least(section: str, name: str) -> Callable[[LimitsTable], tuple[Limit, ...]]:
    return lambda limits: (Limit(limits[section][name], Bound.AT_LEAST),)


def _offset_limits(limits: LimitsTable) -> tuple[Limit, ...]:
    exposure = limits["exposure"]
    return (
        Limit(exposure["min_offset_ev"], Bound.AT_LEAST),
        Limit(exposure["max_offset_ev"], Bound.AT_MOST),
    )


_columns = assessments.c
_SHARES = (0.0, 0.01, 0.05, 0.1, 0.25, 0.5, 1.0)

AXES = (
    Axis(
        name="blur.probability",
        title="Blur",
        unit="",
        column=_columns.blur_probability,
        low=0.0,
        high=1.0,
        ticks=(0.0, 0.25, 0.5, 0.75, 1.0),
        limits=_at_most("blur", "max_probability"),
        remark="Probability that the sharpest substantial part is blurred.",
    ),
    Axis(
        name="exposure.offset_ev",
        title="Exposure",
        unit="EV",
        column=_columns.exposure_offset_ev,
        low=-6.0,
        high=4.0,
        ticks=(-6.0, -4.0, -2.0, 0.0, 2.0, 4.0),
        limits=_offset_limits,
        remark="Stops from well exposed; negative is dark.",
    ),
    Axis(
        name="exposure.clipped_highlight_fraction",
        title="Burnt highlights",
        unit="%",
        column=_columns.clipped_highlight_fraction,
        low=0.0,
        high=1.0,
        ticks=_SHARES,
        limits=_at_most("exposure", "max_clipped_highlight_fraction"),
        remark="Share of the picture without detail in the light. Square-root scale.",
        root=True,
    ),
    Axis(
        name="exposure.clipped_shadow_fraction",
        title="Drowned shadows",
        unit="%",
        column=_columns.clipped_shadow_fraction,
        low=0.0,
        high=1.0,
        ticks=_SHARES,
        limits=_at_most("exposure", "max_clipped_shadow_fraction"),
        remark="Share of the picture without detail in the dark. Square-root scale.",
        root=True,
    ),
    Axis(
        name="exposure.dynamic_range_stops",
        title="Dynamic range",
        unit="stops",
        column=_columns.dynamic_range_stops,
        low=0.0,
        high=16.0,
        ticks=(0.0, 4.0, 8.0, 12.0, 16.0),
        limits=_at_least("exposure", "min_dynamic_range_stops"),
        remark="Between the darkest and the brightest hundredth: fog and a dirty lens lower it.",
    ),
    Axis(
        name="noise_sigma",
        title="Noise",
        unit="levels",
        column=_columns.noise_sigma,
        low=0.0,
        high=36.0,
        ticks=(0.0, 1.0, 4.0, 9.0, 16.0, 25.0, 36.0),
        limits=_at_most("noise", "max_sigma"),
        remark="Standard deviation in 8-bit luma levels. Square-root scale.",
        root=True,
    ),
    Axis(
        name="short_edge_px",
        title="Size",
        unit="px",
        column=case(
            (_columns.width_px < _columns.height_px, _columns.width_px), else_=_columns.height_px
        ),
        low=0.0,
        high=6400.0,
        ticks=(0.0, 64.0, 400.0, 1600.0, 3600.0, 6400.0),
        limits=_at_least("size", "min_short_edge_px"),
        remark="Short edge of the upright picture. Square-root scale.",
        root=True,
    ),
)
