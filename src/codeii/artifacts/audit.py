"""Door of the audit: one verdict per check of a source, every record a verdict speaks of, and distributions to draw."""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from codeii.artifacts.atomic import whole_file, write_json
from codeii.artifacts.manifest import Manifest, read_manifest, write_manifest

AUDIT, FINDINGS = "audit.json", "findings.csv"
VERDICTS = ("fault", "noted", "ok")  # worst first: against what is known; worth knowing; as expected
FINDING_COLUMNS = ("check", "record_id", "found", "expected")
STATES = ("found", "missing", "absent", "unseen")  # of a record known to be faulty


@dataclass(frozen=True, slots=True)
class Finding:
    """One record that a check speaks of."""

    record_id: str
    found: str
    expected: str


@dataclass(frozen=True, slots=True)
class Check:
    """One question put to a source, and its answer."""

    check: str  # its name: lower-case words
    verdict: str  # one of VERDICTS
    expected: str
    found: str
    since: str  # who says what is expected
    findings: tuple[Finding, ...] = ()


@dataclass(frozen=True, slots=True)
class Known:
    """One record that is documented as faulty, and whether the audit sees the fault."""

    record_id: str
    state: str  # one of STATES: seen; there but not seen (a fault of the audit); not in this copy; no check can see it
    expected: str
    found: str
    what: str
    since: str


@dataclass(frozen=True, slots=True)
class Histogram:
    """Counts between edges; what lies outside counts in the first or last bin."""

    edges: tuple[float, ...]
    counts: tuple[int, ...]
    unknown: int = 0


@dataclass(frozen=True, slots=True)
class Report:
    """What an audit found, before it is written."""

    source: str
    title: str
    version: str
    counts: Mapping[str, int]  # named, kept, absent, faulty, exams, patients, flagged
    checks: Sequence[Check]
    known: Sequence[Known]
    distributions: Mapping[str, Histogram]


@dataclass(frozen=True, slots=True)
class Audit:
    """A written audit. `findings` has the columns `FINDING_COLUMNS`, the checks one below the other."""

    manifest: Manifest
    report: Report
    findings: pd.DataFrame

    def verdicts(self) -> dict[str, int]:
        """Number of checks of each verdict, worst first."""
        return {verdict: sum(check.verdict == verdict for check in self.report.checks) for verdict in VERDICTS}


def write_audit(
    folder: Path,
    report: Report,
    *,
    settings: Mapping[str, Any],
    code: str,
    inputs: Iterable[Path],
    synthetic: bool,
) -> Path:
    """Write the verdicts as JSON and their records as CSV. Returns the manifest's path.

    Raises ValueError where a verdict or state is no word of the door, a check is named twice, or counts do not add up.
    """
    _check(report)
    rows = [(check.check, *asdict(finding).values()) for check in report.checks for finding in check.findings]
    value = asdict(report)
    for check in value["checks"]:
        check["records"] = len(check.pop("findings"))
    write_json(folder / AUDIT, value)
    with whole_file(folder / FINDINGS) as temporary:
        pd.DataFrame(rows, columns=list(FINDING_COLUMNS)).to_csv(temporary, index=False, lineterminator="\n")
    tally = {verdict: sum(check.verdict == verdict for check in report.checks) for verdict in VERDICTS}
    return write_manifest(
        folder,
        "audit",
        files=[AUDIT, FINDINGS],
        settings=settings,
        code=code,
        inputs=inputs,
        facts={"source": report.source, "verdicts": tally},
        synthetic=synthetic,
    )


def read_audit(manifest_path: Path) -> Audit:
    """Verify and read an audit. Raises ValueError where its two files disagree."""
    manifest = read_manifest(manifest_path, "audit")
    value = json.loads((manifest_path.parent / AUDIT).read_text(encoding="utf-8"))
    findings = pd.read_csv(manifest_path.parent / FINDINGS, dtype=str, keep_default_na=False)
    checks = []
    for entry in value["checks"]:
        rows = findings[findings["check"] == entry["check"]]
        said = entry.pop("records")
        if len(rows) != said:
            found = f"{len(rows)} findings of check {entry['check']!r}"
            raise ValueError(f"{manifest_path}: {found}, the audit says {said}; run the study again")
        members = tuple(Finding(*row) for row in rows[list(FINDING_COLUMNS[1:])].itertuples(index=False, name=None))
        checks.append(Check(**entry, findings=members))
    shapes = {
        name: Histogram(tuple(shape["edges"]), tuple(shape["counts"]), shape["unknown"])
        for name, shape in value["distributions"].items()
    }
    known = [Known(**entry) for entry in value["known"]]
    report = Report(**{**value, "checks": tuple(checks), "known": tuple(known), "distributions": shapes})
    _check(report)
    return Audit(manifest, report, findings)


def _check(report: Report) -> None:
    names = [check.check for check in report.checks]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise ValueError(f"check {', '.join(twice)} is given more than once")
    odd = {check.verdict for check in report.checks} - set(VERDICTS)
    odd |= {known.state for known in report.known} - set(STATES)
    if odd:
        raise ValueError(f"{', '.join(sorted(odd))} is no verdict of {VERDICTS} and no state of {STATES}")
    counts = report.counts
    if counts["named"] != counts["kept"] + counts["absent"] + counts["faulty"]:
        raise ValueError(f"{counts['named']} records are named, but kept, absent and faulty ones are {dict(counts)}")
    for name, shape in report.distributions.items():
        if len(shape.edges) != len(shape.counts) + 1:
            raise ValueError(f"distribution {name}: {len(shape.counts)} counts between {len(shape.edges)} edges")
