"""What stored measures still answer, so that no picture is decoded twice in vain."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from capture.errors import UnreadableFileError, UnsupportedFormatError
from capture.gates.profile import Profile
from capture.gates.verdict import Verdict
from capture.images.extras import is_decoder_there_now
from capture.ledger.rejudging import Judgement, Standing, judgements_of
from capture.ledger.rows import OK, Row, judged_again
from capture.measure.measures import MEASURES_VERSION

POISON, TIMEOUT, INTERNAL = "poison", "timeout", "internal"
"""Statuses of a picture that killed its worker twice, hung it, or made it raise.

They say more of the worker than of the picture: in lower case, as ``ok`` is.
"""

# A disk that hung, a share that was away, a permission since given: no run is stuck with it.
_PASSING = frozenset([TIMEOUT, UnreadableFileError.code])
_ENDED_WORKER = frozenset([POISON, INTERNAL])


@dataclass(frozen=True, slots=True)
class Judging:
    """By what pictures are to be judged, and what stored rows say under it.

    Attributes
    ----------
    profile : Profile
        The limits.
    engine_version : str
        Version of this package. A newer one judges stored measures again as long as their
        own version is the same, and tries again what an older one could not judge.
    classify : bool
        Whether accepted pictures need labels.
    retry_failed : bool
        Whether pictures that ended their workers are tried again.
    max_pixels_of : callable
        Maps the sha256 of a profile that rows were judged by to its ``max_pixels``, or
        to None where that is not known.
    model : str or None
        The classifier, ``name@version``: labels of another one do not stand. None: any does.
    """

    profile: Profile
    engine_version: str
    classify: bool
    retry_failed: bool
    max_pixels_of: Callable[[str], int | None]
    model: str | None = None

    def of_stored(self, row: Row) -> Row | None:
        """Return what a row for the same bytes says here, or None if pixels are needed.

        The very same row comes back when it stands as it is.
        """
        if row["status"] != OK:
            return self._of_failure(row)
        if not self._is_measured(row["measures_version"], row["width_px"], row["height_px"]):
            return None
        if not self._is_judged(row["engine_version"], row["profile_sha256"]):
            row = judged_again(row, self.profile, self.engine_version)
        return None if self._lacks_labels(row["verdict"], row["model"]) else row

    def of_standing(self, rows: Sequence[Standing]) -> list[Standing | Judgement | None]:
        """Say of many rows what `of_stored` says of each, judged together.

        Of a row that is judged again comes what was decided.
        """
        found: list[Standing | Judgement | None] = []
        again: list[int] = []
        for n, row in enumerate(rows):
            stands: Standing | Judgement | None = None
            if row.status != OK:
                as_row = row._asdict()
                if (failure := self._of_failure(as_row)) is not None:
                    stands = row if failure is as_row else Judgement(row.path, None, "", "[]")
            elif self._is_measured(row.measures_version, row.width_px, row.height_px):
                if not self._is_judged(row.engine_version, row.profile_sha256):
                    again.append(n)
                elif not self._lacks_labels(row.verdict, row.model):
                    stands = row
            found.append(stands)
        judged = judgements_of([rows[n] for n in again], self.profile)
        for n, judgement in zip(again, judged, strict=True):
            if not self._lacks_labels(judgement.verdict, rows[n].model):
                found[n] = judgement
        return found

    def _is_measured(self, version: int | None, width_px: int, height_px: int) -> bool:
        """Say whether its measures can be judged; too large a picture the decoder refuses."""
        is_current = version == MEASURES_VERSION
        return is_current and width_px * height_px <= self.profile.size.max_pixels

    def _is_judged(self, engine_version: str, profile_sha256: str) -> bool:
        return (engine_version, profile_sha256) == (self.engine_version, self.profile.sha256)

    def _lacks_labels(self, verdict: str | None, model: str | None) -> bool:
        if not self.classify or verdict != Verdict.ACCEPT:
            return False
        return model is None or self.model not in (None, model)

    def _of_failure(self, row: Row) -> Row | None:
        if row["engine_version"] != self.engine_version:
            return None  # it may be able to by now
        if row["status"] in _PASSING:
            return None
        if row["status"] == UnsupportedFormatError.code and is_decoder_there_now(row["error"]):
            return None
        if self.retry_failed and row["status"] in _ENDED_WORKER:
            return None
        if row["profile_sha256"] == self.profile.sha256:
            return row
        # Of a profile, a decoder sees only how many pixels it lets through.
        if self.max_pixels_of(row["profile_sha256"]) != self.profile.size.max_pixels:
            return None
        return row | {
            "reason_codes": "",
            "reasons": [],
            "profile": self.profile.name,
            "profile_sha256": self.profile.sha256,
        }
