"""Reads a source by its declared layout: one CSV table of exams, and WFDB records or HDF5 datasets of tracings."""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from functools import partial
from itertools import groupby
from pathlib import Path

import h5py
import numpy as np

from codeii.formats.columns import column_faults, declared_columns, statement_columns
from codeii.formats.hdf5 import attribute_number, dataset_of, open_hdf5, read_signal
from codeii.formats.layout import Hdf5Signals, Layout, options_of
from codeii.formats.table import column_names, listed, read_table, truth_of, whole_number_of, years_of
from codeii.formats.tracing import Tracing, to_tracing, within
from codeii.formats.wfdb import read_record
from codeii.schema.record import Exclusion, Record, RecordFault
from codeii.schema.shard import WHOLE, Shard

MOST_TRACINGS = 1000  # of one exam; four are published
_ADVICE = "fetch the source, or name its table of exams in sources.{source}.layout.table"


@dataclass(frozen=True, slots=True)
class Wanted:
    """One tracing that the table names, before its signal is read."""

    exam_id: str
    tracing: int
    path: Path
    dataset: str
    patient_id: str
    statements: Mapping[str, float | None]
    fold: str
    age_years: float
    sex: str
    flags: tuple[str, ...]

    @property
    def record_id(self) -> str:
        """Exam and number of the tracing."""
        return f"{self.exam_id}_{self.tracing}"


def read_declared(
    raw: Path,
    options: Mapping[str, object],
    source: str,
    rates_hz: Sequence[int],
    shard: Shard = WHOLE,
    classes: int | None = None,
) -> Iterator[Record | Exclusion]:
    """Every tracing of the shard's rows of the declared table, in its order.

    raw : folder of the source; options : its `layout` block (see `Layout`); rates_hz : rates it may have;
    classes : how many classes its publisher names, None where that is not known or labels are withheld.

    Raises ValueError where the layout is incomplete, the table is absent, or its columns are not those declared.
    A tracing that cannot be read is an Exclusion.
    """
    layout = options_of(Layout, options, source)
    table = raw / layout.table
    advice = _ADVICE.format(source=source)
    header = column_names(table, advice)
    faults = column_faults(layout, header, classes)
    if faults:
        found = f"The file has {', '.join(header)[:400] or 'no header line'}; correct the layout, or fetch it again"
        raise ValueError(f"{table} is not as sources.{source}.layout declares it: {'; '.join(faults)}. {found}")
    names = statement_columns(layout, header)
    rows = read_table(table, [*declared_columns(layout).values(), *names], advice)
    wanted = (item for line, row in shard.of(enumerate(rows, 2)) for item in _wanted(raw, layout, row, names, line))
    return _with_signals(wanted, layout, rates_hz)


def _wanted(
    raw: Path, layout: Layout, row: Mapping[str, str], names: Sequence[str], line: int
) -> Iterator[Wanted | Exclusion]:
    """The tracings of one row of the table."""
    columns = layout.columns
    exam_id = row[columns.exam_id].strip()
    try:
        for column in filter(None, (columns.exam_id, columns.patient_id)):
            if not row[column].strip():
                raise RecordFault("bad_metadata", column, "an empty cell", "an id")
        years, flags = _age_of(layout, row)
        exam = partial(
            Wanted,
            patient_id=row[columns.patient_id].strip() if columns.patient_id else exam_id,
            statements=_statements_of(layout, row, names),
            fold=row[columns.split].strip() if columns.split else "",
            age_years=years,
            sex=layout.sex_values.get(row[columns.sex].strip(), "unknown") if columns.sex else "unknown",
            flags=(*flags, *_odd_statements(layout, row)),
        )
        for tracing in _tracings_of(layout, row):
            of_tracing = {**row, "exam_id": exam_id, "tracing": str(tracing)}
            path = within(raw, _fill(layout.signals.path, of_tracing))
            dataset = _fill(layout.signals.dataset, of_tracing) if isinstance(layout.signals, Hdf5Signals) else ""
            yield exam(exam_id=exam_id, tracing=tracing, path=path, dataset=dataset)
    except RecordFault as fault:
        yield fault.exclusion(exam_id or f"line {line} of {layout.table}")


def _age_of(layout: Layout, row: Mapping[str, str]) -> tuple[float, tuple[str, ...]]:
    columns = layout.columns
    if columns.exam_date is None or columns.birth_date is None:
        return years_of(row[columns.age] if columns.age else "")
    try:
        exam, birth = (date.fromisoformat(row[name].strip()[:10]) for name in (columns.exam_date, columns.birth_date))
    except ValueError:
        return years_of("")
    return years_of(str((exam - birth).days / 365.25))


def _tracings_of(layout: Layout, row: Mapping[str, str]) -> Sequence[int]:
    if layout.columns.tracing is not None:
        return [whole_number_of(row[layout.columns.tracing], layout.columns.tracing)]
    column = str(layout.columns.tracings)
    count = whole_number_of(row[column], column)
    if not 1 <= count <= MOST_TRACINGS:
        raise RecordFault("bad_metadata", column, str(count), f"1 to {MOST_TRACINGS} tracings")
    return range(1, count + 1)


def _statements_of(layout: Layout, row: Mapping[str, str], names: Sequence[str]) -> dict[str, float | None]:
    said = layout.statements
    if said is None:
        return {}
    if said.column is not None:
        return dict.fromkeys(listed(row[said.column], said.separator)[0])
    return {name: None for name in names if truth_of(row[name], name)}


def _odd_statements(layout: Layout, row: Mapping[str, str]) -> tuple[str, ...]:
    said = layout.statements
    return listed(row[said.column], said.separator)[1] if said is not None and said.column is not None else ()


def _fill(template: str, row: Mapping[str, str]) -> str:
    """Put cells of the row where the template has `{column}`; nothing else of Python's format language is known."""

    def cell(match: re.Match[str]) -> str:
        if match[1] not in row:
            raise ValueError(f"layout.signals: {match[0]} is neither a column of the table nor exam_id or tracing")
        return row[match[1]].strip()

    return re.sub(r"\{([^{}]*)\}", cell, template)


def _with_signals(
    found: Iterator[Wanted | Exclusion], layout: Layout, rates_hz: Sequence[int]
) -> Iterator[Record | Exclusion]:
    if not isinstance(layout.signals, Hdf5Signals):
        for item in found:
            yield item if isinstance(item, Exclusion) else _record(item, partial(read_record, item.path), rates_hz)
        return
    # neighbours in the table lie in the same file as a rule: it is opened once for all of them
    for path, group in groupby(found, key=lambda item: None if isinstance(item, Exclusion) else item.path):
        if path is None:
            yield from (item for item in group if isinstance(item, Exclusion))
        else:
            members = (item for item in group if isinstance(item, Wanted))
            yield from _from_file(path, members, layout.signals, rates_hz)


def _from_file(
    path: Path, members: Iterator[Wanted], signals: Hdf5Signals, rates_hz: Sequence[int]
) -> Iterator[Record | Exclusion]:
    try:
        with open_hdf5(path) as file:
            for item in members:
                yield _record(item, partial(_read_dataset, file, item.dataset, signals), rates_hz)
    except RecordFault as fault:  # of the file as a whole
        yield from (fault.exclusion(item.record_id) for item in members)


def _read_dataset(file: h5py.File, name: str, signals: Hdf5Signals) -> Tracing:
    dataset = dataset_of(file, name)
    rate_hz = attribute_number(dataset, signals.rate_attribute)
    if not (rate_hz.is_integer() and rate_hz > 0):
        raise RecordFault("wrong_rate", signals.rate_attribute, str(rate_hz), "a whole number of Hz")
    stored = read_signal(dataset, name)
    signal = stored if signals.axes == "lead_sample" else stored.T
    if len(signal) != len(signals.leads):
        raise RecordFault("wrong_leads", name, f"shape {stored.shape}", f"{len(signals.leads)} leads, {signals.axes}")
    return to_tracing(signal.astype(np.float64) / signals.counts_per_unit, signals.leads, signals.unit, int(rate_hz))


def _record(item: Wanted, read: partial[Tracing], rates_hz: Sequence[int]) -> Record | Exclusion:
    try:
        tracing = read()
        if tracing.rate_hz not in rates_hz:
            expected = "one of " + ", ".join(map(str, rates_hz))
            raise RecordFault("wrong_rate", "rate_hz", str(tracing.rate_hz), expected)
    except RecordFault as fault:
        return fault.exclusion(item.record_id)
    return Record(
        record_id=item.record_id,
        exam_id=item.exam_id,
        patient_id=item.patient_id,
        tracing=item.tracing,
        signal_uv=tracing.signal_uv,
        rate_hz=tracing.rate_hz,
        statements=item.statements,
        fold=item.fold,
        age_years=item.age_years,
        sex=item.sex,
        flags=(*item.flags, *tracing.flags),
    )
