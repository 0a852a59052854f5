"""CPSC 2018 in the form of the contest (MATLAB structures) or of the PhysioNet Challenges (.hea and MATLAB v4)."""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from codeii.synthetic.exam import TwinExam
from codeii.synthetic.matlab5 import write_matlab5
from codeii.synthetic.planted import spoil
from codeii.synthetic.tables import write_table
from codeii.synthetic.wfdb_files import to_counts, write_challenge

ABOUT = (
    "Form contest: TrainingSet1/ to TrainingSet3/ with one MATLAB structure per exam, and REFERENCE.csv.\n"
    "Form challenge: training/cpsc_2018/g1/, g2/, ... with a header and a MATLAB v4 matrix per exam."
)
FAULTS = ("truncated", "flat", "no_value", "wrong_unit", "absent")
FORMS = ("contest", "challenge")
RATE_HZ = 500
EXAMS_PER_SET, SETS, EXAMS_PER_GROUP = 2293, 3, 1000
MOST_EXAMS = 6877  # the release's own number: the recordings beyond belong to another bundle
# Label number of REFERENCE.csv -> SNOMED CT code of the Challenges (facts of both releases).
SNOMED = {
    "1": "426783006",
    "2": "164889003",
    "3": "270492004",
    "4": "164909002",
    "5": "59118001",
    "6": "284470004",
    "7": "164884008",
    "8": "429622005",
    "9": "164931005",
}


def record_name(exam_id: str) -> str:
    """Name of the recording in both forms: `A0001`."""
    return f"A{int(exam_id):04d}"


def write(
    exams: Iterable[TwinExam], folder: Path, faults: Mapping[str, str], settings: Mapping[str, Any]
) -> list[Path]:
    """Write the release in the form of `settings["twin"]["form"]`. Exams must be at 500 Hz. Returns the files."""
    form = settings["twin"].get("form") or FORMS[0]
    if form not in FORMS:
        raise ValueError(f"twin form {form!r} of cpsc2018 is not one of {', '.join(FORMS)}")
    write_exam = {"contest": _write_structure, "challenge": _write_challenge}[form]
    files, rows = [], []
    for exam in exams:
        _check(exam)
        rows.append([record_name(exam.exam_id), *exam.statements, *[""] * (3 - len(exam.statements))])
        files += write_exam(exam, folder, faults.get(exam.exam_id))
    if form == "contest":
        header = ("Recording", "First_label", "Second_label", "Third_label")
        files.append(write_table(folder / "REFERENCE.csv", header, rows, line_end="\r\n"))
    return files


def _check(exam: TwinExam) -> None:
    if int(exam.exam_id) > MOST_EXAMS:
        raise ValueError(f"twin.records: exam {exam.exam_id}, but CPSC 2018 has at most {MOST_EXAMS} recordings")
    unknown = sorted(set(exam.statements) - set(SNOMED))
    if unknown or not 1 <= len(exam.statements) <= 3:
        raise ValueError(f"exam {exam.exam_id}: labels {exam.statements}, expected one to three of {', '.join(SNOMED)}")
    if exam.rate_hz != RATE_HZ:
        raise ValueError(f"exam {exam.exam_id}: {exam.rate_hz} Hz, CPSC 2018 is published at {RATE_HZ} Hz")


def _write_structure(exam: TwinExam, folder: Path, fault: str | None) -> list[Path]:
    """Structure ECG with sex, age and data: (12, sample) float64 in mV."""
    if fault == "absent":
        return []
    number = min(SETS, 1 + (int(exam.exam_id) - 1) // EXAMS_PER_SET)
    path = folder / f"TrainingSet{number}" / f"{record_name(exam.exam_id)}.mat"
    path.parent.mkdir(parents=True, exist_ok=True)
    # whole microvolts: the files compress to half, and readers of either form see the same samples
    microvolts = np.rint(spoil(exam.tracings_mv[0], fault).astype(np.float64) * 1000)
    data = microvolts if fault == "wrong_unit" else microvolts / 1000
    write_matlab5(path, {"ECG": {"sex": exam.sex.capitalize(), "age": int(exam.age_years), "data": data}})
    if fault == "truncated":
        path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    return [path]


def _write_challenge(exam: TwinExam, folder: Path, fault: str | None) -> list[Path]:
    stem = (
        folder / "training" / "cpsc_2018" / f"g{1 + int(exam.exam_id) // EXAMS_PER_GROUP}" / record_name(exam.exam_id)
    )
    stem.parent.mkdir(parents=True, exist_ok=True)
    codes = ",".join(SNOMED[label] for label in exam.statements)
    comments = [f"#Age: {int(exam.age_years)}", f"#Sex: {exam.sex.capitalize()}", f"#Dx: {codes}"]
    comments += [f"#{field}: Unknown" for field in ("Rx", "Hx", "Sx")]
    return write_challenge(stem, to_counts(spoil(exam.tracings_mv[0], fault)), RATE_HZ, comments, fault)
