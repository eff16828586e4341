"""Runs in the ledger: begun, taken up again, counted and finished."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from datetime import UTC, datetime

from sqlalchemy import Connection, insert, select, update

from capture.gates.profile import Profile
from capture.ledger.database import upsert
from capture.ledger.schema import profiles, runs


def begin_or_take_up(
    connection: Connection,
    sources: Sequence[str],
    profile: Profile,
    engine_version: str,
    *,
    classify: bool,
) -> int:
    """Return the number of the last run that was stopped, if it was the same, or of a new one."""
    _remember(connection, profile)
    same = (
        runs.c.profile_sha256 == profile.sha256,
        runs.c.engine_version == engine_version,
        runs.c.classify == classify,
        runs.c.finished_at.is_(None),
    )
    stopped = connection.execute(
        select(runs.c.id, runs.c.sources).where(*same).order_by(runs.c.id.desc())
    )
    for run_id, its_sources in stopped:
        if its_sources == list(sources):
            connection.execute(
                update(runs).where(runs.c.id == run_id).values(resume_count=runs.c.resume_count + 1)
            )
            return int(run_id)
    begun = insert(runs).values(
        started_at=datetime.now(UTC),
        sources=list(sources),
        profile_sha256=profile.sha256,
        engine_version=engine_version,
        classify=classify,
        resume_count=0,
        scored_count=0,
        reused_count=0,
    )
    return int(connection.execute(begun.returning(runs.c.id)).scalar_one())


def count(connection: Connection, run_id: int, *, scored_count: int, reused_count: int) -> None:
    """Add to the counts of a run."""
    connection.execute(
        update(runs)
        .where(runs.c.id == run_id)
        .values(
            scored_count=runs.c.scored_count + scored_count,
            reused_count=runs.c.reused_count + reused_count,
        )
    )


def finish(connection: Connection, run_id: int) -> None:
    """Note when a run has seen all of its sources."""
    connection.execute(
        update(runs).where(runs.c.id == run_id).values(finished_at=datetime.now(UTC))
    )


def _remember(connection: Connection, profile: Profile) -> None:
    sections = asdict(profile)
    row = {
        "sha256": sections.pop("sha256"),
        "name": sections.pop("name"),
        "limits": sections,
    }
    connection.execute(upsert(profiles, "sha256", connection.dialect), [row])
