"""A worker that is given a path reads what was listed there, and nothing else."""

from __future__ import annotations

import hashlib
import os
import tarfile
from dataclasses import replace
from pathlib import Path

import pytest

from capture.archive.file_worker import FileAnswer, FileJob, FileWorker, NotRead
from capture.archive.members import TarMember
from capture.archive.pictures import FilePicture, Stamp
from capture.assess import assess_image
from capture.assessment import record_of
from capture.gates.profile import load_profile
from capture.images import EncodedImage
from capture.jobs import StillJob, Unjudged
from capture.worker import WorkerConfig, build_worker
from tests.archive.pictures import jpeg

DEFAULT = load_profile("default")
DATA = jpeg(1)
SHA256 = hashlib.sha256(DATA).hexdigest()


@pytest.fixture(scope="module")
def worker() -> FileWorker:
    return FileWorker(build_worker(WorkerConfig(classify=False)))


@pytest.fixture
def file(tmp_path: Path) -> Path:
    file = tmp_path / "1.jpg"
    file.write_bytes(DATA)
    return file


def job_for(picture: FilePicture | TarMember) -> FileJob:
    return FileJob(picture, picture.stamp(), frozenset(), DEFAULT, False)


def test_a_path_is_judged_as_its_bytes_are(worker: FileWorker, file: Path) -> None:
    """The hash is that of the file, and the record that of the picture alone."""
    found = worker(job_for(FilePicture(str(file))))
    assert isinstance(found, FileAnswer)
    assert found.sha256 == SHA256
    alone = assess_image(EncodedImage(DATA), DEFAULT, None)
    assert record_of("", found.answer) == record_of("", alone)


def test_a_member_of_a_tar_is_read_where_it_lies(worker: FileWorker, tmp_path: Path) -> None:
    """Only its part of the shard is read."""
    shard = tmp_path / "shard.tar"
    with tarfile.open(shard, "w") as opened:
        for number in (1, 2):
            (tmp_path / f"{number}.jpg").write_bytes(jpeg(number))
            opened.add(tmp_path / f"{number}.jpg", f"{number}.jpg")
    with tarfile.open(shard) as opened:
        info = opened.getmember("2.jpg")
    changed_at = shard.stat().st_mtime_ns
    member = TarMember(str(shard), "2.jpg", info.offset_data, info.size, changed_at)
    found = worker(job_for(member))
    assert isinstance(found, FileAnswer)
    assert found.sha256 == hashlib.sha256(jpeg(2)).hexdigest()
    os.utime(shard, ns=(0, changed_at + 1))
    assert worker(job_for(member)) == NotRead()


def test_known_bytes_are_not_judged(worker: FileWorker, file: Path) -> None:
    """Stored measures answer for them."""
    job = replace(job_for(FilePicture(str(file))), known=frozenset([SHA256]))
    assert worker(job) == FileAnswer(SHA256, None)


def test_bytes_that_are_no_picture_are_an_answer(worker: FileWorker, file: Path) -> None:
    """With their hash, so that they are known the next time."""
    file.write_bytes(b"no picture")
    found = worker(job_for(FilePicture(str(file))))
    assert isinstance(found, FileAnswer)
    assert isinstance(found.answer, Unjudged)
    assert found.answer.code == "UNRECOGNIZED_FORMAT"


@pytest.mark.parametrize("change", ["longer", "touched", "gone", "pipe"])
def test_what_is_not_as_listed_is_left_to_the_front(
    change: str, worker: FileWorker, file: Path
) -> None:
    """On another machine something else may lie there; a pipe would be waited for."""
    job = job_for(FilePicture(str(file)))
    if change == "longer":
        file.write_bytes(DATA + b"more")
        os.utime(file, ns=(0, job.stamp.mtime_ns or 0))
    elif change == "touched":
        os.utime(file, ns=(0, 0))
    else:
        file.unlink()
        if change == "pipe":
            os.mkfifo(file)
    assert worker(job) == NotRead()


def test_a_file_that_grows_while_it_is_read_is_left_to_the_front(
    worker: FileWorker, file: Path
) -> None:
    """No more is read than was listed: here, as if all but one byte came after the look."""

    class StillGrowing(FilePicture):
        def is_still(self, stamp: Stamp) -> bool:
            return stamp is not None

    job = replace(job_for(FilePicture(str(file))), picture=StillGrowing(str(file)))
    assert worker(replace(job, stamp=replace(job.stamp, size_bytes=1))) == NotRead()


def test_jobs_with_bytes_are_done_as_ever(worker: FileWorker) -> None:
    """The worker within does them."""
    found = worker(StillJob(EncodedImage(DATA), DEFAULT, False))
    alone = assess_image(EncodedImage(DATA), DEFAULT, None)
    assert record_of("", found) == record_of("", alone)
