"""The tables of a ledger; what every column means stands in its comment.

A row of ``assessments`` is a picture at one place: its path, or ``archive.zip!member``.
Rows hold nothing that differs between two runs over the same files, such as durations,
so that ledgers can be compared row by row.
"""

from __future__ import annotations

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
)
from sqlalchemy.dialects.postgresql import JSONB

_JSON = JSON(none_as_null=True).with_variant(JSONB(none_as_null=True), "postgresql")
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
    Column("sources", _JSON, nullable=False, comment="as given on the command line"),
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

assessments = Table(
    "assessments",
    metadata,
    Column("path", Text, primary_key=True, comment="absolute; in an archive: archive!member"),
    Column("sha256", Text, index=True, comment="of the bytes; empty: they could not be read"),
    Column("size_bytes", BigInteger, comment="length of the file, bytes"),
    Column("mtime_ns", BigInteger, comment="when the file or its archive changed, Unix time in ns"),
    Column("status", Text, nullable=False, comment="ok, or the code of why it was not judged"),
    Column("error", Text, comment="why it was not judged, in words"),
    Column("verdict", Text, comment="ACCEPT, RETAKE or CANNOT_ASSESS"),
    Column("reason_codes", Text, nullable=False, comment="codes of the reasons, gravest first"),
    Column("reasons", _JSON, nullable=False, comment="each with value, limit, scalar and hint"),
    Column("width_px", Integer, comment="upright, px"),
    Column("height_px", Integer, comment="upright, px"),
    Column("blur_status", Text, comment="OK or CANNOT_ASSESS"),
    Column("blur_missing", Text, comment="which evidence was missing"),
    Column("blur_probability", Double, comment="that the sharpest part is blurred, 0 to 1"),
    Column("blur_kind", Text, comment="defocus or motion"),
    Column("blur_px", Double, comment="standard deviation of the point spread function, px"),
    Column("blur_px_at_reference", Double, comment="the same at a long edge of 1000 px, px"),
    Column("motion_extent_px", Double, comment="length of the movement, px"),
    Column("motion_angle_deg", Double, comment="from right towards down, degrees in [0, 180)"),
    Column("edge_count", Integer, comment="edges that spoke for the blur measure"),
    Column("exposure_status", Text, comment="OK or CANNOT_ASSESS"),
    Column("exposure_missing", Text, comment="which evidence was missing"),
    Column("exposure_offset_ev", Double, comment="from well exposed, stops; negative is dark"),
    Column("clipped_highlight_fraction", Double, comment="share of the pixels, 0 to 1"),
    Column("clipped_shadow_fraction", Double, comment="share of the pixels, 0 to 1"),
    Column("largest_clipped_highlight_fraction", Double, comment="largest connected share"),
    Column("largest_clipped_shadow_fraction", Double, comment="largest connected share"),
    Column("dynamic_range_stops", Double, comment="1st to 99th percentile of luminance, stops"),
    Column("noise_sigma", Double, comment="standard deviation, 8-bit luma levels"),
    Column("labels", _JSON, comment="what is in it, with probability, most probable first"),
    Column("model", Text, comment="classifier, name@version"),
    Column("tier", Text, comment="which tier of it answered"),
    Column("tier_reason", Text, comment="why that tier"),
    Column("decode", Text, comment="how the pixels were read"),
    Column("engine_version", Text, nullable=False, comment="version of this package"),
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

Index("ix_assessments_outcome", *(assessments.c[n] for n in ("status", "verdict", "reason_codes")))

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
