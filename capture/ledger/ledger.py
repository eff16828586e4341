"""The database of assessments: opened, written in batches, read as rows."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from operator import itemgetter
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from sqlalchemy import ColumnElement, Connection, Engine, Select, delete, select

from capture.errors import UnreadableFileError
from capture.gates.profile import Profile
from capture.ledger import archives, labels, questions, standing
from capture.ledger.archives import WholeArchive
from capture.ledger.database import connect, execute_plain, name_of, named_errors, upsert
from capture.ledger.labels import Label
from capture.ledger.migrations import bring_forward
from capture.ledger.outcomes import Outcome, outcomes_in
from capture.ledger.rejudging import Judgement, Standing
from capture.ledger.rows import Row, as_stored
from capture.ledger.runs import begin_or_take_up, count, finish
from capture.ledger.schema import assessments, runs
from capture.ledger.statements import SAME_BYTES


class Ledger:
    """Assessments, runs and profiles in one database.

    Use `open_ledger`; calls may come from any thread.

    Parameters
    ----------
    engine : Engine
        A database whose tables are those of this version.
    name : str
        What errors call it: its place, without a password.
    """

    def __init__(self, engine: Engine, name: str) -> None:
        self.engine = engine
        """For those who ask in SQL of their own."""
        self._name = name
        self._writer = engine.execution_options(writes=True)
        self._limits: dict[str, Mapping[str, Any] | None] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close every connection."""
        self.engine.dispose()

    def begin_run(
        self, sources: Sequence[str], profile: Profile, engine_version: str, *, classify: bool
    ) -> int:
        """Take up the last run that was stopped, if it was the same, else begin one.

        Parameters
        ----------
        sources : sequence of str
            What it reads: absolute paths, patterns, URLs.
        profile : Profile
            The limits; remembered with the run.
        engine_version : str
            Version of this package.
        classify : bool
            Whether accepted pictures get labels.

        Returns
        -------
        int
            The ``id`` in ``runs``.
        """
        with self._write() as connection:
            return begin_or_take_up(connection, sources, profile, engine_version, classify=classify)

    def finish_run(self, run_id: int) -> None:
        """Note that a run has seen all of its sources."""
        with self._write() as connection:
            finish(connection, run_id)

    def put(
        self, run_id: int, rows: Sequence[Row], *, scored_count: int = 0, reused_count: int = 0
    ) -> None:
        """Write rows in one transaction; a picture seen before is replaced.

        Parameters
        ----------
        run_id : int
            The run that made them.
        rows : sequence of Row
            Complete rows, each path once; ``run_id`` is filled in.
        scored_count, reused_count : int
            Added to the counts of the run, in the same transaction.
        """
        with self._write() as connection:
            if rows:
                # By path, so that two machines lock rows in one order and never each other out.
                ordered = sorted(rows, key=itemgetter("path"))
                statement = upsert(assessments, "path", connection.dialect)
                execute_plain(connection, statement, [as_stored(row, run_id) for row in ordered])
            count(connection, run_id, scored_count=scored_count, reused_count=reused_count)

    def put_judgements(
        self,
        run_id: int,
        profile: Profile,
        engine_version: str,
        judgements: Sequence[Judgement],
    ) -> None:
        """Replace what a profile decides of rows that are there, in one transaction.

        Labels stay where a picture is accepted.

        Parameters
        ----------
        run_id : int
            The run that judged them again.
        profile : Profile
            By what.
        engine_version : str
            By which version of this package.
        judgements : sequence of Judgement
            Of rows whose measures are as in the ledger, each path once.
        """
        with self._write() as connection:
            standing.judge(connection, run_id, profile, engine_version, judgements)
            count(connection, run_id, scored_count=0, reused_count=len(judgements))

    def forget(self, paths: Sequence[str]) -> None:
        """Take out rows of what could not be read and turned out to be no picture."""
        with self._write() as connection:
            connection.execute(
                delete(assessments).where(
                    assessments.c.path.in_(paths),
                    assessments.c.status == UnreadableFileError.code,
                )
            )

    def remember_archives(self, read: Sequence[WholeArchive]) -> None:
        """Write down archives that were read to their end, in one transaction."""
        with self._write() as connection:
            archives.remember(connection, read)

    def is_whole(self, archive: str, size_bytes: int | None, mtime_ns: int) -> bool:
        """Say whether all pictures of an archive have rows, and it was not changed since."""
        with self._read() as connection:
            return archives.is_whole(connection, archive, size_bytes, mtime_ns)

    def standing_in(self, archive: str) -> Iterator[Standing]:
        """Yield by path how the pictures of an archive stand."""
        query = select(*standing.COLUMNS).where(archives.is_in(archive)).order_by("path")
        return map(Standing._make, self.select(query))

    def rows_at(self, paths: Sequence[str]) -> dict[str, Row]:
        """Return the rows of those `paths` that have one, by path."""
        return {row["path"]: row for row in self.rows(assessments.c.path.in_(paths))}

    def standing_at(self, paths: Sequence[str]) -> dict[str, Standing]:
        """Return by path how those `paths` stand that have a row."""
        with self._read() as connection:
            return standing.at_paths(connection, paths)

    def standing_of_sizes(self, sizes: Collection[int], limit: int) -> list[Standing]:
        """Return how pictures of any of those lengths stand, at most `limit` of them."""
        with self._read() as connection:
            return standing.of_sizes(connection, sizes, limit)

    def rows_with_sha256(self, sha256: str) -> list[Row]:
        """Return the rows of the same bytes, wherever they lie, sorted by path."""
        with self._read() as connection:
            found = connection.execute(SAME_BYTES, {"sha256": sha256})
            return list(questions.as_rows(found))

    def rows(
        self,
        *conditions: ColumnElement[bool],
        order_by: Sequence[ColumnElement[Any]] = (),
        limit: int | None = None,
    ) -> Iterator[Row]:
        """Yield assessments one by one, sorted by path if nothing else is asked for."""
        query = (
            select(assessments)
            .where(*conditions)
            .order_by(*order_by, assessments.c.path)
            .limit(limit)
        )
        with (
            self._read() as connection,
            connection.execute(query.execution_options(yield_per=1000)) as found,
        ):
            yield from questions.as_rows(found)

    def select(self, query: Select[*tuple[Any, ...]]) -> Iterator[tuple[Any, ...]]:
        """Yield what a question of one's own finds, row by row."""
        with (
            self._read() as connection,
            connection.execute(query.execution_options(yield_per=10_000)) as found,
        ):
            for row in found:
                yield tuple(row)

    def common_folder(self, *conditions: ColumnElement[bool]) -> str:
        """Return the folder that all paths share, ending in a slash; empty if none."""
        with self._read() as connection:
            return questions.common_folder(connection, *conditions)

    def outcomes(self) -> list[Outcome]:
        """Count the pictures that ended alike, most first."""
        with self._read() as connection:
            return outcomes_in(connection)

    def runs(self) -> list[Row]:
        """Return all runs, the last first."""
        with self._read() as connection:
            found = connection.execute(select(runs).order_by(runs.c.id.desc()))
            return [dict(row) for row in found.mappings()]

    def add_labels(self, added: Sequence[Label]) -> None:
        """Write down what people say of pictures, in one transaction."""
        with self._write() as connection:
            labels.add(connection, added)

    def labels(self) -> list[Label]:
        """Return the last word of each person on each picture, oldest first."""
        with self._read() as connection:
            return list(labels.last_words(connection))

    def max_pixels_of(self, profile_sha256: str) -> int | None:
        """Return the most pixels that a profile of this ledger lets be decoded."""
        limits = self.limits_of(profile_sha256)
        return None if limits is None else int(limits["size"]["max_pixels"])

    def limits_of(self, profile_sha256: str) -> Mapping[str, Any] | None:
        """Return the sections and limits of a profile that rows were judged by."""
        if profile_sha256 not in self._limits:
            with self._read() as connection:
                self._limits[profile_sha256] = questions.limits_of(connection, profile_sha256)
        return self._limits[profile_sha256]

    def profiles(self) -> list[Row]:
        """Return name, hash and count of every profile that rows stand judged by."""
        with self._read() as connection:
            return questions.profiles_of_rows(connection)

    @contextmanager
    def _read(self) -> Iterator[Connection]:
        with named_errors(self._name), self.engine.connect() as connection:
            yield connection

    @contextmanager
    def _write(self) -> Iterator[Connection]:
        with named_errors(self._name), self._writer.begin() as connection:
            yield connection


def open_ledger(place: str | Path, *, create: bool = True) -> Ledger:
    """Open a ledger, and bring an older one forward.

    Parameters
    ----------
    place : str or Path
        Path of a SQLite file, or a database URL such as ``postgresql://host/name``.
    create : bool
        Make the ledger if there is none. Otherwise one that cannot be written is read as it is.

    Raises
    ------
    LedgerError
        If it cannot be opened, holds something else, was written by a newer program, or needs to be
        brought forward and cannot be written.
    """
    engine = connect(place, create=create)
    name = name_of(place)
    try:
        with named_errors(name):
            bring_forward(engine, create=create)
    except BaseException:
        engine.dispose()
        raise
    return Ledger(engine, name)
