"""Ages, sexes, and whether patients stay within the source's folds."""

from collections import Counter
from collections.abc import Iterator

from codeii.artifacts.audit import Check, Finding
from codeii.audit.subject import Subject, counted, noted, published

MOST_NAMED = 20  # folds that a line lists; more are no folds but something else


def people_checks(subject: Subject) -> Iterator[Check]:
    """Who was recorded, and is the published partition by patient?"""
    if subject.records.empty:
        return
    yield _ages(subject)
    sexes = Counter(subject.records["sex"])
    unknown = subject.records["record_id"][subject.records["sex"] == "unknown"]
    findings = tuple(Finding(record_id, "unknown", "female or male") for record_id in unknown)
    yield noted("sex", "female or male", counted(sexes), "metadata of the source", findings)
    yield from published(subject, "sex", sexes)
    yield from published(subject, "flag", Counter(subject.flags["kind"]))
    yield from _folds(subject)


def _ages(subject: Subject) -> Check:
    years = subject.records["age_years"]
    unknown = subject.records["record_id"][years.isna()]
    findings = tuple(Finding(record_id, "unknown", "0 to 120 years") for record_id in unknown)
    masked = int((subject.flags["kind"] == "age_masked").sum())
    told = f"{years.min():.0f} to {years.max():.0f} years, median {years.median():.0f}; " if years.notna().any() else ""
    told += f"{len(findings):,} unknown" + (f", {masked:,} masked as over 89" if masked else "")
    return noted("age", "0 to 120 years", told, "metadata of the source", findings)


def _folds(subject: Subject) -> Iterator[Check]:
    folds = subject.records["fold"]
    if (folds == "").all():
        return
    each = subject.records.groupby("patient_id")["fold"].nunique()
    torn = set(each.index[each > 1])
    rows = subject.records[subject.records["patient_id"].isin(torn)]
    findings = tuple(
        Finding(str(row.record_id), f"patient {row.patient_id}, fold {row.fold}", "one fold for a patient")
        for row in rows.itertuples(index=False)
    )
    sizes = Counter(folds)
    named = sorted(sizes.items(), key=lambda item: (len(item[0]), item[0]))[:MOST_NAMED]
    told = ", ".join(f"{fold or 'none'}: {count:,}" for fold, count in named)
    expected = str(subject.card["split_protocol"])
    verdict = "fault" if torn else "ok"
    yield Check("folds by patient", verdict, expected, f"{told}; {len(torn):,} patients in two", "card", findings)
    yield from published(subject, "fold", sizes)
