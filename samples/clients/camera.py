"""Guide a webcam, or play a video file, and judge a shot whenever the camera is ready.

    python samples/clients/camera.py                    the first webcam
    python samples/clients/camera.py clip.mp4           a video file
    python samples/clients/camera.py clip.mp4 --headless --frames 100

Start a server first: ``smart-capture serve``. Keys: space shoots by hand, q or Esc ends.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Iterator
from itertools import count
from typing import Any

import cv2
from numpy.typing import NDArray

from capture.client import Client, StillJudged
from capture.drawing import AMBER, BOLD, GREEN, INK, PAPER, RED, VERDICT_COLORS, Box, Canvas
from capture.errors import SmartCaptureError
from capture.gates.stability import Stability, StabilityState

Frame = NDArray[Any]
"""(H, W, 3) uint8 BGR."""

PREVIEW_WIDTH_PX = 640
VERDICT_SHOWN_S = 2.5
WINDOW = "Smart Capture"
END_KEYS = (ord("q"), 27)
STATE_COLORS = {StabilityState.MOVING: RED, StabilityState.READY: GREEN}


def main() -> None:
    """Run until the video ends or a key ends it."""
    arguments = parse()
    with (
        Client(arguments.target) as client,
        client.session(profile=arguments.profile, exposure_time_s=arguments.exposure_s) as session,
    ):
        shot: StillJudged | None = None
        shot_at_s = 0.0
        for at_ms, frame in frames(arguments):
            guidance = session.judge_preview(reduced(frame), captured_at_ms=at_ms)
            if guidance is None:  # passed over while the connection was away
                continue
            key = None
            if not arguments.headless:
                is_fresh = time.monotonic() - shot_at_s < VERDICT_SHOWN_S
                key = show(frame, guidance, shot if is_fresh else None)
            if key in END_KEYS:
                break
            if guidance.ready or key == ord(" "):
                shot, shot_at_s = session.judge_still(frame), time.monotonic()
                tell(guidance, shot)
            else:
                tell(guidance, None)


def parse() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("source", nargs="?", default="0", help="number of a webcam, or a video")
    parser.add_argument("--target", default="localhost:50051", help="where the server is")
    parser.add_argument("--profile", default="", help="limits; the server's default if not given")
    parser.add_argument("--exposure-s", type=float, default=1 / 60, help="exposure of a shot")
    parser.add_argument("--frames", type=int, help="end after so many frames")
    parser.add_argument("--headless", action="store_true", help="print only, show no window")
    return parser.parse_args()


def frames(arguments: argparse.Namespace) -> Iterator[tuple[float, Frame]]:
    """Yield frames with the time at which they were captured, in milliseconds."""
    source: str = arguments.source
    is_webcam = source.isdecimal()
    capture = cv2.VideoCapture(int(source)) if is_webcam else cv2.VideoCapture(source)
    if not capture.isOpened():
        raise SystemExit(f"cannot open {source}")
    started_s = time.monotonic()
    for _ in range(arguments.frames) if arguments.frames else count():
        taken, frame = capture.read()
        if not taken:
            break
        at_s = time.monotonic() - started_s
        if not is_webcam:
            file_s = capture.get(cv2.CAP_PROP_POS_MSEC) / 1000
            if not arguments.headless:
                time.sleep(max(0.0, file_s - at_s))
            at_s = file_s
        yield 1000 * at_s, frame
    capture.release()


def reduced(frame: Frame) -> Frame:
    """Reduce a frame to the width that is enough for a preview."""
    scale = PREVIEW_WIDTH_PX / frame.shape[1]
    if scale >= 1:
        return frame
    return cv2.resize(frame, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)


def tell(guidance: Stability, shot: StillJudged | None) -> None:
    """Print one line per frame."""
    blur = guidance.predicted_blur_px
    verdict = f"  {shot.assessment.verdict}" if shot else ""
    print(
        f"{guidance.captured_at_ms:9.0f} ms  {guidance.state:<8}  "
        f"{'-' if blur is None else format(blur, '.2f'):>6} px  {guidance.hint}{verdict}",
        flush=True,
    )


def show(frame: Frame, guidance: Stability, shot: StillJudged | None) -> int:
    """Draw the frame with what is said of it, and return the key that was pressed."""
    cv2.imshow(WINDOW, overlay(frame, guidance, shot))
    return cv2.waitKey(1) & 0xFF


def overlay(frame: Frame, guidance: Stability, shot: StillJudged | None) -> Frame:
    """Return the frame with a bar of the blur to come, the hint, and the last verdict."""
    height, width = frame.shape[:2]
    canvas = Canvas(width, height)
    canvas.pixels[:] = frame
    color = STATE_COLORS.get(guidance.state, AMBER)
    canvas.fill(Box(0, height - 76, width, 76), INK, opacity=0.7)
    canvas.text(guidance.state, 20, height - 44, size=24, color=color, weight=BOLD)
    canvas.text(guidance.hint, 20, height - 18, size=18, color=PAPER)
    # The limit stands in the middle of the bar.
    share = min((guidance.predicted_blur_px or 0.0) / guidance.max_predicted_blur_px / 2, 1.0)
    bar = Box(width - 240, height - 60, 220, 16)
    canvas.fill(Box(bar.x, bar.y, max(1, round(share * bar.width)), bar.height), color)
    canvas.frame(bar, PAPER)
    canvas.fill(Box(bar.x + bar.width // 2, bar.y - 4, 2, bar.height + 8), PAPER)
    if shot is not None:
        assessment = shot.assessment
        what = assessment.reasons[0].hint if assessment.reasons else ""
        if assessment.prediction:
            what = assessment.prediction.labels[0].label
        canvas.fill(Box(0, 0, width, 52), VERDICT_COLORS[assessment.verdict], opacity=0.85)
        canvas.text(f"{assessment.verdict}: {what}", 20, 34, size=22, color=PAPER, weight=BOLD)
    return canvas.pixels


if __name__ == "__main__":
    try:
        main()
    except SmartCaptureError as error:
        raise SystemExit(f"camera.py: {error}") from None
