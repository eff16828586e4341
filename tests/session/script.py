"""Scripted camera streams: what the measures of a preview would say, one call a frame."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace

import cv2
import numpy as np

from capture.gates.profile import Profile, load_profile
from capture.gates.stability import Stability
from capture.measure.gyro import GyroSample
from capture.measure.luma import LumaPlane
from capture.measure.motion import Motion, PreviewMeasures, PreviewPlane
from capture.session import ConvergenceState, PreviewFrame, Session, SessionConfig

FRAME_MS = 1000 / 30
STILL_WIDTH_PX = 4000
WIDTH_PX, HEIGHT_PX = 640, 480

DEFAULT = load_profile("default")
CONFIG = SessionConfig(
    exposure_time_s=1 / 60, still_width_px=STILL_WIDTH_PX, focal_length_px=3200.0
)


def scene(seed: int = 0) -> LumaPlane:
    """Draw the thumbnail of a scene."""
    coarse = np.random.default_rng(seed).integers(20, 235, (3, 4)).astype(np.uint8)
    return cv2.resize(coarse, (32, 24)).astype(np.uint8, copy=False)


@dataclass
class Camera:
    """Drives a session as a camera would, at 30 frames a second."""

    session: Session = field(default_factory=lambda: Session.start(CONFIG, DEFAULT))
    now_ms: float = 1000.0
    next_id: int = 1
    thumbnail: LumaPlane = field(default_factory=scene)
    width_px: int = WIDTH_PX

    @classmethod
    def with_profile(cls, profile: Profile, config: SessionConfig = CONFIG) -> Camera:
        """Open a session with other limits."""
        return cls(Session.start(config, profile))

    def frame(
        self,
        shift_px: Sequence[float] | None = (0.0, 0.0),
        *,
        after_ms: float = FRAME_MS,
        sharpness: float = 100.0,
        mean_luma: float = 110.0,
        exposure_time_s: float = 0.0,
        exposure_state: ConvergenceState = ConvergenceState.UNSPECIFIED,
        focus_state: ConvergenceState = ConvergenceState.UNSPECIFIED,
    ) -> Stability:
        """Send one preview whose content moved so far, None where nothing could be seen."""
        self.now_ms += after_ms
        return self.send(
            PreviewFrame(self.next_id, self.now_ms, exposure_time_s, exposure_state, focus_state),
            shift_px,
            sharpness=sharpness,
            mean_luma=mean_luma,
        )

    def send(
        self,
        frame: PreviewFrame,
        shift_px: Sequence[float] | None = (0.0, 0.0),
        *,
        sharpness: float = 100.0,
        mean_luma: float = 110.0,
    ) -> Stability:
        """Send a preview as it stands."""
        height_px = self.width_px * HEIGHT_PX // WIDTH_PX
        plane = PreviewPlane(np.zeros((240, 320), np.uint8), self.width_px, height_px)
        known = self.session.previous_plane
        motion = None
        if known is not None and known.source_width_px == self.width_px and shift_px is not None:
            motion = Motion(shift_px[0], shift_px[1], 0.0, 1.0, 48, 44, 4)
        measures = PreviewMeasures(plane, motion, sharpness, mean_luma, self.thumbnail)
        self.session, stability = self.session.observe_preview(frame, measures)
        self.next_id = max(self.next_id, frame.id) + 1
        return stability

    def hold(self, frame_count: int, shift_px: Sequence[float] = (0.0, 0.0)) -> list[Stability]:
        """Send frames that all moved alike."""
        return [self.frame(shift_px) for _ in range(frame_count)]

    def until_ready(self) -> Stability:
        """Hold still until READY."""
        for stability in (self.frame() for _ in range(60)):
            if stability.ready:
                return stability
        raise AssertionError("never READY")

    def turn(self, samples: Iterable[GyroSample]) -> None:
        """Send samples of the gyroscope."""
        self.session = self.session.with_motion_samples(samples)

    def gyro_frame(
        self,
        rate: Sequence[float],
        shift_px: Sequence[float] | None = (0.0, 0.0),
        *,
        step_ms: float = 5.0,
    ) -> Stability:
        """Send the samples of one frame's interval, all alike, and the frame."""
        times_ms = np.arange(self.now_ms + step_ms, self.now_ms + FRAME_MS + step_ms / 2, step_ms)
        x, y, z = rate
        self.turn(GyroSample(float(t), x, y, z) for t in times_ms)
        return self.frame(shift_px)


def profile_with(**limits: float) -> Profile:
    """Return the default profile with other limits of steadiness."""
    return replace(DEFAULT, steadiness=replace(DEFAULT.steadiness, **limits))  # type: ignore[arg-type]
