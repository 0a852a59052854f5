"""Twins of the sources whose on-disk form is declared in params.yaml (`sources.<name>.layout`): the CODE-II sets.

The writer follows the declared layout, as the reader does: WFDB records, or one HDF5 file, beside one table.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path

import numpy as np

from codeii.formats.layout import Hdf5Signals, Layout, WfdbSignals, options_of
from codeii.schema.leads import LEADS, standard_name
from codeii.synthetic.exam import TwinExam
from codeii.synthetic.planted import spoil
from codeii.synthetic.tables import write_table
from codeii.synthetic.twin_source import twin_source
from codeii.synthetic.wfdb_files import COUNTS_PER_MV, to_counts, write_wfdb

WriteTracing = Callable[[TwinExam, int, np.ndarray, str | None], list[Path]]


def statement_names(source: str) -> tuple[str, ...]:
    """Every statement that the twin of `source` may make, in the order of its columns."""
    return tuple(dict.fromkeys(row.statement for row in twin_source(source).labels if row.statement))


def write_declared(
    exams: Iterable[TwinExam],
    folder: Path,
    faults: Mapping[str, str],
    options: Mapping[str, object],
    source: str,
    classes: Sequence[str],
) -> list[Path]:
    """Write the table and every tracing as the layout block `options` says. Returns the files written.

    classes : statements of the source, one 0/1 column each, in order, right of the other columns; none is written
    where the layout says `statements: null`. A planted fault concerns the first tracing of its exam.

    Raises ValueError where the layout is incomplete, or is one that only real releases may have.
    """
    layout = options_of(Layout, options, source)
    columns = {word: name for word, name in layout.columns.model_dump().items() if name is not None}
    _check_twin_layout(layout, list(columns.values()), classes)
    shown = classes if layout.statements is not None else ()
    rows: list[list[object]] = []
    with ExitStack() as stack:
        files, write_tracing = _opened(folder, layout.signals, stack)
        for exam in exams:
            rows.append(_row(exam, columns, layout.sex_values, shown))
            for tracing, signal_mv in enumerate(exam.tracings_mv, start=1):
                fault = faults.get(exam.exam_id) if tracing == 1 else None
                if fault != "absent":
                    files += write_tracing(exam, tracing, spoil(signal_mv, fault), fault)
    return [*files, write_table(folder / layout.table, [*columns.values(), *shown], rows)]


def _check_twin_layout(layout: Layout, names: Sequence[str], classes: Sequence[str]) -> None:
    said = layout.statements
    if layout.columns.tracings is None:
        raise ValueError("layout.columns.tracings is not declared: a twin has one row per exam and counts its tracings")
    if said is not None and said.after != names[-1] and said.columns != list(classes):
        expected = f"after: {names[-1]}, or columns: the {len(classes)} classes of the twin in their order"
        raise ValueError(f"layout.statements {said.model_dump(exclude_none=True)}: a twin is written with {expected}")


def _row(
    exam: TwinExam, columns: Mapping[str, str], sex_values: Mapping[str, str], classes: Sequence[str]
) -> list[object]:
    unknown = sorted(set(exam.statements) - set(classes)) if classes else []
    if unknown:
        raise ValueError(f"exam {exam.exam_id}: statement {', '.join(unknown)} is not a class of the source")
    value: dict[str, object] = {
        "exam_id": exam.exam_id,
        "patient_id": exam.patient_id,
        "age": int(exam.age_years),
        "sex": next((word for word, sex in sex_values.items() if sex == exam.sex), ""),
        "split": exam.fold,
        "tracings": len(exam.tracings_mv),
    }
    return [*(value[word] for word in columns), *(int(name in exam.statements) for name in classes)]


def _opened(folder: Path, signals: WfdbSignals | Hdf5Signals, stack: ExitStack) -> tuple[list[Path], WriteTracing]:
    """Files that are there from the start, and the function that writes one tracing."""
    if isinstance(signals, WfdbSignals):
        return [], _wfdb_writer(folder, signals)
    return [folder / signals.path], _hdf5_writer(folder, signals, stack)


def _wfdb_writer(folder: Path, signals: WfdbSignals) -> WriteTracing:
    def write_tracing(exam: TwinExam, tracing: int, signal_mv: np.ndarray, fault: str | None) -> list[Path]:
        stem = folder / signals.path.format(exam_id=exam.exam_id, tracing=tracing)
        stem.parent.mkdir(parents=True, exist_ok=True)
        return write_wfdb(stem, to_counts(signal_mv), exam.rate_hz, LEADS, fault)

    return write_tracing


def _hdf5_writer(folder: Path, signals: Hdf5Signals, stack: ExitStack) -> WriteTracing:
    import h5py

    if (signals.unit, signals.counts_per_unit) != ("mV", COUNTS_PER_MV):
        found = f"{signals.counts_per_unit} counts per {signals.unit}"
        raise ValueError(f"layout.signals: {found}; a twin is written with {COUNTS_PER_MV} counts per mV")
    path = folder / signals.path
    path.parent.mkdir(parents=True, exist_ok=True)
    file = stack.enter_context(h5py.File(path, "w"))
    order = [LEADS.index(standard_name(name)) for name in signals.leads]

    def write_tracing(exam: TwinExam, tracing: int, signal_mv: np.ndarray, fault: str | None) -> list[Path]:
        counts = to_counts(signal_mv * (1000 if fault == "wrong_unit" else 1))[order]
        name = signals.dataset.format(exam_id=exam.exam_id, tracing=tracing)
        turned = counts if signals.axes == "lead_sample" else counts.T
        dataset = file.create_dataset(name, data=turned, track_times=False)
        dataset.attrs[signals.rate_attribute] = exam.rate_hz
        return []

    return write_tracing
