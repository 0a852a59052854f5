"""The restricted full CODE-II in the form declared in params.yaml, the same as CODE-II-open's."""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from codeii.synthetic.declared_files import statement_names, write_declared
from codeii.synthetic.exam import TwinExam

ABOUT = (
    "One table and the tracings of every exam, in the form that params.yaml declares for the full CODE-II, whose own\n"
    "file format is not published. The names of the 66 classes are stand-ins: the real ones are not published either."
)
FAULTS = ("truncated", "flat", "wrong_checksum", "no_value", "wrong_unit", "absent")


def record_name(exam_id: str) -> str:
    """Exam and tracing that a planted fault concerns."""
    return f"{exam_id}_1"


def write(
    exams: Iterable[TwinExam], folder: Path, faults: Mapping[str, str], settings: Mapping[str, Any]
) -> list[Path]:
    """Write the release as `settings["layout"]` declares it. Returns the files written."""
    return write_declared(exams, folder, faults, settings["layout"], "code_ii", statement_names("code_ii"))
