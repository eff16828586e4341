"""What a session still has to send: stills never lost, motion in order, the newest preview."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Iterable

from capture.errors import OverloadedError
from capture.measure.gyro import GyroSample
from capture.v1 import session_pb2
from capture.wire.sessions import sample_to_wire

MAX_UNANSWERED_STILLS = 16
MAX_WAITING_SAMPLES = 8192
"""About 20 s of a 400 Hz gyroscope, for a connection that is away."""


class Outbox:
    """Requests that wait to be sent, in the order in which they should go.

    Stills go before previews and are kept until they are answered. Motion samples go before
    the preview that follows them. Of the previews only the newest waits.
    """

    def __init__(self) -> None:
        self._unanswered: dict[int, session_pb2.CaptureRequest] = {}
        self._stills: deque[int] = deque()
        self._samples: deque[session_pb2.MotionSample] = deque(maxlen=MAX_WAITING_SAMPLES)
        self._preview: session_pb2.Preview | None = None
        self._unanswered_previews: set[int] = set()
        self._is_closed = False
        self._changed = asyncio.Event()

    @property
    def is_done(self) -> bool:
        """Whether it is closed and every still is answered."""
        return self._is_closed and not self._unanswered

    def put_still(self, still: session_pb2.Still) -> None:
        """Add a still.

        Raises
        ------
        OverloadedError
            If too many stills wait for their verdicts.
        """
        if len(self._unanswered) >= MAX_UNANSWERED_STILLS:
            raise OverloadedError(
                f"{len(self._unanswered)} stills wait for their verdicts", retry_after_ms=500
            )
        self._unanswered[still.id] = session_pb2.CaptureRequest(still=still)
        self.send_still_again(still.id)

    def send_still_again(self, still_id: int) -> None:
        """Put a still that was not answered at the end of the line."""
        if still_id in self._unanswered and still_id not in self._stills:
            self._stills.append(still_id)
            self._changed.set()

    def drop_still(self, still_id: int) -> None:
        """Forget a still: it was answered, or given up."""
        self._unanswered.pop(still_id, None)
        if still_id in self._stills:
            self._stills.remove(still_id)
        self._changed.set()

    def put_samples(self, samples: Iterable[GyroSample]) -> None:
        """Add motion samples; of too many the oldest go."""
        self._samples.extend(sample_to_wire(sample) for sample in samples)
        self._changed.set()

    def put_preview(self, preview: session_pb2.Preview) -> int | None:
        """Let `preview` wait, and return the id of the one that it takes the place of."""
        passed_over = self._preview.id if self._preview is not None else None
        if passed_over is not None:
            self._unanswered_previews.discard(passed_over)
        self._unanswered_previews.add(preview.id)
        self._preview = preview
        self._changed.set()
        return passed_over

    def preview_answered(self, preview_id: int) -> None:
        """Forget a preview: the server has said something of it."""
        self._unanswered_previews.discard(preview_id)

    def connection_lost(self) -> list[int]:
        """Begin anew with every still without a verdict; return the previews that are lost."""
        self._stills = deque(self._unanswered)
        waiting = set() if self._preview is None else {self._preview.id}
        lost = sorted(self._unanswered_previews - waiting)
        self._unanswered_previews = waiting
        self._changed.set()
        return lost

    def close(self) -> None:
        """Let `take` return None once every still is answered."""
        self._is_closed = True
        self._changed.set()

    async def take(self) -> session_pb2.CaptureRequest | None:
        """Wait for the next request; None when there will be no more."""
        while (request := self._next()) is None:
            if self.is_done:
                return None
            self._changed.clear()
            await self._changed.wait()
        return request

    def _next(self) -> session_pb2.CaptureRequest | None:
        if self._stills:
            return self._unanswered[self._stills.popleft()]
        if self._samples:
            samples = session_pb2.MotionSamples(samples=self._samples)
            self._samples.clear()
            return session_pb2.CaptureRequest(motion=samples)
        if self._preview is not None:
            preview, self._preview = self._preview, None
            return session_pb2.CaptureRequest(preview=preview)
        return None
