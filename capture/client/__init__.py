"""The Python client: typed, for programs with and without asyncio.

>>> with Client("localhost:50051") as client:                       # doctest: +SKIP
...     print(client.assess_image(Path("photo.jpg")).verdict)
ACCEPT
"""

from capture.client.aio import AsyncClient
from capture.client.errors import (
    AnswerTooLateError,
    JudgementFailedError,
    ServerError,
    ServerUnreachableError,
    WorkersLostError,
)
from capture.client.events import (
    DrainNotice,
    Event,
    InputRefused,
    PreviewSkipped,
    SessionStarted,
    StillFailed,
    StillJudged,
)
from capture.client.pictures import Picture
from capture.client.pipeline import PictureAnswer
from capture.client.session import AsyncSession
from capture.client.sync import Client, Session

__all__ = [
    "AnswerTooLateError",
    "AsyncClient",
    "AsyncSession",
    "Client",
    "DrainNotice",
    "Event",
    "InputRefused",
    "JudgementFailedError",
    "Picture",
    "PictureAnswer",
    "PreviewSkipped",
    "ServerError",
    "ServerUnreachableError",
    "Session",
    "SessionStarted",
    "StillFailed",
    "StillJudged",
    "WorkersLostError",
]
