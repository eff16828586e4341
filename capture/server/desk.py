"""Where every still is judged, whichever way it came: one call, many, or a session."""

from __future__ import annotations

from collections.abc import Hashable

import structlog

from capture.errors import ProfileError
from capture.gates.profile import SHIPPED, Profile, load_profile
from capture.images import EncodedImage
from capture.jobs import StillJob, Unjudged
from capture.server.admission import JobKind
from capture.server.calls import Call
from capture.server.dispatch import Dispatcher, Order
from capture.server.status import Refusal, refusal_of
from capture.v1 import assessment_pb2, image_pb2, smart_capture_pb2
from capture.wire.enums import VERDICTS
from capture.wire.images import image_from_wire

_LOG = structlog.get_logger("capture.server")

DEFAULT_LABEL_COUNT = 5
_MAX_LABEL_COUNT = 100


class Profiles:
    """The profiles that a caller may name: those shipped, and the server's default.

    Parameters
    ----------
    default : str
        Name of a shipped profile, or path of a TOML file.

    Raises
    ------
    ProfileError
        If the default cannot be loaded.
    """

    def __init__(self, default: str) -> None:
        self.default = load_profile(default)
        self._by_name = {name: load_profile(name) for name in SHIPPED}
        self._by_name[self.default.name] = self.default

    def find(self, name: str) -> Profile:
        """Return a profile by name; the empty name is the default.

        Raises
        ------
        ProfileError
            If there is none. Nothing that a caller names is ever opened as a file.
        """
        if not name:
            return self.default
        try:
            return self._by_name[name]
        except KeyError:
            raise ProfileError(
                f"no profile {name[:80]!r}; there are {', '.join(sorted(self._by_name))}"
            ) from None


class StillDesk:
    """Takes a picture from the wire and answers with what is said of it.

    Parameters
    ----------
    dispatcher : Dispatcher
        The way to the workers.
    profiles : Profiles
        The limits that callers may name.
    """

    def __init__(self, dispatcher: Dispatcher, profiles: Profiles) -> None:
        self._dispatcher = dispatcher
        self._profiles = profiles

    async def judge(
        self,
        call: Call,
        image: image_pb2.Image,
        options: smart_capture_pb2.AssessmentOptions,
        *,
        caller: Hashable,
        is_counted: bool,
    ) -> assessment_pb2.Assessment | Refusal:
        """Judge one picture.

        Parameters
        ----------
        call : Call
            The call it came with, and its deadline.
        image : Image
            As it came.
        options : AssessmentOptions
            What to do with it.
        caller : hashable
            Who waits in turn with the others.
        is_counted : bool
            Whether the limit on waiting jobs applies.

        Returns
        -------
        Assessment or Refusal
            A refusal when it cannot be judged, by its own fault or by ours.
        """
        try:
            profile = self._profiles.find(options.profile)
            job = still_job(image_from_wire(image), profile, options)
            served = await self._dispatcher.run(
                Order(
                    caller=caller,
                    kind=JobKind.STILL,
                    byte_count=len(job.image.data),
                    make_job=lambda: job,
                    remaining_s=call.remaining_s,
                    is_counted=is_counted,
                )
            )
        except Exception as error:
            return call.refuse(error)
        if isinstance(served.answer, assessment_pb2.Assessment):
            _LOG.debug(
                "judged",
                verdict=VERDICTS.require(served.answer.verdict),
                queue_ms=round(1e3 * served.queue_s, 3),
                service_ms=round(1e3 * served.service_s, 3),
            )
            served.answer.times.queue_ms = 1e3 * served.queue_s
            return served.answer
        if isinstance(served.answer, Unjudged):
            return call.count(refusal_of(served.answer))
        return call.refuse(TypeError(f"a still was answered with {type(served.answer).__name__}"))


def still_job(
    image: EncodedImage, profile: Profile, options: smart_capture_pb2.AssessmentOptions
) -> StillJob:
    """Return the job of a worker for one still."""
    return StillJob(
        image=image,
        profile=profile,
        classify=not options.skip_classification,
        max_label_count=min(options.max_label_count or DEFAULT_LABEL_COUNT, _MAX_LABEL_COUNT),
        perceptual_hash=False,
    )
