"""Data quality: what each source should hold, what was read, and what was left out and why.

"Published" is the count its publisher gives. A record is absent when the copy does not hold it, which is normal for a
part of a source; every other reason is a fault of the record. Flags mark records that were kept. Each record left out
for a fault is named in the folded part.
"""

from collections import Counter
from collections.abc import Iterable

import pandas as pd

from codeii.artifacts.record_store import RecordStore
from codeii.reporting.part import Part, not_run
from codeii.reporting.rows import count
from codeii.reporting.study import Study
from codeii.schema.record import REASONS

NEEDS = ("records",)
SECTION = "Data"
MOST_NAMED = 200  # records named in the page; the file names all
FAULTS = tuple(reason for reason in REASONS if reason != "absent")
COLUMNS = ("source", "title", "version", "published", "read", "exams", "patients", "absent", *FAULTS)
COLUMNS = (*COLUMNS, "flagged", "flags", "synthetic")


def rows(study: Study) -> tuple[Part, ...]:
    """One line per source, the excluded records by name, and the flagged ones by name."""
    if not study.records:
        return not_run("no source was read", COLUMNS)
    lines = [_line(name, store) for name, store in study.records.items()]
    values = pd.DataFrame(lines, columns=list(COLUMNS))
    return Part("table", _shown(study, values), values), _named(study), _flagged(study)


def _line(name: str, store: RecordStore) -> dict[str, object]:
    card, records = store.manifest.facts.get("card", {}), store.records
    reasons = Counter(store.excluded["reason"])
    flags = Counter(flag.split(":")[0] for text in records["flags"] for flag in set(text.split()))
    return {
        "source": name,
        "title": card.get("title", name),
        "version": card.get("version", ""),
        "published": card.get("records"),
        "read": len(records),
        "exams": records["exam_id"].nunique(),
        "patients": records["patient_id"].nunique(),
        **{reason: reasons[reason] for reason in REASONS},
        "flagged": int((records["flags"] != "").sum()),
        "flags": "; ".join(f"{flag} {n}" for flag, n in sorted(flags.items())),
        "synthetic": store.manifest.synthetic,
    }


def _shown(study: Study, values: pd.DataFrame) -> pd.DataFrame:
    shown: dict[str, Iterable[str]] = {
        "Source": study.marked_column(values, "source"),
        "Title, version": [
            f"{title}, {version}" for title, version in zip(values["title"], values["version"], strict=True)
        ],
        "Published": [count(float("nan") if n is None else float(n)) for n in values["published"]],
        "Read": values["read"].map(count),
        "Patients": values["patients"].map(count),
        "Absent": values["absent"].map(count),
        "Left out": [_reasons(row) for _, row in values.iterrows()],
        "Flagged, kept": [_flags(row) for _, row in values.iterrows()],
    }
    return pd.DataFrame({name: list(column) for name, column in shown.items()})


def _reasons(row: pd.Series) -> str:
    found = [f"{count(row[reason])} {reason.replace('_', ' ')}" for reason in FAULTS if row[reason]]
    return ", ".join(found) or "none"


def _flags(row: pd.Series) -> str:
    return f"{count(row['flagged'])} ({row['flags'].replace('_', ' ')})" if row["flagged"] else "none"


def _named(study: Study) -> Part:
    faulty = [
        store.excluded[store.excluded["reason"] != "absent"].assign(source=name, synthetic=store.manifest.synthetic)
        for name, store in study.records.items()
    ]
    values = pd.concat(faulty, ignore_index=True)[
        ["source", "record_id", "reason", "field", "found", "expected", "synthetic"]
    ]
    shown = values.assign(source=study.marked_column(values, "source")).head(MOST_NAMED).drop(columns="synthetic")
    shown = shown.rename(columns=lambda name: {"record_id": "Record"}.get(name, name.capitalize()))
    hidden = len(values) - len(shown)
    note = f"{count(hidden)} more are in excluded.csv." if hidden else "" if len(values) else "No record was left out."
    return Part("excluded", shown, values, f"Records left out: {count(len(values))}", note, folded=True)


def _flagged(study: Study) -> Part:
    flagged = [
        store.records[store.records["flags"] != ""][["record_id", "flags"]].assign(
            source=name, synthetic=store.manifest.synthetic
        )
        for name, store in study.records.items()
    ]
    values = pd.concat(flagged, ignore_index=True)[["source", "record_id", "flags", "synthetic"]]
    shown = values.assign(source=study.marked_column(values, "source")).head(MOST_NAMED).drop(columns="synthetic")
    shown = shown.rename(columns={"source": "Source", "record_id": "Record", "flags": "Flags"})
    hidden = len(values) - len(shown)
    note = f"{count(hidden)} more are in flagged.csv." if hidden else "" if len(values) else "No record was flagged."
    return Part("flagged", shown, values, f"Records flagged and kept: {count(len(values))}", note, folded=True)
