"""Tables of a release as text: the same bytes on every platform."""

import csv
import io
from collections.abc import Iterable, Sequence
from pathlib import Path


def write_table(path: Path, header: Sequence[str], rows: Iterable[Sequence[object]], line_end: str = "\n") -> Path:
    """Write a UTF-8 CSV file, quoting only where needed. Returns its path."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator=line_end)
    writer.writerow(header)
    writer.writerows(rows)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(text.getvalue().encode())
    return path
