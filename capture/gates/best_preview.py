"""Keep in mind which of the last previews was the best."""

from __future__ import annotations

from dataclasses import dataclass

WINDOW_MS = 1000.0
_MAX_COUNT = 64


@dataclass(frozen=True, slots=True)
class Candidate:
    """One preview that may be the best.

    Attributes
    ----------
    preview_id : int
        Its id.
    at_ms : float
        When it was captured.
    merit : float
        Sharpness, less the steadier it was not; higher is better.
    """

    preview_id: int
    at_ms: float
    merit: float


@dataclass(frozen=True, slots=True)
class BestPreview:
    """The candidates of the last second, folded over previews."""

    candidates: tuple[Candidate, ...] = ()

    def observe(
        self, preview_id: int, at_ms: float, sharpness: float, blur_in_limits: float | None
    ) -> BestPreview:
        """Return the window after one more preview.

        Parameters
        ----------
        preview_id : int
            Its id.
        at_ms : float
            When it was captured.
        sharpness : float
            Of `PreviewMeasures`; comparable within one scene.
        blur_in_limits : float or None
            Blur its movement would cause, over the limit; None when unknown counts as 1.
        """
        merit = sharpness / (1 + (1.0 if blur_in_limits is None else blur_in_limits))
        newest = Candidate(preview_id, at_ms, merit)
        kept = tuple(c for c in self.candidates if 0 < at_ms - c.at_ms < WINDOW_MS)
        return BestPreview((*kept, newest)[-_MAX_COUNT:])

    @property
    def preview_id(self) -> int:
        """Id of the best preview; the later one of two that are as good."""
        return max(self.candidates, key=lambda c: (c.merit, c.at_ms)).preview_id
