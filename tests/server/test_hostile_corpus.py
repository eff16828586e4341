"""The hostile files of the development corpus, through every door of a running server."""

from __future__ import annotations

import asyncio
import os
from collections import Counter
from collections.abc import AsyncIterator
from pathlib import Path
from typing import TYPE_CHECKING

import grpc
import grpc.aio
import pytest

from capture.server.app import Server
from capture.server.status import STATUS_TABLE
from capture.v1 import image_pb2, smart_capture_pb2
from tests.server.cameras import Camera

if TYPE_CHECKING:
    from capture.v1.smart_capture_pb2_grpc import SmartCaptureAsyncStub

ROOT = Path(__file__).parents[2]
CORPUS = Path(os.environ.get("SMART_CAPTURE_CORPUS", ROOT.parent / "shared" / "corpus"))
FILES = sorted(file for file in CORPUS.glob("hostile_*/**/*") if file.is_file())

TYPED_CODES = {row.code for row in STATUS_TABLE.values() if row.tells}

pytestmark = [
    pytest.mark.asyncio(loop_scope="module"),
    pytest.mark.corpus,
    pytest.mark.timeout(600),
    pytest.mark.skipif(not FILES, reason=f"no hostile files below {CORPUS}"),
]


async def assess(stub: SmartCaptureAsyncStub, file: Path) -> str:
    request = smart_capture_pb2.AssessImageRequest(image=image_pb2.Image(data=file.read_bytes()))
    try:
        await stub.AssessImage(request, timeout=60)
    except grpc.aio.AioRpcError as error:
        metadata = dict(error.trailing_metadata() or ())
        return str(metadata.get("smart-capture-error-code", error.code()))
    return "judged"


def check(outcomes: list[str], server: Server) -> None:
    """Every file has a typed outcome, and no worker died of one."""
    counts = Counter(outcomes)
    assert set(counts) <= TYPED_CODES | {"judged"}, counts
    assert len(outcomes) == len(FILES)
    assert server.pool.statistics.death_count == 0
    assert server.pool.statistics.timeout_count == 0


async def test_each_is_answered_by_a_call(stub: SmartCaptureAsyncStub, server: Server) -> None:
    """Judged or refused by its code; never INTERNAL."""
    outcomes = []
    for start in range(0, len(FILES), 8):
        batch = [assess(stub, file) for file in FILES[start : start + 8]]
        outcomes += await asyncio.gather(*batch)
    check(outcomes, server)


async def test_each_is_answered_in_a_pipelined_stream(
    stub: SmartCaptureAsyncStub, server: Server
) -> None:
    """One stream survives them all."""

    async def pictures() -> AsyncIterator[smart_capture_pb2.AssessImagesRequest]:
        for number, file in enumerate(FILES):
            image = image_pb2.Image(data=file.read_bytes())
            yield smart_capture_pb2.AssessImagesRequest(id=str(number), image=image)

    answers = [answer async for answer in stub.AssessImages(pictures())]
    assert {answer.id for answer in answers} == {str(number) for number in range(len(FILES))}
    check([answer.error.code or "judged" for answer in answers], server)


async def test_each_is_answered_as_a_still(stub: SmartCaptureAsyncStub, server: Server) -> None:
    """One session survives them all, and answers in order."""
    session = Camera(stub)
    await session.open()

    async def shoot() -> None:
        for number, file in enumerate(FILES):
            await session.still(number, file.read_bytes())
        await session.call.done_writing()

    sending = asyncio.create_task(shoot())
    stills = [response.still for response in await session.rest()]
    await sending
    assert [still.still_id for still in stills] == list(range(len(FILES)))
    check([still.error.code or "judged" for still in stills], server)


async def test_each_is_answered_as_a_preview(
    stub: SmartCaptureAsyncStub, server: Server, burst: list[bytes]
) -> None:
    """One session survives them all, and a good frame is judged after every bad one."""
    session = Camera(stub)
    await session.open()
    outcomes = []
    for number, file in enumerate(FILES, start=1):
        await session.preview(2 * number, file.read_bytes())
        response = await session.receive()
        outcomes.append(response.error.error.code or "judged")
        await session.preview(2 * number + 1, burst[0])
        assert (await session.receive()).stability.preview_id == 2 * number + 1
    await session.finish()
    check(outcomes, server)
