"""Where camera sessions are opened, and closed when their streams have ended."""

from __future__ import annotations

from collections.abc import AsyncIterator

import structlog

from capture.errors import DrainingError, SessionError
from capture.server.access import caller_name
from capture.server.calls import Call, Drain, next_within
from capture.server.camera import CameraStream
from capture.server.desk import Profiles, StillDesk
from capture.server.dispatch import Dispatcher
from capture.server.resume import SessionShelf
from capture.server.stream_end import StreamEnd
from capture.v1 import session_pb2
from capture.wire.sessions import config_from_wire

FIRST_MESSAGE_TIMEOUT_S = 10.0

_LOG = structlog.get_logger("capture.server")


class CameraDesk:
    """Opens the session that a stream asks for, and has the stream serve it.

    Parameters
    ----------
    desk : StillDesk
        Judges stills.
    dispatcher : Dispatcher
        The way to the workers, for previews.
    profiles : Profiles
        The limits that clients may name.
    shelf : SessionShelf
        Where sessions are kept when their streams end.
    drain : Drain
        The end of the server.
    idle_timeout_s : float
        Time in which the next message must come, in seconds.
    """

    def __init__(
        self,
        desk: StillDesk,
        dispatcher: Dispatcher,
        profiles: Profiles,
        shelf: SessionShelf,
        drain: Drain,
        idle_timeout_s: float,
    ) -> None:
        self._desk = desk
        self._dispatcher = dispatcher
        self._profiles = profiles
        self._shelf = shelf
        self._drain = drain
        self._idle_timeout_s = idle_timeout_s

    async def serve(self, call: Call, requests: AsyncIterator[session_pb2.CaptureRequest]) -> None:
        """Guide the camera until its client, or the server, comes to an end.

        Raises
        ------
        SessionError
            If the first message is not a usable configuration.
        ProfileError
            If the configuration names a profile that is not there.
        IdleTimeoutError, InvalidMessageError
            If the client sends nothing for too long, or what is no message.
        DrainingError
            If the server takes no new sessions.
        """
        if self._drain.has_begun:
            raise DrainingError("going down: open the session with another server")
        first_within_s = min(FIRST_MESSAGE_TIMEOUT_S, self._idle_timeout_s)
        first = await next_within(requests, first_within_s)
        if first is None:
            return
        if first.WhichOneof("message") != "config":
            raise SessionError("the first message of a session must be its configuration")
        config = config_from_wire(first.config)
        profile = self._profiles.find(config.profile)
        end = StreamEnd()

        def give_up() -> None:
            end.come(SessionError("the session goes on in another stream"))

        opened = self._shelf.open(config, profile, caller_name(), give_up)
        stream = CameraStream(
            call,
            opened,
            end,
            self._desk,
            self._dispatcher,
            self._shelf,
            self._drain,
            self._idle_timeout_s,
        )
        call.metrics.session_opened()
        _LOG.info("session opened", resumed=opened.is_resumed, profile=profile.name)
        try:
            await stream.run(requests)
        finally:
            self._shelf.close(opened)
            call.metrics.session_closed()
            _LOG.info("session closed")
        if end.reason is not None:
            raise end.reason
