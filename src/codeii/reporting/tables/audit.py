"""Audit: is each source what its publisher says, and which of its records are odd.

A check is a fault where it contradicts the publisher, the card or a documented bad record; noted where it is worth
knowing and nothing is wrong; ok otherwise. A record is absent when the copy does not hold it, which is normal for a
part of a source; it is left out when it cannot be used; a flag marks a record that was kept. What is only suspected
says so. All records of every check are in results/audit/<source>/findings.csv.
"""

from collections.abc import Iterable

import pandas as pd

from codeii.artifacts.audit import FINDING_COLUMNS, VERDICTS, Audit
from codeii.reporting.part import Part, not_run
from codeii.reporting.rows import count
from codeii.reporting.study import Study

NEEDS = ("audits",)
SECTION = "Data"
MOST_NAMED = 20  # records of one check and source on the page; findings.csv of the audit names all
LEFT_OUT = "records left out"
COUNTS = ("named", "absent", "faulty", "kept", "exams", "patients", "flagged")
COLUMNS = ("source", "title", "version", *COUNTS, *VERDICTS, "synthetic")
CHECK_COLUMNS = ("verdict", "check", "expected", "found", "since", "records")
KNOWN_COLUMNS = ("source", "record_id", "state", "what", "expected", "found", "since", "synthetic")
ODD_COLUMNS = ("source", *FINDING_COLUMNS, "synthetic")


def rows(study: Study) -> tuple[Part, ...]:
    """One line per source, the verdicts of each, known faults, records left out and records that are odd."""
    if not study.audits:
        return not_run("no source was audited", COLUMNS)
    values = pd.DataFrame([_line(name, audit) for name, audit in study.audits.items()], columns=list(COLUMNS))
    return (
        Part("table", _shown(study, values), values),
        *(_verdicts(study, name, audit) for name, audit in study.audits.items()),
        _known(study),
        _odd(study, "left_out", "Records left out", [LEFT_OUT]),
        _odd(study, "flagged", "Records that are kept and odd", None),
    )


def _line(name: str, audit: Audit) -> dict[str, object]:
    report = audit.report
    return {
        "source": name,
        "title": report.title,
        "version": report.version,
        **{word: report.counts[word] for word in COUNTS},
        **audit.verdicts(),
        "synthetic": audit.manifest.synthetic,
    }


def _shown(study: Study, values: pd.DataFrame) -> pd.DataFrame:
    shown: dict[str, Iterable[str]] = {
        "Source": study.marked_column(values, "source"),
        "Verdict": [in_words({word: int(row[word]) for word in VERDICTS}) for _, row in values.iterrows()],
        "Title, version": [
            f"{title}, {version}" for title, version in zip(values["title"], values["version"], strict=True)
        ],
        "Named": values["named"].map(count),
        "Absent": values["absent"].map(count),
        "Left out": values["faulty"].map(count),
        "Kept": values["kept"].map(count),
        "Exams": values["exams"].map(count),
        "Patients": values["patients"].map(count),
        "Flagged": values["flagged"].map(count),
    }
    return pd.DataFrame({name: list(column) for name, column in shown.items()})


def in_words(verdicts: dict[str, int]) -> str:
    """`1 FAULT, 3 noted, 20 ok`; `no fault, 23 ok`."""
    faults = f"{verdicts['fault']} FAULT" if verdicts["fault"] else "no fault"
    return ", ".join([faults, *(f"{verdicts[word]} {word}" for word in VERDICTS[1:] if verdicts[word])])


def _verdicts(study: Study, name: str, audit: Audit) -> Part:
    """The checks of one source, worst first; open where one is a fault."""
    lines = [
        (check.verdict, check.check, check.expected, check.found, check.since, len(check.findings))
        for check in audit.report.checks
    ]
    values = pd.DataFrame(lines, columns=list(CHECK_COLUMNS))
    shown = pd.DataFrame(
        {
            "Verdict": values["verdict"].map(lambda word: word.upper() if word == "fault" else word),
            "Check": values["check"],
            "Expected": values["expected"],
            "Found": values["found"],
            "Expected by": values["since"],
            "Records": [count(n) if n else "" for n in values["records"]],
        }
    )
    title = f"{study.marked(name, audit.manifest.synthetic)}: {in_words(audit.verdicts())}"
    return Part(f"checks_{name}", shown, values, title, folded=not audit.verdicts()["fault"])


def _known(study: Study) -> Part:
    """Documented faults; those of records that the copy does not hold, or rightly does not name, are only counted."""
    lines = [
        (name, item.record_id, item.state, item.what, item.expected, item.found, item.since, audit.manifest.synthetic)
        for name, audit in study.audits.items()
        for item in audit.report.known
    ]
    values = pd.DataFrame(lines, columns=list(KNOWN_COLUMNS))
    rightly = (values["expected"] == "not named") & (values["state"] == "found")
    there = values[(values["state"] != "absent") & ~rightly]
    shown = _as_text(study, there.drop(columns=["since"]))
    hidden = len(values) - len(there)
    note = f"{count(hidden)} more are documented of records that are not in these copies or releases." if hidden else ""
    note = note or ("" if len(values) else "No fault is documented of these sources.")
    missing = int((values["state"] == "missing").sum())
    title = f"Known faults: {count(len(there))} here, {count(missing)} of them not found"
    return Part("known", shown, values, title, note, folded=not missing)


def _odd(study: Study, part: str, title: str, checks: list[str] | None) -> Part:
    """Records by name, the first of each check and source."""
    frames = []
    for name, audit in study.audits.items():
        of_part = audit.findings["check"].isin(checks) if checks else audit.findings["check"] != LEFT_OUT
        frames.append(audit.findings[of_part].assign(source=name, synthetic=audit.manifest.synthetic))
    values = pd.concat(frames, ignore_index=True)[list(ODD_COLUMNS)]
    first = values[values.groupby(["source", "check"]).cumcount() < MOST_NAMED]
    hidden = len(values) - len(first)
    note = f"{count(hidden)} more are in findings.csv of the audits." if hidden else "" if len(values) else "None."
    return Part(part, _as_text(study, first), first, f"{title}: {count(len(values))}", note, folded=True)


def _as_text(study: Study, values: pd.DataFrame) -> pd.DataFrame:
    shown = values.assign(source=study.marked_column(values, "source")).drop(columns="synthetic")
    return shown.rename(columns=lambda name: {"record_id": "Record"}.get(name, name.capitalize()))
