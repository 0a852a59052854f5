"""Records, exams and patients against the card; what was left out, and why."""

from collections import Counter
from collections.abc import Iterator

from codeii.artifacts.audit import Check, Finding
from codeii.audit.subject import Subject, counted, noted

CARD = "card of the source"


def count_checks(subject: Subject) -> Iterator[Check]:
    """Are all records named, all named ones accounted for, and why are some not kept?"""
    yield _named(subject)
    yield _accounted(subject)
    yield _patients(subject)
    yield _left_out(subject)
    yield _checksums(subject)


def _named(subject: Subject) -> Check:
    expected = subject.expected_exams
    since = "twin.records of params.yaml" if subject.synthetic else CARD
    if expected is None:
        return Check("records named", "noted", "not published", f"{subject.exams:,} exams", since)
    verdict = "ok" if subject.exams == expected else "noted" if subject.exams < expected else "fault"
    part = "; a part of the source" if subject.exams < expected else ""
    more = "; another release, or another source beside it" if subject.exams > expected else ""
    return Check(
        "records named", verdict, f"{expected:,} exams", f"{subject.exams:,} in the metadata{part}{more}", since
    )


def _accounted(subject: Subject) -> Check:
    """Named = kept + absent + faulty, by our own count and by what was counted while they were read."""
    kept, absent, faulty = len(subject.records), subject.absent, len(subject.faulty)
    told = {name: int(subject.facts[name]) for name in ("records", "absent", "faulty") if name in subject.facts}
    same = told == {name: {"records": kept, "absent": absent, "faulty": faulty}[name] for name in told}
    named = kept + absent + faulty
    found = f"{named:,} named = {kept:,} kept + {absent:,} absent + {faulty:,} left out; {kept + faulty:,} present"
    return Check(
        "records accounted for",
        "ok" if same else "fault",
        "every record named is kept, absent, or left out for a reason",
        found if same else f"{found}; while they were read: {told}",
        "manifest of the records",
    )


def _patients(subject: Subject) -> Check:
    found, expected = int(subject.records["patient_id"].nunique()), subject.card.get("patients")
    most = int(subject.records.groupby("patient_id")["exam_id"].nunique().max()) if found else 0
    told = f"{found:,} patients, up to {most:,} exams each"
    if subject.synthetic or expected is None:
        said = "as many as the twin has" if subject.synthetic else "patients are not identified"
        return Check("patients", "ok", said, told, CARD)
    wrong = found > expected or (subject.complete and found < expected - len(subject.faulty))
    part = "" if subject.complete else " (of a part: no more)"
    return Check("patients", "fault" if wrong else "ok", f"{expected:,}{part}", told, CARD)


def _left_out(subject: Subject) -> Check:
    findings = tuple(
        Finding(str(row.record_id), f"{row.reason}: {row.field} {row.found}", str(row.expected))
        for row in subject.faulty.itertuples(index=False)
    )
    share = len(findings) / max(1, len(findings) + len(subject.records))
    found = counted(Counter(subject.faulty["reason"])) + (f" ({share:.2%} of those present)" if findings else "")
    return noted("records left out", "every record present can be kept", found, "the gates of the records", findings)


def _checksums(subject: Subject) -> Check:
    reasons = Counter(subject.faulty["reason"])
    found = {name: reasons[name] for name in ("wrong_checksum", "no_value")}
    return Check(
        "checksums and missing samples",
        "noted" if any(found.values()) else "ok",
        "where the format has them: sums of samples as the header says, no sample marked as not measured",
        counted(found),
        "WFDB header(5), signal(5)",
    )
