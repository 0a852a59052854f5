"""Audits one source: reads its records, puts every check to them, and writes the verdicts."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from codeii.artifacts.audit import VERDICTS, Check, Report, write_audit
from codeii.artifacts.manifest import IntegrityError, Manifest, load_manifest, sha256_of
from codeii.artifacts.raw_archive import SUMS, listed_files
from codeii.artifacts.record_store import read_record_store
from codeii.audit.counts import count_checks
from codeii.audit.distributions import distributions
from codeii.audit.known import known_check, known_faults, planted_in
from codeii.audit.labels import label_checks
from codeii.audit.people import people_checks
from codeii.audit.signals import signal_checks
from codeii.audit.subject import Subject
from codeii.schema.labels import LabelSet, label_set_file, read_label_set

README = "README.txt"  # of a twin


def audit(records: Path, raw: Path, settings: Mapping[str, Any], code: str, folder: Path) -> None:
    """Write the audit of one source to `folder`.

    records : manifest of the record store; raw : manifest of the raw archive it was read from
    settings : `source`, and `label_sets`: name -> sha256 of each label set that a task of the study puts on the source

    A verdict of `fault` is written, never raised: the gates that stop a study are those of the records. Raises
    ValueError where a label set is not the one asked for, IntegrityError where a file changed since it was made.
    """
    subject = subject_of(records, raw, settings)
    known = known_faults(subject)
    checks: list[Check] = [
        *known_check(known, subject.synthetic),
        *count_checks(subject),
        *signal_checks(subject),
        *people_checks(subject),
        *label_checks(subject),
    ]
    report = Report(
        source=subject.source,
        title=str(subject.card.get("title", subject.source)),
        version=str(subject.card.get("version", "")),
        counts=_counts(subject),
        checks=sorted(checks, key=lambda check: VERDICTS.index(check.verdict)),
        known=known,
        distributions=distributions(subject.records),
    )
    write_audit(folder, report, settings=settings, code=code, inputs=[records, raw], synthetic=subject.synthetic)


def subject_of(records: Path, raw: Path, settings: Mapping[str, Any]) -> Subject:
    """Everything the checks look at, from the two artefacts."""
    store = read_record_store(records)
    archive = load_manifest(raw, "raw")  # its files were verified when the records were read from them
    synthetic = store.manifest.synthetic
    card = store.manifest.facts["card"]
    seen: dict[str, dict[str, float | None]] = {}  # most records of a source share their statements with others
    statements = [
        seen.setdefault(text, said) for text, said in zip(store.records["statements"], store.statements(), strict=True)
    ]
    return Subject(
        source=str(settings["source"]),
        synthetic=synthetic,
        card=card,
        facts=store.manifest.facts,
        expected_exams=int(archive.settings["twin"]["records"]) if synthetic else card["records"],
        records=store.records,
        excluded=store.excluded,
        statements=statements,
        label_sets=tuple(_label_set(name, digest) for name, digest in settings["label_sets"].items()),
        planted=planted_in(_readme(raw, archive)) if synthetic else {},
    )


def _counts(subject: Subject) -> dict[str, int]:
    kept, faulty = len(subject.records), len(subject.faulty)
    return {
        "named": kept + len(subject.excluded),
        "kept": kept,
        "absent": subject.absent,
        "faulty": faulty,
        "exams": int(subject.records["exam_id"].nunique()),
        "patients": int(subject.records["patient_id"].nunique()),
        "flagged": int((subject.records["flags"] != "").sum()),
    }


def _label_set(name: str, digest: str) -> LabelSet:
    if sha256_of(label_set_file(name)) != digest:
        raise ValueError(f"label set {name} is not the one the study asks for (sha256 differs); run the study again")
    return read_label_set(name)


def _readme(raw: Path, archive: Manifest) -> str:
    """Text of a twin's README.txt, verified; the planted faults stand there."""
    path = raw.parent / str(archive.facts["root"]) / README
    digest = dict(listed_files(raw.parent / SUMS)).get(README)
    if digest is None or not path.is_file() or sha256_of(path) != digest:
        raise IntegrityError(f"{path}: absent, or changed since it was listed in {raw.parent / SUMS}")
    return path.read_text(encoding="utf-8")
