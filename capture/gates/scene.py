"""Hold fire until the scene has changed, so that one thing is not shot ten times."""

from __future__ import annotations

from dataclasses import dataclass

from capture.measure.luma import LumaPlane
from capture.measure.motion import Motion, PreviewMeasures
from capture.measure.scene import changed_fraction


@dataclass(frozen=True, slots=True, eq=False)
class SceneGuard:
    """Whether the scene is the one just shot, folded over previews.

    Attributes
    ----------
    shot : LumaPlane or None
        Thumbnail of the scene that was shot; None while armed.
    newest : LumaPlane or None
        Thumbnail of the last preview.
    drift_x, drift_y : float
        Where the content has moved since the shot, in widths and heights of the preview.
    change : float
        How much of the scene has changed since the shot, in [0, 1].
    """

    shot: LumaPlane | None = None
    newest: LumaPlane | None = None
    drift_x: float = 0.0
    drift_y: float = 0.0
    change: float = 0.0

    @property
    def is_spent(self) -> bool:
        """Whether the scene is the one just shot."""
        return self.shot is not None

    def after_shot(self) -> SceneGuard:
        """Return the guard after a shot that was kept; without a preview there is nothing."""
        return SceneGuard(shot=self.newest, newest=self.newest)

    def observe(self, measures: PreviewMeasures, rearm_scene_change: float) -> SceneGuard:
        """Return the guard after one more preview.

        The scene has changed when enough of it left the picture, or was replaced within it;
        once it has, the guard stays open.
        """
        if self.shot is None:
            return SceneGuard(newest=measures.thumbnail)
        drift_x, drift_y = self._drift(measures.motion, measures)
        left = 1 - max(0.0, 1 - abs(drift_x)) * max(0.0, 1 - abs(drift_y))
        change = max(left, changed_fraction(self.shot, measures.thumbnail))
        if change >= rearm_scene_change:
            return SceneGuard(newest=measures.thumbnail)
        return SceneGuard(self.shot, measures.thumbnail, drift_x, drift_y, change)

    def _drift(self, motion: Motion | None, measures: PreviewMeasures) -> tuple[float, float]:
        if motion is None:
            return self.drift_x, self.drift_y
        return (
            self.drift_x + motion.dx_px / measures.plane.source_width_px,
            self.drift_y + motion.dy_px / measures.plane.source_height_px,
        )
