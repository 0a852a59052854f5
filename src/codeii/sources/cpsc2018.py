"""CPSC 2018: the public training set of the China Physiological Signal Challenge 2018, 6,877 ECGs of 6 to 60 s.

Collected in eleven hospitals, with one to three of nine labels each. It comes in two forms, told apart by the files:
the contest's (`A0001.mat` with a struct, REFERENCE.csv) and the PhysioNet Challenge's (`A0001.hea` with `A0001.mat`).
"""

import os
import re
from collections.abc import Iterator, Mapping
from itertools import chain
from pathlib import Path

from codeii.formats.layout import Fixed, options_of
from codeii.formats.matlab import read_struct
from codeii.formats.table import listed, read_table, sex_of, years_of
from codeii.formats.tracing import Tracing, absent
from codeii.formats.wfdb import read_record
from codeii.schema.record import Card, Exclusion, Record, RecordFault
from codeii.schema.shard import WHOLE, Shard

CARD = Card(
    title="China Physiological Signal Challenge 2018, training set",
    version="2018",
    doi="10.1166/jmihi.2018.2442",
    licence="CC BY 4.0 (as published by the PhysioNet Challenge 2020; the contest's page names none)",
    records=6_877,
    patients=None,
    rates_hz=(500,),
    mains_hz=50,
    lead_spelling="I II III aVR aVL aVF V1-V6",
    unit="contest: float64 mV; Challenge: int16, 1000 counts per mV",
    statements="contest: 1 to 9; Challenge: SNOMED CT codes, or the nine labels as text in the first release",
    split_protocol="none published; patients are not identified, so each record counts as a patient",
    known_issues=(
        "A0953 names the label 6 twice: it counts once, flagged statement_twice",
        "ages go from -1 to 104 and five are missing: what is no age is unknown, flagged age_unknown",
        "copies of REFERENCE.csv with labels changed to 10 are in circulation: such a row is refused",
        "the 3,453 unused records (Q0001 ...) belong to another bundle and are not read",
    ),
    citation="Liu F, Liu C, Zhao L, et al. An open access database for evaluating the algorithms of electrocardiogram "
    "rhythm and morphology abnormality detection. J Med Imaging Health Inform 8(7):1368-1373 (2018).",
)

REFERENCE = "REFERENCE.csv"
_LABEL_COLUMNS = ("First_label", "Second_label", "Third_label")
_LABELS = frozenset("123456789")
_NAME = re.compile(r"A(\d{4})", re.ASCII)
_FIRST, _LAST = 1, 6877


def read_records(raw: Path, options: Mapping[str, object], shard: Shard = WHOLE) -> Iterator[Record | Exclusion]:
    """Every record: those of the Challenge's form by name, then those of the contest's in the order of REFERENCE.csv.

    Both forms may lie below `raw`; a record there in both is read once, in the Challenge's form.
    Raises ValueError where neither a header nor REFERENCE.csv lies below `raw`.
    """
    options_of(Fixed, options, "cpsc2018")
    headers = _own(raw, ".hea")
    tables = sorted(raw.rglob(REFERENCE), key=lambda path: (len(path.parts), path))
    if not tables and not headers:
        raise ValueError(
            f"{raw}: neither {REFERENCE} (contest form) nor A0001.hea (Challenge form) is in it or below it; "
            "fetch CPSC 2018, or point sources.cpsc2018.path at the folder that holds it"
        )
    ours = shard.of(headers)
    return chain((_challenge(path.with_suffix("")) for path in ours), _of_contest(raw, tables[:1], headers, shard))


def _of_contest(raw: Path, tables: list[Path], headers: list[Path], shard: Shard) -> Iterator[Record | Exclusion]:
    known = {path.stem for path in headers}
    signals = {path.stem: path for path in reversed(_own(raw, ".mat"))}  # of two copies, the first
    for table in tables:
        rows = read_table(table, ("Recording", *_LABEL_COLUMNS), "fetch CPSC 2018 again")
        yield from (_contest(row, signals) for row in shard.of(rows) if row["Recording"].strip() not in known)


def _own(raw: Path, suffix: str) -> list[Path]:
    """Files of A0001 to A6877 at any depth, by name: folders of other bundles may lie beside."""
    own = []
    for folder, _, names in os.walk(raw):
        matches = ((name, _NAME.fullmatch(name.removesuffix(suffix))) for name in names if name.endswith(suffix))
        own += [(name, folder) for name, match in matches if match and _FIRST <= int(match[1]) <= _LAST]
    return [Path(folder, name) for name, folder in sorted(own)]


def _contest(row: Mapping[str, str], signals: Mapping[str, Path]) -> Record | Exclusion:
    name = row["Recording"].strip()
    try:
        labels = [text for column in _LABEL_COLUMNS if (text := row[column].strip())]
        if not labels or not _LABELS.issuperset(labels):
            raise RecordFault("bad_metadata", "label", ",".join(labels) or "none", "one to three of 1 to 9")
        if name not in signals:
            raise absent(Path(f"{name}.mat"))
        return _record(name, read_struct(signals[name], CARD.rates_hz[0]), ",".join(labels))
    except RecordFault as fault:
        return fault.exclusion(name)


def _challenge(stem: Path) -> Record | Exclusion:
    try:
        tracing = read_record(stem)
        return _record(stem.name, tracing, tracing.notes.get("dx", ""))
    except RecordFault as fault:
        return fault.exclusion(stem.name)


def _record(name: str, tracing: Tracing, labels: str) -> Record:
    if tracing.rate_hz not in CARD.rates_hz:
        raise RecordFault("wrong_rate", "rate_hz", str(tracing.rate_hz), str(CARD.rates_hz[0]))
    years, flags = years_of(tracing.notes.get("age", ""))
    statements, odd = listed(labels, ",")
    return Record(
        record_id=name,
        exam_id=name,
        patient_id=name,
        tracing=1,
        signal_uv=tracing.signal_uv,
        rate_hz=tracing.rate_hz,
        statements=dict.fromkeys(statements),
        fold="",
        age_years=years,
        sex=sex_of(tracing.notes.get("sex", "")),
        flags=(*flags, *odd, *tracing.flags),
    )
