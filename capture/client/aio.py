"""The client for asyncio; ``capture.client.sync`` is the same for programs without it."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterable, Iterable
from importlib import resources
from typing import TYPE_CHECKING

import grpc

from capture.assessment import Assessment
from capture.client.access import stub_of
from capture.client.answers import read_assessment
from capture.client.channel import Connected
from capture.client.errors import error_of_call
from capture.client.pictures import Picture, encoded_off_loop
from capture.client.pipeline import PictureAnswer, Pipeline
from capture.client.session import RECONNECT_FOR_S, AsyncSession
from capture.session import SessionConfig
from capture.v1 import smart_capture_pb2
from capture.wire.images import MAX_IMAGE_BYTES, image_to_wire

if TYPE_CHECKING:
    from capture.v1.smart_capture_pb2_grpc import SmartCaptureAsyncStub

DEFAULT_TARGET = "localhost:50051"

# gRPC's own retries wait as long as the server's pushback says (proposal A6).
_SERVICE_CONFIG = (resources.files("capture.client") / "service_config.json").read_text("utf-8")
_MESSAGE_BYTES = MAX_IMAGE_BYTES + (1 << 20)
_CHANNEL_OPTIONS = (
    ("grpc.max_send_message_length", _MESSAGE_BYTES),
    ("grpc.max_receive_message_length", _MESSAGE_BYTES),
    ("grpc.service_config", _SERVICE_CONFIG),
    # A line that went dead says nothing: ask, so that a session can come back over another.
    ("grpc.keepalive_time_ms", 20_000),
    ("grpc.keepalive_timeout_ms", 10_000),
    # A picture larger than this buffer would never be sent a second time.
    ("grpc.per_rpc_retry_buffer_size", _MESSAGE_BYTES),
)


class AsyncClient(Connected):
    """A client of one server; use it as an ``async with`` block.

    Parameters
    ----------
    target : str
        Where the server is, as ``host:port`` or any other name that gRPC resolves.
    credentials : grpc.ChannelCredentials, optional
        For TLS, see `grpc.ssl_channel_credentials`; without them the connection is plain.
    token : str, optional
        Shown to servers that ask for one. Whoever can read the connection can take it, so
        give it together with `credentials` unless the server is on this machine.
    timeout_s : float
        Time a single picture may take, waits and retries included.
    reconnect_for_s : float
        For how long a broken stream is tried again; 0 never.
    """

    def __init__(
        self,
        target: str = DEFAULT_TARGET,
        *,
        credentials: grpc.ChannelCredentials | None = None,
        token: str | None = None,
        timeout_s: float = 30.0,
        reconnect_for_s: float = RECONNECT_FOR_S,
    ) -> None:
        super().__init__(target, credentials, _CHANNEL_OPTIONS)
        self._token = token
        self._timeout_s = timeout_s
        self._reconnect_for_s = reconnect_for_s

    async def assess_image(
        self,
        picture: Picture,
        *,
        profile: str = "",
        classify: bool = True,
        max_label_count: int = 0,
        timeout_s: float | None = None,
    ) -> Assessment:
        """Judge one picture.

        Parameters
        ----------
        picture : Picture
            Bytes of a file, its path, or an array.
        profile : str
            Name of a profile that the server has; empty means its default.
        classify : bool
            Say what is in it when it is accepted.
        max_label_count : int
            Labels to return; 0 means 5.
        timeout_s : float, optional
            Instead of the client's.

        Raises
        ------
        ImageError
            If the picture cannot be judged.
        UnreadableFileError
            If the file cannot be read.
        OverloadedError
            If the server is too busy, even after the waits it asked for.
        AnswerTooLateError, ServerUnreachableError, JudgementFailedError
            If there is no answer.
        """
        request = smart_capture_pb2.AssessImageRequest(
            image=image_to_wire(await encoded_off_loop(picture)),
            options=_options(profile, classify, max_label_count),
        )
        try:
            response = await self._stub.AssessImage(
                request, timeout=self._timeout_s if timeout_s is None else timeout_s
            )
        except grpc.aio.AioRpcError as error:
            raise error_of_call(error) from error
        return read_assessment(response.assessment)

    def assess_images(
        self,
        pictures: Iterable[Picture] | AsyncIterable[Picture],
        *,
        profile: str = "",
        classify: bool = True,
        max_label_count: int = 0,
        max_in_flight: int = 8,
    ) -> AsyncGenerator[PictureAnswer, None]:
        """Judge many pictures over one stream; answers come as they are done.

        Parameters
        ----------
        pictures : iterable or async iterable of Picture
            Read only as fast as answers come.
        profile, classify, max_label_count
            As in `assess_image`.
        max_in_flight : int
            Pictures on their way at once, at least 1.

        Yields
        ------
        PictureAnswer
            One for every picture; a bad picture is an answer with an error.

        Raises
        ------
        ServerError
            If the server cannot be reached for too long.
        ValueError
            If `max_in_flight` is below 1; at once.
        """
        return Pipeline(
            self._stub,
            pictures,
            _options(profile, classify, max_label_count),
            max_in_flight=max_in_flight,
            reconnect_for_s=self._reconnect_for_s,
        ).answers()

    def session(
        self,
        *,
        profile: str = "",
        exposure_time_s: float = 0.0,
        still_width_px: int = 0,
        focal_length_px: float = 0.0,
        rolling_shutter_ms: float = 0.0,
        classify: bool = True,
        max_label_count: int = 0,
        resume_token: str = "",
    ) -> AsyncSession:
        """Return a camera session, to be used as an ``async with`` block.

        Parameters
        ----------
        profile, classify, max_label_count
            As in `assess_image`.
        exposure_time_s : float
            Exposure time of the still to come, in seconds; 0 means unknown.
        still_width_px : int
            Width of the still; 0 means that of the preview.
        focal_length_px : float
            Focal length in pixels of the still; 0 means unknown: no gyroscope is used.
        rolling_shutter_ms : float
            Time the sensor takes from its first row to its last; 0 means unknown.
        resume_token : str
            Token of a session that was cut off less than a minute ago.

        Raises
        ------
        SessionError
            If a number is negative or not finite.
        """
        config = SessionConfig(
            profile=profile,
            exposure_time_s=exposure_time_s,
            still_width_px=still_width_px,
            focal_length_px=focal_length_px,
            rolling_shutter_ms=rolling_shutter_ms,
            skip_classification=not classify,
            max_label_count=max_label_count,
            resume_token=resume_token,
        )
        return AsyncSession(self._stub, config, reconnect_for_s=self._reconnect_for_s)

    @property
    def _stub(self) -> SmartCaptureAsyncStub:
        return stub_of(self._channel, self._token)


def _options(
    profile: str, classify: bool, max_label_count: int
) -> smart_capture_pb2.AssessmentOptions:
    return smart_capture_pb2.AssessmentOptions(
        profile=profile, skip_classification=not classify, max_label_count=max_label_count
    )
