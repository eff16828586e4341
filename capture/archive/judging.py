"""What stored measures still answer, so that no picture is decoded twice in vain."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from capture.errors import UnreadableFileError, UnsupportedFormatError
from capture.gates.profile import Profile
from capture.gates.verdict import Verdict
from capture.images.extras import is_decoder_there_now
from capture.ledger.rows import OK, Row, judged_again
from inference.errors import JobTimeoutError, PoisonJobError

INTERNAL = "INTERNAL"
"""Status of a picture whose worker raised what it has no name for."""

WORKER_FAILED = frozenset([PoisonJobError.code, JobTimeoutError.code, INTERNAL])
"""Statuses that say more of the worker than of the picture."""


@dataclass(frozen=True, slots=True)
class Judging:
    """By what pictures are to be judged, and what stored rows say under it.

    Attributes
    ----------
    profile : Profile
        The limits.
    engine_version : str
        Version of this package; measures of another version are not trusted.
    classify : bool
        Whether accepted pictures need labels.
    retry_failed : bool
        Whether pictures that ended their workers are tried again.
    max_pixels_of : callable
        Maps the sha256 of a profile that rows were judged by to its ``max_pixels``, or
        to None where that is not known.
    """

    profile: Profile
    engine_version: str
    classify: bool
    retry_failed: bool
    max_pixels_of: Callable[[str], int | None]

    def of_stored(self, row: Row) -> Row | None:
        """Return what a row for the same bytes says here, or None if pixels are needed.

        The very same row comes back when it stands as it is.
        """
        if row["engine_version"] != self.engine_version:
            return None
        if row["status"] != OK:
            return self._of_failure(row)
        if row["profile_sha256"] != self.profile.sha256:
            if row["width_px"] * row["height_px"] > self.profile.size.max_pixels:
                return None  # the decoder has to refuse it now
            row = judged_again(row, self.profile)
        needs_labels = self.classify and row["verdict"] == Verdict.ACCEPT
        return None if needs_labels and row["labels"] is None else row

    def _of_failure(self, row: Row) -> Row | None:
        if row["status"] == UnreadableFileError.code:
            return None  # a share that was away, a permission since given
        if row["status"] == UnsupportedFormatError.code and is_decoder_there_now(row["error"]):
            return None
        if self.retry_failed and row["status"] in WORKER_FAILED:
            return None
        if row["profile_sha256"] == self.profile.sha256:
            return row
        # Of a profile, a decoder sees only how many pixels it lets through.
        if self.max_pixels_of(row["profile_sha256"]) != self.profile.size.max_pixels:
            return None
        return row | {"profile": self.profile.name, "profile_sha256": self.profile.sha256}
