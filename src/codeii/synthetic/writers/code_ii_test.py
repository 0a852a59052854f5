"""CODE-II-test in the form declared in params.yaml. Its labels are withheld, so none are written anywhere."""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from codeii.synthetic.declared_files import write_declared
from codeii.synthetic.exam import TwinExam

ABOUT = (
    "One table and the tracings of every exam, in the form that params.yaml declares for CODE-II-test, whose own file\n"
    "format is not published. As in the release, no label is given."
)
FAULTS = ("flat", "wrong_unit", "absent")


def record_name(exam_id: str) -> str:
    """Exam and tracing that a planted fault concerns."""
    return f"{exam_id}_1"


def write(
    exams: Iterable[TwinExam], folder: Path, faults: Mapping[str, str], settings: Mapping[str, Any]
) -> list[Path]:
    """Write the release as `settings["layout"]` declares it. Returns the files written."""
    return write_declared(exams, folder, faults, settings["layout"], "code_ii_test", ())
