"""Pictures that belong together, on the page: the best of each group first, and why."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from html import escape

from capture.ledger.rows import Row
from capture.review.figures import Gallery

KIND_WORDS = {
    "exact": "Copies of the same bytes",
    "burst": "Burst",
    "bracket": "Exposure bracket",
    "near": "Look-alikes",
}


@dataclass(frozen=True, slots=True)
class PictureGroup:
    """Pictures that belong together.

    Attributes
    ----------
    kind : str
        One of `KIND_WORDS`.
    reason : str
        Why the best one is, in words.
    rows : tuple of Row
        Those that are shown, the best one first.
    count : int
        All that belong to it.
    """

    kind: str
    reason: str
    rows: tuple[Row, ...]
    count: int


@dataclass(frozen=True, slots=True)
class Grouping:
    """The groups of a ledger.

    Attributes
    ----------
    counts : mapping of str to int
        Groups by kind.
    shown : tuple of PictureGroup
        The largest.
    """

    counts: Mapping[str, int]
    shown: tuple[PictureGroup, ...]


def groups_section(grouping: Grouping | None, gallery: Gallery) -> str:
    """Write the groups as HTML; None stands for those that were not looked for."""
    if grouping is None:
        return "<p>Too many pictures to be grouped here: <code>smart-capture groups</code>.</p>"
    if not grouping.shown:
        return "<p>No picture is like another.</p>"
    counts = "; ".join(
        f"{KIND_WORDS[kind].lower()}: <b>{count:,}</b>" for kind, count in grouping.counts.items()
    )
    return f"<p>Groups found, {counts}.</p>" + "".join(
        _card(group, gallery) for group in grouping.shown
    )


def _card(group: PictureGroup, gallery: Gallery) -> str:
    figures = "".join(
        gallery.figure(row, "best" if number == 0 else "") for number, row in enumerate(group.rows)
    )
    left = group.count - len(group.rows)
    more = f'<p class="remark">and {left:,} more</p>' if left else ""
    return (
        f"<article><header><h3>{KIND_WORDS[group.kind]}</h3>"
        f"<p>{group.count:,} pictures</p></header>"
        f'<p class="remark">The best: {escape(group.reason)}.</p>'
        f'<div class="strip">{figures}</div>{more}</article>'
    )
