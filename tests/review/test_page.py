"""The page says everything, needs no network, and trusts no name."""

from __future__ import annotations

from datetime import UTC, datetime
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest

from capture.archive.finding import address_of
from capture.gates.verdict import ReasonCode
from capture.review.figures import Gallery
from capture.review.gathering import gather
from capture.review.groups import Grouping, PictureGroup
from capture.review.page import REASON_WORDS, write_page
from tests.review.ledgers import filled, judged, measures

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)


class Reader(HTMLParser):
    """Collects tags, attributes and text, and fails where a tag is left open."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str]] = []
        self.words = ""
        self._open: list[str] = []
        self.feed(page)
        assert self._open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += [(name, value or "") for name, value in attrs]
        if tag not in ("meta", "img", "br"):
            self._open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += [(name, value or "") for name, value in attrs]

    def handle_endtag(self, tag: str) -> None:
        assert self._open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.words += data


def page_of(file: Path, count: int, **filling: object) -> str:
    with filled(file, count, **filling) as ledger:  # type: ignore[arg-type]
        return write_page(gather(ledger), Gallery({}), name="run.db", made_at=NOON)


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> str:
    return page_of(tmp_path_factory.mktemp("ledger") / "run.db", 300, broken=10)


def test_the_page_is_well_formed(page: str) -> None:
    """Every tag that is opened is closed in its turn."""
    assert {"h1", "svg", "figure", "details"} <= set(Reader(page).tags)


def test_the_page_needs_nothing_from_outside(page: str) -> None:
    """No address but of the pictures themselves, no script."""
    read = Reader(page)
    addresses = [value for name, value in read.attributes if name in ("src", "href")]
    assert all(value.startswith(("file:", "data:")) for value in addresses)
    assert not {"script", "link", "iframe"} & set(read.tags)


def test_the_page_says_how_many_can_be_used(page: str) -> None:
    """The first line is the answer."""
    assert "of 310 pictures can be used" in Reader(page).words


def test_file_names_are_never_markup(tmp_path: Path) -> None:
    """A picture called like a script stays a name."""
    hostile = '/p/"><script>alert(1)</script>'
    with filled(tmp_path / "run.db", 3, broken=1, folder=hostile) as ledger:
        found = gather(ledger)
        read = Reader(write_page(found, Gallery({}), name="<b>", made_at=NOON))
    assert "script" not in read.tags
    assert "<script>" in read.words


def test_what_holds_for_most_pictures_is_said_first(tmp_path: Path) -> None:
    """A fault of the whole set is not taken for its normal state."""
    rng = np.random.default_rng(1)
    with filled(tmp_path / "run.db", 1) as ledger:
        dark = [
            row | {"path": f"/d/{n}", "sha256": f"{n}"}
            for n in range(200)
            for row in [judged("/d", measures(rng))]
            if "UNDEREXPOSED" in row["reason_codes"]
        ]
        ledger.put(1, dark)
        words = Reader(write_page(gather(ledger), Gallery({}), name="x", made_at=NOON)).words
    assert "Too dark holds for" in words


def test_a_ledger_without_a_fault_has_a_page(tmp_path: Path) -> None:
    """No refusal and no failure are findings, too."""
    rng = np.random.default_rng(3)
    good = [row for n in range(400) if not (row := judged(f"/g/{n}", measures(rng)))["reasons"]]
    with filled(tmp_path / "run.db", 0) as ledger:
        ledger.put(1, good)
        words = Reader(write_page(gather(ledger), Gallery({}), name="x", made_at=NOON)).words
    assert f"{len(good)} of {len(good)} pictures can be used" in words
    assert "No picture was refused" in words


def test_every_reason_has_words() -> None:
    """A new reason code cannot be forgotten."""
    assert set(REASON_WORDS) == set(ReasonCode)


def test_groups_are_shown_with_their_best_first(tmp_path: Path) -> None:
    """Which belong together, how many there are, the best and why; names are no markup."""
    with filled(tmp_path / "run.db", 20, folder="/p/<i>") as ledger:
        rows = tuple(row for row in ledger.rows() if row["verdict"])[:3]
        group = PictureGroup("burst", "sharper: 0.1, next best <0.4>", rows, 8)
        grouping = Grouping({"burst": 1, "exact": 0}, (group,))
        page = write_page(gather(ledger), Gallery({}), grouping, name="x", made_at=NOON)
    read = Reader(page)
    assert "The best: sharper: 0.1, next best <0.4>." in read.words
    assert "8 pictures" in read.words
    assert "and 5 more" in read.words
    shown = [value for name, value in read.attributes if name == "title"][-4:]
    assert [title.partition("\n")[0] for title in shown[:3]] == [row["path"] for row in rows]


@pytest.mark.parametrize(
    ("path", "address"),
    [
        ("/a b/c.jpg", "file:///a%20b/c.jpg"),
        ("/a/b.zip!in/c.jpg", "file:///a/b.zip"),
        ("/a/b!c.jpg", "file:///a/b%21c.jpg"),
        ("https://host/a.jpg", "https://host/a.jpg"),
        ("https://host/b.tar!c.jpg", "https://host/b.tar"),
        ("s3://bucket/b.tar!c.jpg", None),
    ],
)
def test_pictures_are_linked_to_where_a_browser_finds_them(path: str, address: str | None) -> None:
    """A member leads to its archive; what no browser opens is named only."""
    assert address_of(path) == address
    linked = Gallery({}, address_of).linked(path, "here")
    assert linked == (f'<a href="{address}">here</a>' if address else "<a>here</a>")
