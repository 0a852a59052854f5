"""CODE-15% as Zenodo publishes it: exams.csv and HDF5 parts of zero-padded tracings at 400 Hz."""

from collections.abc import Iterable, Iterator, Mapping
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np

from codeii.schema.splits import uniform_of
from codeii.synthetic.exam import TwinExam
from codeii.synthetic.planted import spoil
from codeii.synthetic.tables import write_table

ABOUT = "exams.csv and exams_part0.hdf5, exams_part1.hdf5, ... in the form of CODE-15% 1.0.0 (tracings are twice mV)."
FAULTS = ("flat", "no_value", "wrong_unit", "absent")
RATE_HZ, SAMPLES, PER_MV = 400, 4096, 2.0
EXAMS_PER_PART = 1000
CLASSES = ("1dAVb", "RBBB", "LBBB", "SB", "ST", "AF")  # order of the published table
COLUMNS = (
    "exam_id",
    "age",
    "is_male",
    "nn_predicted_age",
    *CLASSES,
    "patient_id",
    "death",
    "timey",
    "normal_ecg",
    "trace_file",
)


def record_name(exam_id: str) -> str:
    """Value of `exam_id` in exams.csv and in the HDF5 parts."""
    return exam_id


def write(
    exams: Iterable[TwinExam], folder: Path, faults: Mapping[str, str], settings: Mapping[str, Any]
) -> list[Path]:
    """Write the release. Exams must be at 400 Hz, at most 4096 samples; the first tracing is taken."""
    count = int(settings["twin"]["records"])
    source, files, rows = iter(exams), [], []
    absent = {exam_id for exam_id, fault in faults.items() if fault == "absent"}
    seen: set[str] = set()
    folder.mkdir(parents=True, exist_ok=True)
    for number in range(-(-count // EXAMS_PER_PART)):
        path = folder / f"exams_part{number}.hdf5"
        size = min(EXAMS_PER_PART, count - number * EXAMS_PER_PART)
        present = size - sum((int(exam_id) - 1) // EXAMS_PER_PART == number for exam_id in absent)
        for exam in _write_part(path, islice(source, size), present, faults):
            rows.append(_row(exam, path.name, exam.patient_id not in seen))
            seen.add(exam.patient_id)
        files.append(path)
    # the table's order is not that of the parts: who joins by position instead of exam_id is found out
    rows.sort(key=lambda row: uniform_of(f"row {row[0]}", 0))
    return [*files, write_table(folder / "exams.csv", COLUMNS, rows)]


def _write_part(path: Path, exams: Iterable[TwinExam], present: int, faults: Mapping[str, str]) -> Iterator[TwinExam]:
    """Write one part while its exams pass through. Its last row is zero, with exam_id 0, as in the release."""
    import h5py

    with h5py.File(path, "w") as file:
        # laid out in one piece and uncompressed, as in the release
        tracings = file.create_dataset("tracings", (present + 1, SAMPLES, 12), np.float32, track_times=False)
        ids = np.zeros(present + 1, np.int64)
        row = 0
        for exam in exams:
            fault = faults.get(exam.exam_id)
            if fault != "absent":
                tracings[row], ids[row] = _padded(exam, fault), int(exam.exam_id)
                row += 1
            yield exam
        file.create_dataset("exam_id", data=ids, track_times=False)


def _padded(exam: TwinExam, fault: str | None) -> np.ndarray:
    """(4096, 12) float32, twice mV, zeros on both sides."""
    signal_mv = spoil(exam.tracings_mv[0], fault)
    length = signal_mv.shape[1]
    if exam.rate_hz != RATE_HZ or length > SAMPLES:
        raise ValueError(f"exam {exam.exam_id}: {length} samples at {exam.rate_hz} Hz, expected at most 4096 at 400 Hz")
    padded = np.zeros((SAMPLES, 12), np.float32)
    start = (SAMPLES - length) // 2
    padded[start : start + length] = signal_mv.T * np.float32(PER_MV * (1000 if fault == "wrong_unit" else 1))
    return padded


def _row(exam: TwinExam, part: str, first_of_patient: bool) -> list[object]:
    unknown = sorted(set(exam.statements) - set(CLASSES))
    if unknown:
        raise ValueError(f"exam {exam.exam_id}: statement {', '.join(unknown)} is not one of {', '.join(CLASSES)}")
    drawn = np.random.default_rng([int(exam.exam_id), int(exam.patient_id)])
    predicted_age, died, years = drawn.normal(exam.age_years, 8), drawn.random() < 0.03, drawn.uniform(0.1, 6)
    return [
        int(exam.exam_id),
        int(exam.age_years),
        exam.sex == "male",
        f"{predicted_age:.5f}",
        *[name in exam.statements for name in CLASSES],
        int(exam.patient_id),
        bool(died) if first_of_patient else "",
        f"{years:.6f}" if first_of_patient else "",
        not exam.statements,
        part,
    ]
