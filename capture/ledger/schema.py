"""The tables of a ledger; what every column means stands in its comment.

A row of ``assessments`` is a picture at one place: its path, or ``archive.zip!member``.
Rows hold nothing that differs between two runs over the same files, such as durations,
so that ledgers can be compared row by row.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    Column,
    DateTime,
    Double,
    ForeignKey,
    Index,
    Integer,
    MetaData,
    Table,
    Text,
    literal_column,
)
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.types import TypeEngine

_JSON = JSON(none_as_null=True).with_variant(JSONB(none_as_null=True), "postgresql")
# In byte order everywhere: what begins alike lies together.
_PATH = Text().with_variant(Text(collation="C"), "postgresql")
# SQLite counts up by itself only in a column that is exactly INTEGER.
_ID = BigInteger().with_variant(Integer(), "sqlite")

metadata = MetaData()

ledger_version = Table(
    "ledger_version",
    metadata,
    Column("version", Integer, primary_key=True, comment="schema this ledger has been brought to"),
)

profiles = Table(
    "profiles",
    metadata,
    Column("sha256", Text, primary_key=True, comment="of the TOML file"),
    Column("name", Text, nullable=False, comment="as the file says"),
    Column("limits", _JSON, nullable=False, comment="sections and limits of the file"),
)

runs = Table(
    "runs",
    metadata,
    Column("id", _ID, primary_key=True, comment="counts up"),
    Column("started_at", DateTime(timezone=True), nullable=False, comment="UTC"),
    Column("finished_at", DateTime(timezone=True), comment="UTC; empty: stopped before the end"),
    Column("sources", _JSON, nullable=False, comment="absolute paths, patterns, URLs"),
    Column(
        "profile_sha256",
        Text,
        ForeignKey("profiles.sha256"),
        nullable=False,
        comment="hash of the limits, as in profiles",
    ),
    Column("engine_version", Text, nullable=False, comment="version of this package"),
    Column("classify", Boolean, nullable=False, comment="whether accepted pictures got labels"),
    Column("resume_count", Integer, nullable=False, comment="times it was taken up again"),
    Column("scored_count", BigInteger, nullable=False, comment="pictures decoded and measured"),
    Column(
        "reused_count",
        BigInteger,
        nullable=False,
        comment="pictures judged from the measures of the same bytes",
    ),
)

_WORDS = Text()
_COUNT = Integer()
_NUMBER: TypeEngine[float] = Double()


def _measure(
    name: str, kind: TypeEngine[Any], comment: str, unit: str | None = None
) -> Column[Any]:
    return Column(name, kind, comment=comment, info={"unit": unit} if unit else {})


assessments = Table(
    "assessments",
    metadata,
    Column("path", _PATH, primary_key=True, comment="absolute; in an archive: archive!member"),
    Column("sha256", Text, index=True, comment="of the bytes; empty: they could not be read"),
    _measure("size_bytes", BigInteger(), "length of the file", "byte"),
    _measure("mtime_ns", BigInteger(), "when the file or its archive changed, Unix time", "ns"),
    Column("status", Text, nullable=False, comment="ok, or the code of why it was not judged"),
    Column("error", Text, comment="why it was not judged, in words"),
    Column("verdict", Text, comment="ACCEPT, RETAKE or CANNOT_ASSESS"),
    Column("reason_codes", Text, nullable=False, comment="codes of the reasons, gravest first"),
    Column("reasons", _JSON, nullable=False, comment="each with value, limit, scalar and hint"),
    _measure("width_px", _COUNT, "of the upright picture", "px"),
    _measure("height_px", _COUNT, "of the upright picture", "px"),
    _measure("blur_status", _WORDS, "OK or CANNOT_ASSESS"),
    _measure("blur_missing", _WORDS, "which evidence was missing"),
    _measure("blur_probability", _NUMBER, "that the sharpest part is blurred, 0 to 1", "1"),
    _measure("blur_kind", _WORDS, "defocus or motion"),
    _measure("blur_px", _NUMBER, "standard deviation of the point spread function", "px"),
    _measure("blur_px_at_reference", _NUMBER, "the same at a long edge of 1000 px", "px"),
    _measure("motion_extent_px", _NUMBER, "length of the movement", "px"),
    _measure("motion_angle_deg", _NUMBER, "from right towards down, in [0, 180)", "degree"),
    _measure("edge_count", _COUNT, "edges that spoke for the blur measure", "1"),
    _measure("exposure_status", _WORDS, "OK or CANNOT_ASSESS"),
    _measure("exposure_missing", _WORDS, "which evidence was missing"),
    _measure("exposure_offset_ev", _NUMBER, "from well exposed; negative is dark", "stop"),
    _measure("clipped_highlight_fraction", _NUMBER, "share of the pixels, 0 to 1", "1"),
    _measure("clipped_shadow_fraction", _NUMBER, "share of the pixels, 0 to 1", "1"),
    _measure("largest_clipped_highlight_fraction", _NUMBER, "largest connected share", "1"),
    _measure("largest_clipped_shadow_fraction", _NUMBER, "largest connected share", "1"),
    _measure("dynamic_range_stops", _NUMBER, "1st to 99th percentile of luminance", "stop"),
    _measure("noise_sigma", _NUMBER, "standard deviation of the noise", "8-bit luma level"),
    _measure("perceptual_hash", _WORDS, "what it shows: 64 bits in hexadecimal"),
    _measure("captured_at", _WORDS, "by the camera's own clock, ISO 8601 without a time zone"),
    _measure("exposure_time_s", _NUMBER, "as EXIF says", "s"),
    _measure("f_number", _NUMBER, "as EXIF says", "1"),
    _measure("iso", _NUMBER, "as EXIF says", "1"),
    Column("labels", _JSON, comment="what is in it, with probability, most probable first"),
    Column("model", Text, comment="classifier, name@version"),
    Column("tier", Text, comment="which tier of it answered"),
    Column("tier_reason", Text, comment="why that tier"),
    Column("decode", Text, comment="how the pixels were read"),
    Column("engine_version", Text, nullable=False, comment="version of this package that judged"),
    Column("measures_version", Integer, comment="version of what was measured; empty: nothing"),
    Column("profile", Text, nullable=False, comment="name of the limits"),
    Column(
        "profile_sha256",
        Text,
        ForeignKey("profiles.sha256"),
        nullable=False,
        comment="hash of the limits, as in profiles",
    ),
    Column("run_id", _ID, ForeignKey("runs.id"), nullable=False, comment="run that wrote the row"),
)

# Only files of the same length can be the same bytes.
BY_SIZE = Index("ix_assessments_size", assessments.c.size_bytes)

# As a literal: an index of some rows serves those alone who ask in its own words.
IS_FAILURE = assessments.c.status != literal_column("'ok'")

# What a server counts outcomes by. A file keeps count of them, and such an index would be half
# of what it costs to judge all rows again.
Index(
    "ix_assessments_outcome", *(assessments.c[n] for n in ("status", "verdict", "reason_codes"))
).ddl_if("postgresql")
FAILURES = Index("ix_assessments_failures", assessments.c.status, sqlite_where=IS_FAILURE).ddl_if(
    "sqlite"
)

archives = Table(
    "archives",
    metadata,
    Column("path", _PATH, primary_key=True, comment="absolute, or a URL"),
    Column("size_bytes", BigInteger, comment="its length; empty: the server does not say"),
    Column("mtime_ns", BigInteger, nullable=False, comment="when it changed, Unix time"),
    Column("picture_count", BigInteger, nullable=False, comment="pictures found in it"),
)

labels = Table(
    "labels",
    metadata,
    Column("id", _ID, primary_key=True, comment="counts up"),
    Column("sha256", Text, nullable=False, index=True, comment="of the picture's bytes"),
    Column("path", Text, nullable=False, comment="where it lay when it was labelled"),
    Column("verdict", Text, nullable=False, comment="what the person says it should be"),
    Column("reason_code", Text, comment="what the person says is wrong with it"),
    Column("reviewer", Text, nullable=False, comment="who"),
    Column("note", Text, comment="free words"),
    Column("labelled_at", DateTime(timezone=True), nullable=False, comment="UTC"),
)
