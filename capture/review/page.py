"""Write the findings of a ledger as one HTML page that needs no network."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from html import escape
from importlib import resources
from string import Template

from capture.errors import ImageError, SmartCaptureError
from capture.gates.verdict import ReasonCode
from capture.ledger.rows import Row
from capture.review.charts import CLASS_WORDS, CLASSES, histogram
from capture.review.figures import Gallery
from capture.review.findings import Distribution, Failure, Findings, FolderCount, ReasonCount
from capture.review.groups import Grouping, groups_section
from inference.errors import InferenceError

REASON_WORDS = {
    ReasonCode.DEFOCUS_BLUR: "Out of focus",
    ReasonCode.MOTION_BLUR: "Moved during the exposure",
    ReasonCode.UNDEREXPOSED: "Too dark",
    ReasonCode.OVEREXPOSED: "Too bright",
    ReasonCode.HIGHLIGHTS_CLIPPED: "Burnt highlights",
    ReasonCode.SHADOWS_CLIPPED: "Drowned shadows",
    ReasonCode.LOW_DYNAMIC_RANGE: "Flat: fog, haze or a dirty lens",
    ReasonCode.NOISY: "Noisy",
    ReasonCode.TOO_SMALL: "Too small",
    ReasonCode.TOO_FEW_EDGES: "Nothing with edges in it",
    ReasonCode.TOO_DARK: "Too dark to judge sharpness",
}
MAJORITY = 0.5


def write_page(
    findings: Findings,
    gallery: Gallery,
    grouping: Grouping | None = None,
    *,
    name: str,
    made_at: datetime,
) -> str:
    """Write the page.

    Parameters
    ----------
    findings : Findings
        What it says.
    gallery : Gallery
        How pictures are shown.
    grouping : Grouping or None
        Which of them belong together; None if that was not looked for.
    name : str
        What to call the ledger.
    made_at : datetime
        When the page was made.

    Returns
    -------
    str
        A whole HTML document.
    """
    template = Template((resources.files("capture.review") / "page.html").read_text("utf-8"))
    cards = "".join(_card(d, findings, gallery) for d in findings.distributions)
    return template.substitute(
        name=escape(name),
        headline=_headline(findings),
        summary=_summary(findings),
        meter=_meter(findings),
        alarms=_alarms(findings),
        reasons=_reasons(findings),
        legend=_legend(),
        cards=cards,
        groups=groups_section(grouping, gallery),
        failures=_failures(findings, gallery),
        folders=_folders(findings),
        provenance=_provenance(findings, made_at),
    )


def _headline(findings: Findings) -> str:
    return f"{findings.verdicts['ACCEPT']:,} of {findings.count:,} pictures can be used"


def _summary(findings: Findings) -> str:
    parts = [
        (findings.verdicts["RETAKE"], "should be taken again"),
        (findings.verdicts["CANNOT_ASSESS"], "cannot be told either way"),
        (findings.unjudged_count, "could not be judged at all"),
    ]
    said = [f"{count:,} {words}" for count, words in parts if count]
    return f"{', '.join(said)}." if said else "Nothing is wrong with any of them."


def _meter(findings: Findings) -> str:
    parts = [
        ("accept", findings.verdicts["ACCEPT"], "usable"),
        ("retake", findings.verdicts["RETAKE"], "retake"),
        ("cannot", findings.verdicts["CANNOT_ASSESS"], "cannot tell"),
        ("unjudged", findings.unjudged_count, "not judged"),
    ]
    shown = [(style, count, words) for style, count, words in parts if count]
    bars = "".join(f'<i class="{style}" style="flex:{count}"></i>' for style, count, _ in shown)
    keys = "".join(
        f'<li><i class="{style}"></i><b>{count:,}</b> {words} '
        f"<span>{_percent(count, findings.count)}</span></li>"
        for style, count, words in shown
    )
    return f'<div class="meter">{bars}</div><ul class="keys">{keys}</ul>'


def _alarms(findings: Findings) -> str:
    """Say what holds for most pictures: then it is the setting, not the single shot."""
    alarms = [
        f"<b>{REASON_WORDS[ReasonCode(reason.code)]}</b> holds for "
        f"{_percent(reason.count, findings.judged_count)} of the judged pictures: look at the "
        "camera, the light, or the limit itself, before the single shots."
        for reason in findings.reasons
        if reason.count > MAJORITY * findings.judged_count
    ]
    if findings.unjudged_count > MAJORITY * findings.count:
        alarms.append("<b>Most files could not be judged.</b> The causes are listed below.")
    return "".join(f'<p class="alarm">{alarm}</p>' for alarm in alarms)


def _reasons(findings: Findings) -> str:
    if not findings.reasons:
        return "<p>No picture was refused.</p>"
    most = findings.reasons[0].count
    rows = "".join(_reason(reason, most, findings.judged_count) for reason in findings.reasons)
    return f'<table class="reasons">{rows}</table>'


def _reason(reason: ReasonCount, most: int, judged_count: int) -> str:
    alone = 100 * reason.alone_count / most
    shared = 100 * (reason.count - reason.alone_count) / most
    return (
        f"<tr><th>{REASON_WORDS[ReasonCode(reason.code)]}<code>{reason.code}</code></th>"
        f'<td class="number">{reason.count:,}</td>'
        f'<td class="number">{_percent(reason.count, judged_count)}</td>'
        f'<td class="bar" title="{reason.alone_count:,} with nothing else wrong">'
        f'<i class="retake" style="width:{alone:.2f}%"></i>'
        f'<i class="retake shared" style="width:{shared:.2f}%"></i></td></tr>'
    )


def _legend() -> str:
    return "".join(
        f'<li><i class="{style}"></i>{words}</li>'
        for style, words in zip(CLASSES, CLASS_WORDS, strict=True)
    )


def _card(distribution: Distribution, findings: Findings, gallery: Gallery) -> str:
    axis = distribution.axis
    beyond = distribution.beyond_count
    numbers = (
        f"<b>{beyond:,}</b> beyond the limit, {_percent(beyond, findings.judged_count)}"
        if beyond
        else "none beyond the limit"
    )
    if distribution.missing_count:
        numbers += f"; {distribution.missing_count:,} could not be measured"
    strips = "".join(
        f"<h4>{title}</h4><div class='strip'>"
        + "".join(gallery.figure(row, axis.words(_value_of(row, axis.name))) for row in rows)
        + "</div>"
        for title, rows in (
            ("Nearest to the limit", distribution.nearest),
            ("Farthest beyond it", distribution.worst),
        )
        if rows
    )
    return (
        f"<article><header><h3>{axis.title}</h3><code>{axis.name}</code><p>{numbers}</p></header>"
        f'<p class="remark">{axis.remark}</p>{histogram(distribution)}{strips}</article>'
    )


def _value_of(row: Row, name: str) -> float:
    if name == "short_edge_px":
        return float(min(row["width_px"], row["height_px"]))
    # Columns carry the name of the group only where the measure's own would say too little.
    group, _, measure = name.rpartition(".")
    return float(row[measure] if measure in row else row[f"{group}_{measure}"])


def _failures(findings: Findings, gallery: Gallery) -> str:
    if not findings.failures:
        return "<p>Every file could be judged.</p>"
    return "".join(_failure(failure, findings.root, gallery) for failure in findings.failures)


def _failure(failure: Failure, root: str, gallery: Gallery) -> str:
    lines = "".join(
        f'<tr><td title="{escape(row["path"])}">'
        f"{gallery.linked(row['path'], escape(_short(row['path'], root)))}</td>"
        f"<td>{escape(row['error'] or '')}</td></tr>"
        for row in failure.examples
    )
    left = failure.count - len(failure.examples)
    more = f"<tr><td colspan='2'>and {left:,} more in the ledger</td></tr>" if left else ""
    return (
        f"<details><summary><b>{failure.count:,}</b> <code>{escape(failure.status)}</code> "
        f"{escape(_cause(failure.status))}</summary><table>{lines}{more}</table></details>"
    )


def _cause(status: str) -> str:
    """Take the words for a status from the error that carries it."""
    for error in _all_below(SmartCaptureError, InferenceError):
        if getattr(error, "code", None) == status.upper() and error is not ImageError:
            return (error.__doc__ or "").partition("\n")[0]
    return "The worker failed in a way it has no name for."


def _all_below(*classes: type[Exception]) -> Iterable[type[Exception]]:
    for one in classes:
        yield one
        yield from _all_below(*one.__subclasses__())


def _folders(findings: Findings) -> str:
    rows = "".join(_folder(folder, findings.root) for folder in findings.folders)
    head = "<tr><th>folder</th><th>pictures</th><th>refused</th><th>not judged</th><th></th></tr>"
    return f'<table class="folders">{head}{rows}</table>'


def _folder(folder: FolderCount, root: str) -> str:
    name = _short(f"{folder.folder}/", root) or "."
    bars = "".join(
        f'<i class="{style}" style="width:{_percent(count, folder.count, 1)}"></i>'
        for style, count in (("retake", folder.refused_count), ("unjudged", folder.unjudged_count))
    )
    return (
        f'<tr><td title="{escape(folder.folder)}">{escape(name)}</td>'
        f'<td class="number">{folder.count:,}</td>'
        f'<td class="number">{folder.refused_count:,}</td>'
        f'<td class="number">{folder.unjudged_count:,}</td><td class="bar">{bars}</td></tr>'
    )


def _provenance(findings: Findings, made_at: datetime) -> str:
    facts = [
        ("profile", f"{findings.profile}, sha256 {findings.profile_sha256[:12]}"),
        ("engine", f"Smart Capture {findings.engine_version}"),
        ("page made", f"{made_at:%Y-%m-%d %H:%M} UTC"),
    ]
    facts += [
        (
            "also judged by",
            f"{other['profile']}, sha256 {other['profile_sha256'][:12]}, engine "
            f"{other['engine_version']}: {other['count']:,} pictures, counted above; "
            "its limits are not drawn",
        )
        for other in findings.other_profiles
    ]
    facts += [(f"run {run['id']}", _run(run)) for run in findings.runs[:10]]
    return "".join(f"<dt>{escape(name)}</dt><dd>{escape(words)}</dd>" for name, words in facts)


def _run(run: Row) -> str:
    finished = run["finished_at"]
    ended = f"to {finished:%Y-%m-%d %H:%M} UTC" if finished else "stopped before its end"
    resumed = f", taken up again {run['resume_count']} times" if run["resume_count"] else ""
    sources = ", ".join(run["sources"])
    return (
        f"{run['started_at']:%Y-%m-%d %H:%M} {ended}{resumed}; {run['scored_count']:,} scored, "
        f"{run['reused_count']:,} judged from stored measures; {sources}"
    )


def _short(path: str, root: str) -> str:
    return path.removeprefix(root)


def _percent(part: int, whole: int, digits: int = 0) -> str:
    if not whole:
        return "0%"
    share = 100 * part / whole
    # A share that is there must not read as nothing, nor a gap as everything.
    if digits == 0 and (0 < share < 1 or 99 < share < 100):
        digits = 1
    return f"{share:.{digits}f}%"
