"""A run judges every picture once, survives what it meets, and goes on where it stopped."""

from __future__ import annotations

import hashlib
import io
import os
import shutil
import tarfile
import zipfile
from collections.abc import AsyncIterator, Iterator
from functools import partial
from pathlib import Path

import pytest

from capture import __version__
from capture.archive.engines import LocalEngine
from capture.archive.file_worker import build_file_worker
from capture.archive.judging import Judging
from capture.archive.pictures import FilePicture
from capture.archive.run import ArchiveRun
from capture.archive.sources import Sources
from capture.archive.tally import Effort, Tally
from capture.assess import assess_image
from capture.gates.profile import load_profile
from capture.images import EncodedImage
from capture.images.extras import decoder_missing
from capture.ledger.ledger import Ledger, open_ledger
from capture.ledger.rows import Row, row_of, row_of_unjudged
from capture.worker import WorkerConfig, build_worker
from inference.lanes import LanePool
from tests.archive.pictures import jpeg
from tests.archive.workers import (
    HANGS,
    KILLS,
    RAISES,
    build_blind_worker,
    build_hostile_worker,
)
from tests.images.raws import digital_negative

DEFAULT = load_profile("default")
STRICT = load_profile("strict")
WHERE = ("path", "sha256", "size_bytes", "mtime_ns", "run_id")


@pytest.fixture
async def engine() -> AsyncIterator[LocalEngine]:
    factory = partial(build_file_worker, partial(build_worker, WorkerConfig(classify=False)))
    pool = LanePool(factory, worker_count=2, job_timeout_s=30)
    async with LocalEngine(pool) as started:
        yield started


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Four pictures, of which two are the same bytes, and two that are none."""
    folder = tmp_path / "photos"
    folder.mkdir()
    for name, data in {
        "1.jpg": jpeg(1),
        "2.jpg": jpeg(2),
        "3.jpg": jpeg(3),
        "3_copy.jpg": jpeg(3),
        "broken.jpg": b"no picture",
        "empty.jpg": b"",
    }.items():
        (folder / name).write_bytes(data)
    return folder


async def score(
    ledger: Ledger,
    engine: LocalEngine,
    folder: Path,
    profile=DEFAULT,
    *,
    retry_failed: bool = False,
    stop_after: int | None = None,
    engine_version: str = __version__,
) -> Tally:
    run_id = ledger.begin_run([str(folder)], profile, engine_version, classify=False)
    judging = Judging(profile, engine_version, False, retry_failed, ledger.max_pixels_of)

    def stop_in_time(tally: Tally) -> None:
        if stop_after is not None and tally.seen_count >= stop_after:
            run.stop()

    run = ArchiveRun(ledger, engine, judging, run_id=run_id, on_progress=stop_in_time)
    tally = await run.score(Sources([str(folder)]).listing())
    assert run.is_complete == (ledger.runs()[0]["finished_at"] is not None)
    return tally


def rows_of(ledger: Ledger) -> dict[str, Row]:
    return {Path(row["path"]).name: row for row in ledger.rows()}


async def test_every_file_becomes_a_row(ledger: Ledger, engine: LocalEngine, folder: Path) -> None:
    """Good pictures have verdicts, bad ones the code of why not; nothing is left out."""
    tally = await score(ledger, engine, folder)
    rows = rows_of(ledger)
    assert {name: row["status"] for name, row in rows.items()} == {
        "1.jpg": "ok",
        "2.jpg": "ok",
        "3.jpg": "ok",
        "3_copy.jpg": "ok",
        "broken.jpg": "UNRECOGNIZED_FORMAT",
        "empty.jpg": "EMPTY",
    }
    assert all((row["verdict"] is None) == (row["status"] != "ok") for row in rows.values())
    assert tally.seen_count == 6


async def test_numbers_are_those_of_a_single_assessment(
    ledger: Ledger, engine: LocalEngine, folder: Path
) -> None:
    """A picture in the ledger reads to the bit as when it is judged alone."""
    await score(ledger, engine, folder)
    alone = row_of(assess_image(EncodedImage((folder / "1.jpg").read_bytes()), DEFAULT, None))
    stored = rows_of(ledger)["1.jpg"]
    assert stored == alone | {name: stored[name] for name in WHERE}


@pytest.mark.parametrize("kind", ["zip", "tar", "gztar"])
async def test_pictures_in_archives_read_as_on_disk(
    kind: str, ledger: Ledger, engine: LocalEngine, folder: Path, tmp_path: Path
) -> None:
    """Each member has the row of the file it was packed from, and a second pass opens none."""
    archives = tmp_path / "archives"
    packed = shutil.make_archive(str(archives / "photos"), kind, folder)
    await score(ledger, engine, archives)
    members = list(ledger.rows())
    assert [row["path"] for row in members] == [
        f"{packed}!{name}" for name in sorted(member_names(Path(packed)))
    ]
    with open_ledger(tmp_path / "folder.db") as whole:
        await score(whole, engine, folder)
        files = rows_of(whole)
    for row in members:
        file = files[Path(row["path"].rpartition("!")[2]).name]
        assert row | {"path": "", "mtime_ns": 0} == file | {"path": "", "mtime_ns": 0}
    assert (await score(ledger, engine, archives)).efforts == {Effort.UNCHANGED: 6}


def member_names(packed: Path) -> list[str]:
    """Names of the files in an archive, as its own tool lists them."""
    if packed.suffix == ".zip":
        with zipfile.ZipFile(packed) as opened:
            names = opened.namelist()
    else:
        with tarfile.open(packed) as opened:
            names = opened.getnames()
    return [name for name in names if name.endswith(".jpg")]


async def test_a_second_pass_scores_nothing(
    ledger: Ledger, engine: LocalEngine, folder: Path
) -> None:
    """What is unchanged is neither read nor written again."""
    await score(ledger, engine, folder)
    before = rows_of(ledger)
    tally = await score(ledger, engine, folder)
    assert tally.efforts == {Effort.UNCHANGED: 6}
    assert rows_of(ledger) == before


async def test_only_what_changed_is_scored_again(
    ledger: Ledger, engine: LocalEngine, folder: Path
) -> None:
    """A new and a changed file are scored; one merely touched or moved is recognised."""
    await score(ledger, engine, folder)
    (folder / "1.jpg").write_bytes(jpeg(11))
    (folder / "4.jpg").write_bytes(jpeg(4))
    os.utime(folder / "2.jpg", ns=(0, 0))
    (folder / "3_copy.jpg").rename(folder / "5.jpg")
    tally = await score(ledger, engine, folder)
    assert tally.efforts == {Effort.SCORED: 2, Effort.REUSED: 2, Effort.UNCHANGED: 3}
    assert rows_of(ledger)["2.jpg"]["mtime_ns"] == 0


async def test_a_stopped_run_goes_on_to_the_same_rows(
    ledger: Ledger, engine: LocalEngine, folder: Path, tmp_path: Path
) -> None:
    """Stopped after each picture in turn, a run ends with the rows of one that never was."""
    for number in range(20):
        (folder / f"more_{number}.jpg").write_bytes(jpeg(100 + number))
    passes = 0
    while (await score(ledger, engine, folder, stop_after=passes + 3)).seen_count < 26:
        passes += 1
    assert passes >= 1
    with open_ledger(tmp_path / "whole.db") as whole:
        await score(whole, engine, folder)
        assert list(whole.rows()) == list(ledger.rows())


async def test_another_profile_judges_stored_measures(
    ledger: Ledger, engine: LocalEngine, folder: Path, tmp_path: Path
) -> None:
    """No picture is opened, and the rows are those of a fresh run under that profile."""
    await score(ledger, engine, folder)
    tally = await score(ledger, engine, folder, STRICT)
    assert tally.efforts == {Effort.REUSED: 6}
    with open_ledger(tmp_path / "fresh.db") as fresh:
        await score(fresh, engine, folder, STRICT)
        again, anew = rows_of(ledger), rows_of(fresh)
        assert {name: row | {"run_id": 0} for name, row in again.items()} == {
            name: row | {"run_id": 0} for name, row in anew.items()
        }


async def test_a_newer_engine_judges_stored_measures(
    ledger: Ledger, engine: LocalEngine, folder: Path
) -> None:
    """Measures of the same version are not taken anew; what could not be judged is tried."""
    await score(ledger, engine, folder)
    before = rows_of(ledger)
    tally = await score(ledger, engine, folder, engine_version="99.0")
    assert tally.efforts == {Effort.REUSED: 4, Effort.SCORED: 2}
    after = rows_of(ledger)
    assert {row["engine_version"] for row in after.values()} == {"99.0"}
    run_id = after["1.jpg"]["run_id"]
    assert run_id != before["1.jpg"]["run_id"]
    judged = before["1.jpg"] | {"engine_version": "99.0", "run_id": run_id}
    assert after["1.jpg"] == judged


async def test_measures_of_another_version_are_taken_anew(
    ledger: Ledger, engine: LocalEngine, folder: Path
) -> None:
    """Whoever wrote them measured something else; no row is lost, and none is added."""
    await score(ledger, engine, folder)
    before = rows_of(ledger)
    with ledger.engine.begin() as connection:
        connection.exec_driver_sql(
            "UPDATE assessments SET measures_version = 0, blur_px = 1e9 WHERE status = 'ok'"
        )
    tally = await score(ledger, engine, folder)
    assert tally.efforts[Effort.UNCHANGED] == 2
    after = rows_of(ledger)
    assert {name: row | {"run_id": 0} for name, row in after.items()} == {
        name: row | {"run_id": 0} for name, row in before.items()
    }


def test_labels_stand_only_of_the_model_that_is_asked() -> None:
    """Another classifier labels accepted pictures again; the verdict does not need it."""
    row = row_of(assess_image(EncodedImage(jpeg(1)), DEFAULT, None))
    labelled = row | {"verdict": "ACCEPT", "labels": [], "model": "birds@1"}

    def stored(model: str | None, *, classify: bool = True) -> Row | None:
        judging = Judging(DEFAULT, __version__, classify, False, lambda _: None, model)
        return judging.of_stored(labelled)

    assert stored("birds@1") is labelled
    assert stored("birds@2") is None
    assert stored(None) is labelled
    assert stored("birds@2", classify=False) is labelled
    assert stored("birds@2") is None


async def test_a_picture_that_ends_its_workers_is_a_row(ledger: Ledger, folder: Path) -> None:
    """Killed twice: poison. Raised: internal. The others are judged."""
    (folder / "kills.jpg").write_bytes(KILLS)
    (folder / "raises.jpg").write_bytes(RAISES)
    pool = LanePool(build_hostile_worker, worker_count=2, job_timeout_s=30)
    async with LocalEngine(pool) as engine:
        await score(ledger, engine, folder)
        rows = rows_of(ledger)
        assert pool.statistics.death_count == 2
        assert rows["kills.jpg"]["status"] == "poison"
        assert rows["kills.jpg"]["sha256"] == hashlib.sha256(KILLS).hexdigest()
        assert rows["raises.jpg"]["status"] == "internal"
        assert "ZeroDivisionError" in rows["raises.jpg"]["error"]
        assert [rows[f"{n}.jpg"]["status"] for n in (1, 2, 3)] == ["ok"] * 3
        assert (await score(ledger, engine, folder)).efforts == {Effort.UNCHANGED: 8}
        again = await score(ledger, engine, folder, retry_failed=True)
        assert again.efforts == {Effort.UNCHANGED: 6, Effort.SCORED: 2}


async def test_a_picture_that_hangs_its_worker_is_a_row(ledger: Ledger, tmp_path: Path) -> None:
    """Past its time, and past it again when its bytes were sent: timeout, until the next run."""
    folder = tmp_path / "hanging"
    folder.mkdir()
    (folder / "hangs.jpg").write_bytes(HANGS)
    pool = LanePool(build_hostile_worker, worker_count=1, job_timeout_s=0.5)
    async with LocalEngine(pool) as engine:
        await score(ledger, engine, folder)
        assert rows_of(ledger)["hangs.jpg"]["status"] == "timeout"
        assert (await score(ledger, engine, folder)).efforts == {Effort.SCORED: 1}


async def test_workers_that_find_no_file_are_sent_its_bytes(
    ledger: Ledger, engine: LocalEngine, folder: Path, tmp_path: Path
) -> None:
    """As on another machine: the rows are the same."""
    await score(ledger, engine, folder)
    blind = LocalEngine(LanePool(build_blind_worker, worker_count=2, job_timeout_s=30))
    async with blind:
        with open_ledger(tmp_path / "blind.db") as other:
            await score(other, blind, folder)
            assert list(other.rows()) == list(ledger.rows())


async def test_a_file_that_changes_after_it_was_listed_is_what_was_read(
    ledger: Ledger, engine: LocalEngine, tmp_path: Path
) -> None:
    """Length, time and hash in its row are of the same bytes, so that the row stands."""
    file = tmp_path / "1.jpg"
    file.write_bytes(jpeg(1))

    def listing() -> Iterator[FilePicture]:
        yield FilePicture(str(file))
        file.write_bytes(jpeg(2, 96, 80))

    run_id = ledger.begin_run(["list"], DEFAULT, __version__, classify=False)
    judging = Judging(DEFAULT, __version__, False, False, ledger.max_pixels_of)
    run = ArchiveRun(ledger, engine, judging, run_id=run_id, on_progress=lambda _: None)
    await run.score(listing())
    (row,) = ledger.rows()
    data = file.read_bytes()
    assert (row["size_bytes"], row["sha256"]) == (len(data), hashlib.sha256(data).hexdigest())
    assert row["mtime_ns"] == file.stat().st_mtime_ns


async def test_of_two_members_of_one_name_the_last_one_counts(
    ledger: Ledger, engine: LocalEngine, tmp_path: Path
) -> None:
    """As for whoever unpacks the archive, and whichever of them takes longer to judge."""
    archive = tmp_path / "photos.tar"
    first, last = jpeg(1, 3200, 2400), jpeg(2, 96, 80)
    with tarfile.open(archive, "w") as opened:
        for number in range(4):
            for data in (first, last):
                member = tarfile.TarInfo(f"{number}.jpg")
                member.size = len(data)
                opened.addfile(member, io.BytesIO(data))
    await score(ledger, engine, archive)
    sha256 = hashlib.sha256(last).hexdigest()
    assert [row["sha256"] for row in ledger.rows()] == 4 * [sha256]


async def test_many_files_of_one_length_are_told_apart(
    ledger: Ledger, engine: LocalEngine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where more bytes are known than a worker can be told of, copies are still recognised."""
    folder = tmp_path / "photos"
    folder.mkdir()
    pictures = [jpeg(number, 96, 80) for number in range(4)]
    longest = max(map(len, pictures))
    for number, data in enumerate(pictures):
        (folder / f"{number}.jpg").write_bytes(data.ljust(longest, b"\0"))
    await score(ledger, engine, folder)
    for number in range(4):
        (folder / f"{number}.jpg").rename(folder / f"moved_{number}.jpg")
    for most in (1024, 2):
        monkeypatch.setattr("capture.archive.lookups.MAX_KNOWN_COUNT", most)
        with ledger.engine.begin() as connection:
            connection.exec_driver_sql("DELETE FROM assessments WHERE path LIKE '%moved%'")
        assert (await score(ledger, engine, folder)).efforts == {Effort.REUSED: 4}


async def test_a_file_that_could_not_be_read_is_tried_again(
    ledger: Ledger, engine: LocalEngine, folder: Path
) -> None:
    """A link to a share that was away is judged once the share is back."""
    (folder / "link.jpg").symlink_to(folder.parent / "share.jpg")
    await score(ledger, engine, folder)
    assert rows_of(ledger)["link.jpg"]["status"] == "UNREADABLE"
    (folder.parent / "share.jpg").write_bytes(jpeg(9))
    await score(ledger, engine, folder)
    assert rows_of(ledger)["link.jpg"]["status"] == "ok"


async def test_pictures_wait_for_the_extra_that_decodes_them(
    ledger: Ledger, engine: LocalEngine, folder: Path
) -> None:
    """Refused for want of a decoder, they are judged once it is installed, and only then."""
    pytest.importorskip("rawpy", reason="camera RAW needs the extra [raw]")
    raw = digital_negative(jpeg(1, 1200, 896), (1200, 896))
    (folder / "shot.dng").write_bytes(raw)
    await score(ledger, engine, folder)
    judged = rows_of(ledger)["shot.dng"]
    assert judged["status"] == "ok"
    assert judged["decode"].startswith("raw/libraw")
    where = {name: judged[name] for name in WHERE}
    for missing, efforts in (
        (str(decoder_missing("Camera RAW", "raw")), {Effort.UNCHANGED: 6, Effort.SCORED: 1}),
        ("Photoshop (PSD) is not decoded", {Effort.UNCHANGED: 7}),
    ):
        refused = row_of_unjudged("UNSUPPORTED_FORMAT", missing, DEFAULT, __version__)
        ledger.put(judged["run_id"], [refused | where])
        assert (await score(ledger, engine, folder)).efforts == efforts


async def test_sizes_and_times_beyond_any_column_are_rows(
    ledger: Ledger, engine: LocalEngine, tmp_path: Path
) -> None:
    """An archive says what it likes, and a file may be of the year 2300: no run ends by it."""
    (tmp_path / "late.jpg").write_bytes(jpeg(1))
    os.utime(tmp_path / "late.jpg", (10_413_792_000, 10_413_792_000))
    huge, small = tarfile.TarInfo("huge.jpg"), tarfile.TarInfo("small.jpg")
    huge.size, small.size = 1 << 70, 512
    with (tmp_path / "shard.tar").open("wb") as shard:
        for info in (small, huge):
            shard.write(info.tobuf(tarfile.GNU_FORMAT) + bytes(512))
    await score(ledger, engine, tmp_path)
    rows = rows_of(ledger)
    assert rows["late.jpg"]["verdict"] is not None
    assert rows["shard.tar!huge.jpg"]["status"] == "TOO_LARGE"
    assert rows["shard.tar!huge.jpg"]["size_bytes"] == (1 << 63) - 1
    assert rows["shard.tar"]["status"] == "UNREADABLE"


async def test_what_can_be_read_again_loses_its_row_of_failure(
    ledger: Ledger, engine: LocalEngine, folder: Path
) -> None:
    """An archive that was cut, and is whole now, leaves the rows of its members only."""
    packed = Path(shutil.make_archive(str(folder / "more"), "zip", folder))
    whole = packed.read_bytes()
    packed.write_bytes(whole[: len(whole) // 2])
    await score(ledger, engine, folder)
    assert rows_of(ledger)["more.zip"]["status"] == "UNREADABLE"
    packed.write_bytes(whole)
    await score(ledger, engine, folder)
    assert "more.zip" not in rows_of(ledger)
    assert "more.zip!1.jpg" in rows_of(ledger)


async def test_the_engine_starts_no_worker_in_vain(ledger: Ledger, folder: Path) -> None:
    """When every row stands, no process is started."""
    pool = LanePool(build_hostile_worker, worker_count=1, job_timeout_s=10)
    async with LocalEngine(pool) as engine:
        for file in folder.iterdir():
            file.unlink()
        await score(ledger, engine, folder)
        assert pool.worker_pids == ()
