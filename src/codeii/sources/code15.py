"""CODE-15%: 345,779 exams of 233,770 patients, a stratified 15 % of the CODE data set of Brazilian telehealth.

Recorded between 2010 and 2016, resampled to 400 Hz, zero-padded at both ends to 4096 samples, with six classes.
The tracings lie in HDF5 parts whose rows are joined to exams.csv by exam id.
"""

import re
import sys
from collections.abc import Iterator, Mapping
from itertools import chain
from pathlib import Path

import numpy as np

from codeii.formats.hdf5 import blocks, dataset_of, open_hdf5, read_ids
from codeii.formats.layout import Fixed, options_of
from codeii.formats.table import read_table, truth_of, years_of
from codeii.formats.tracing import to_tracing, within
from codeii.schema.leads import LEADS
from codeii.schema.record import Card, Exclusion, Record, RecordFault
from codeii.schema.shard import WHOLE, Shard

CARD = Card(
    title="CODE-15%: a large scale annotated dataset of 12-lead ECGs",
    version="1.0.0",
    doi="10.5281/zenodo.4916206",
    licence="CC BY 4.0",
    records=345_779,
    patients=233_770,
    rates_hz=(400,),
    mains_hz=60,
    lead_spelling="DI DII DIII AVR AVL AVF V1-V6, by position",
    unit="float32, twice the signal in mV (the published page says 1e-4 V)",
    statements="1dAVb, RBBB, LBBB, SB, AF, ST as True or False",
    split_protocol="none published; split by patient",
    known_issues=(
        "stored values are 2 x mV, as the authors' preprocessing notes say: they are divided by 2 here",
        "the last row of each part is all zeros with exam id 0: it is left out",
        "zero padding at both ends is no signal: it is taken off",
        "rows are in another order than exams.csv: they are joined by exam id",
        "baselines are not removed; in some exams the limb leads do not close",
    ),
    citation="Ribeiro AH, Ribeiro MH, Paixao GMM, et al. Automatic diagnosis of the 12-lead ECG using a deep neural "
    "network. Nature Communications 11:1760 (2020).",
)

TABLE = "exams.csv"
CLASSES = ("1dAVb", "RBBB", "LBBB", "SB", "AF", "ST")
STORED_PER_MV = 2.0
SAMPLES = 4096
_SEX = {"true": "male", "false": "female"}
_COLUMNS = ("exam_id", "patient_id", "age", "is_male", "trace_file", *CLASSES)
_ADVICE = "fetch CODE-15%, or point sources.code15.path at the folder that holds it"
_Row = dict[str, str]  # the columns above of one line of exams.csv


def read_records(raw: Path, options: Mapping[str, object], shard: Shard = WHOLE) -> Iterator[Record | Exclusion]:
    """Every exam, part by part in the order of their numbers, in the order of each part's rows.

    Exams whose part is absent, or that their part does not hold, follow the rows of that part. Only metadata is
    held in memory. A shard has whole parts: those whose number leaves its index. Raises ValueError where exams.csv is
    absent or damaged.
    """
    options_of(Fixed, options, "code15")
    rows = read_table(raw / TABLE, _COLUMNS, _ADVICE)
    parts, twice = _parts(row for row in rows if _number_of(row["trace_file"])[0] % shard.count == shard.index)
    found = (item for part, rows in parts.items() for item in _exams(raw, part, rows))
    return chain(found, twice)


def _parts(rows: Iterator[_Row]) -> tuple[dict[str, dict[str, _Row]], list[Exclusion]]:
    """Lines of exams.csv by part and exam id, parts in the order of their numbers; and the ids given twice."""
    of_part: dict[str, dict[str, _Row]] = {}
    twice = []
    for row in rows:
        members = of_part.setdefault(sys.intern(row["trace_file"]), {})
        if row["exam_id"] in members:
            twice.append(Exclusion(row["exam_id"], "duplicate_id", "exam_id", row["exam_id"], "an id that occurs once"))
            continue
        members[row["exam_id"]] = {name: sys.intern(row[name]) for name in _COLUMNS}
    return dict(sorted(of_part.items(), key=lambda item: _number_of(item[0]))), twice


def _number_of(part: str) -> tuple[int, str]:
    match = re.search(r"([0-9]+)\.", part)  # exams_part7.hdf5
    return (int(match[1]) if match else -1), part


def _exams(raw: Path, part: str, rows: Mapping[str, _Row]) -> Iterator[Record | Exclusion]:
    left = dict(rows)
    try:
        for exam_id, stored in _tracings(within(raw, part)):
            row = left.pop(exam_id, None)
            if row is not None:
                yield _record(row, stored)
            elif exam_id != "0" or _signal(stored).size:
                expected = f"an exam that {TABLE} names once, in {part}"
                yield Exclusion(exam_id, "bad_metadata", "exam_id", f"{exam_id} in {part}", expected)
    except RecordFault as fault:  # of the part as a whole
        yield from (fault.exclusion(exam_id) for exam_id in left)
        return
    yield from (Exclusion(exam_id, "absent", "exam_id", f"not in {part}", exam_id) for exam_id in left)


def _tracings(path: Path) -> Iterator[tuple[str, np.ndarray]]:
    """(exam id, (4096, 12) float array as stored) for each row of a part."""
    with open_hdf5(path) as file:
        tracings, ids = dataset_of(file, "tracings"), read_ids(file, "exam_id")
        if tracings.shape != (len(ids), SAMPLES, len(LEADS)):
            found, expected = f"shape {tracings.shape}", f"({len(ids)}, {SAMPLES}, {len(LEADS)})"
            raise RecordFault("wrong_length", f"tracings of {path.name}", found, expected)
        for start, block in blocks(tracings, "tracings"):
            for exam_id, stored in zip(ids[start : start + len(block)], block, strict=True):
                yield str(exam_id), stored


@np.errstate(invalid="ignore")  # a signalling NaN is no reason to warn: it is refused as any other
def _signal(stored: np.ndarray) -> np.ndarray:
    """(lead, sample) mV without the padding, which is zero in every lead; no sample where there is nothing else."""
    there = np.flatnonzero(stored.any(axis=1))
    return stored[there[0] : there[-1] + 1].T / STORED_PER_MV if len(there) else stored[:0].T


def _record(row: _Row, stored: np.ndarray) -> Record | Exclusion:
    try:
        signal = _signal(stored)
        if not signal.size:
            raise RecordFault("flat", "tracings", "zeros only", "a signal")
        statements = {name: None for name in CLASSES if truth_of(row[name], name)}
        tracing = to_tracing(signal, LEADS, "mV", CARD.rates_hz[0])
    except RecordFault as fault:
        return fault.exclusion(row["exam_id"])
    years, flags = years_of(row["age"])
    return Record(
        record_id=row["exam_id"],
        exam_id=row["exam_id"],
        patient_id=row["patient_id"],
        tracing=1,
        signal_uv=tracing.signal_uv,
        rate_hz=tracing.rate_hz,
        statements=statements,
        fold="",
        age_years=years,
        sex=_SEX.get(row["is_male"].lower(), "unknown"),
        flags=(*flags, *tracing.flags),
    )
