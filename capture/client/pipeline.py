"""Many pictures over one stream: several on their way at once, answers as they are done."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterable, AsyncIterator, Iterable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from capture.assessment import Assessment
from capture.client.answers import read_assessment
from capture.client.errors import JudgementFailedError, error_of
from capture.client.exchange import StreamCall, converse
from capture.client.pictures import Picture, encoded_off_loop
from capture.client.retries import Retries
from capture.errors import SmartCaptureError
from capture.v1 import smart_capture_pb2
from capture.wire.images import image_to_wire

if TYPE_CHECKING:
    from capture.v1.smart_capture_pb2_grpc import SmartCaptureAsyncStub

MAX_ATTEMPTS = 8


@dataclass(frozen=True, slots=True)
class PictureAnswer:
    """What became of one of many pictures.

    Attributes
    ----------
    index : int
        Its place among the pictures given, from 0.
    assessment : Assessment or None
        What is said of it.
    error : SmartCaptureError or None
        Why nothing is said of it; None when something is.
    """

    index: int
    assessment: Assessment | None
    error: SmartCaptureError | None


class Pipeline:
    """Sends pictures and yields answers; comes back when cut off, and sends again.

    Parameters
    ----------
    stub : SmartCaptureAsyncStub
        Where to call.
    pictures : iterable or async iterable of Picture
        Read as fast as answers come; a plain iterable is read in a thread.
    options : AssessmentOptions
        What to do with each.
    max_in_flight : int
        Pictures sent and not yet answered, at least 1.
    reconnect_for_s : float
        For how long to try to come back, in seconds.

    Raises
    ------
    ValueError
        If `max_in_flight` is below 1.
    """

    def __init__(
        self,
        stub: SmartCaptureAsyncStub,
        pictures: Iterable[Picture] | AsyncIterable[Picture],
        options: smart_capture_pb2.AssessmentOptions,
        *,
        max_in_flight: int,
        reconnect_for_s: float,
    ) -> None:
        if max_in_flight < 1:
            raise ValueError(f"max_in_flight must be at least 1, got {max_in_flight}")
        self._stub = stub
        self._pictures = _in_thread(pictures) if isinstance(pictures, Iterable) else pictures
        self._options = options
        self._reconnect_for_s = reconnect_for_s
        self._room = asyncio.Semaphore(max_in_flight)
        self._unanswered: dict[str, smart_capture_pb2.AssessImagesRequest] = {}
        self._to_send: asyncio.Queue[str | None] = asyncio.Queue()
        self._answers: asyncio.Queue[PictureAnswer | None] = asyncio.Queue()
        self._retries = Retries(self._send_again, MAX_ATTEMPTS)
        self._is_read = False

    async def answers(self) -> AsyncGenerator[PictureAnswer, None]:
        """Yield an answer for every picture.

        Raises
        ------
        SmartCaptureError
            If the server cannot be reached for too long, or refuses them all.
        """
        tasks = [asyncio.create_task(self._read_pictures()), asyncio.create_task(self._run())]
        for task in tasks:
            task.add_done_callback(self._note_failure)
        try:
            while (answer := await self._answers.get()) is not None:
                self._room.release()
                yield answer
            for task in tasks:
                if task.done():
                    task.result()
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    def _note_failure(self, task: asyncio.Task[None]) -> None:
        if not task.cancelled() and task.exception() is not None:
            self._answers.put_nowait(None)

    async def _read_pictures(self) -> None:
        index = 0
        async for picture in self._pictures:
            await self._room.acquire()
            try:
                image = image_to_wire(await encoded_off_loop(picture))
            except SmartCaptureError as error:
                self._answers.put_nowait(PictureAnswer(index, None, error))
            else:
                name = str(index)
                self._unanswered[name] = smart_capture_pb2.AssessImagesRequest(
                    id=name, image=image, options=self._options
                )
                self._to_send.put_nowait(name)
            index += 1
        self._is_read = True
        self._end_when_done()

    def _end_when_done(self) -> None:
        if self.is_done:
            self._to_send.put_nowait(None)

    async def _run(self) -> None:
        await converse(self, smart_capture_pb2.AssessImagesResponse, self._reconnect_for_s)
        self._answers.put_nowait(None)

    # ---- what `converse` asks for

    @property
    def is_done(self) -> bool:
        """Whether every picture is read and answered."""
        return self._is_read and not self._unanswered

    def open(self) -> StreamCall:
        """Open a stream."""
        return self._stub.AssessImages()

    def begin_anew(self) -> None:
        """Put every picture without an answer in line."""
        self._retries.stream_ended()
        self._to_send = asyncio.Queue()
        for name in self._unanswered:
            self._to_send.put_nowait(name)

    async def write(self, call: StreamCall) -> None:
        """Send pictures as they come."""
        while (name := await self._to_send.get()) is not None:
            await call.write(self._unanswered[name])
        await call.done_writing()

    def receive(self, response: smart_capture_pb2.AssessImagesResponse) -> None:
        """Note an answer, unless the picture is to be sent again."""
        name = response.id
        if name not in self._unanswered or self._retries.put_off(name, response.error):
            return
        del self._unanswered[name]
        self._answers.put_nowait(_answer(response))
        self._end_when_done()

    def _send_again(self, name: str) -> None:
        if name in self._unanswered:
            self._to_send.put_nowait(name)


def _answer(response: smart_capture_pb2.AssessImagesResponse) -> PictureAnswer:
    if response.HasField("error"):
        error = response.error
        failure = error_of(error.code, error.message, error.retry_after_ms)
        return PictureAnswer(int(response.id), None, failure)
    try:
        return PictureAnswer(int(response.id), read_assessment(response.assessment), None)
    except JudgementFailedError as unread:
        return PictureAnswer(int(response.id), None, unread)


async def _in_thread(pictures: Iterable[Picture]) -> AsyncIterator[Picture]:
    """Read a plain iterable without holding up the loop: it may read files."""
    iterator: Iterator[Picture] = iter(pictures)
    while (picture := await asyncio.to_thread(next, iterator, None)) is not None:
        yield picture
