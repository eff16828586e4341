"""Put into words what a person should do to get a steady shot."""

from __future__ import annotations

from capture.gates.stability import HintCode, Holds, StabilityState, SteadinessTerms

DARK_LUMA = 40.0
"""Mean luma below which light is what is missing."""

_SHUTTER_SPEEDS = (15, 30, 60, 125, 250, 500, 1000, 2000, 4000)
_FAR_ABOVE = 4.0


def guide(
    state: StabilityState,
    holds: Holds,
    terms: SteadinessTerms,
    *,
    predicted_blur_px: float | None,
    exposure_time_s: float,
    calm_ms: float,
    mean_luma: float,
    is_first: bool,
) -> tuple[HintCode, str]:
    """Choose one hint, as a code and as a sentence with its numbers.

    Parameters
    ----------
    state : StabilityState
        How steady the camera is.
    holds : Holds
        What else holds the shot back.
    terms : SteadinessTerms
        What the profile asks for.
    predicted_blur_px : float or None
        In pixels of the still; None when unknown.
    exposure_time_s : float
        Of the still.
    calm_ms : float
        How long it has been calm.
    mean_luma : float
        Of the preview, in [0, 255].
    is_first : bool
        Whether there was no preview to compare with.
    """
    is_dark = mean_luma < DARK_LUMA
    if predicted_blur_px is None:
        if is_first:
            return HintCode.KEEP_HOLDING, "keep holding: the first frames are being measured"
        if is_dark:
            return HintCode.MORE_LIGHT, "more light: it is too dark to see any movement"
        return (
            HintCode.NOTHING_TO_MEASURE,
            "nothing to measure here: hold still, and point at something with edges",
        )
    if state is StabilityState.READY:
        return HintCode.SHOOT, "shoot now"
    if state is StabilityState.SETTLING:
        return (
            HintCode.KEEP_HOLDING,
            f"keep holding: calm for {min(calm_ms, terms.dwell_ms):.0f} of {terms.dwell_ms:.0f} ms",
        )
    if predicted_blur_px > terms.max_blur_px or state is StabilityState.MOVING:
        return _calm_down(predicted_blur_px, terms.max_blur_px, exposure_time_s, is_dark)
    if holds.is_camera_searching:
        return HintCode.WAIT_FOR_CAMERA, "wait: the camera is still setting exposure or focus"
    if holds.is_scene_spent:
        return HintCode.CHANGE_SCENE, "this scene is done: point at something else"
    return HintCode.KEEP_HOLDING, f"keep holding: {predicted_blur_px:.1f} px is almost calm enough"


def _calm_down(
    blur_px: float, max_blur_px: float, exposure_time_s: float, is_dark: bool
) -> tuple[HintCode, str]:
    measured = f"{blur_px:.1f} px at {_shutter(exposure_time_s)}"
    if blur_px > _FAR_ABOVE * max_blur_px:
        return HintCode.HOLD_STILL, f"hold still: {measured}; {max_blur_px:.1f} are allowed"
    for denominator in _SHUTTER_SPEEDS:
        shorter_px = blur_px / exposure_time_s / denominator
        if shorter_px <= max_blur_px and 1 / denominator < 0.99 * exposure_time_s:
            cure = f"{measured}; at 1/{denominator} s it would be {shorter_px:.1f}"
            if is_dark:
                return HintCode.MORE_LIGHT, f"more light, for a shorter exposure: {cure}"
            return HintCode.BRACE_OR_SHORTEN, f"brace your arms: {cure}"
    return HintCode.HOLD_STILL, f"hold still: {measured}; {max_blur_px:.1f} are allowed"


def _shutter(exposure_time_s: float) -> str:
    if exposure_time_s >= 0.3:
        return f"{exposure_time_s:.1f} s"
    return f"1/{1 / exposure_time_s:.0f} s"
