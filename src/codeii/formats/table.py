"""CSV tables of metadata, row by row, and what their cells mean."""

import csv
import math
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TextIO

from codeii.schema.record import RecordFault

LONGEST_LINE = 1_000_000  # characters; no table of the field comes near
OLDEST_YEARS = 120.0
_SEX_WORDS = {"m": "male", "male": "male", "f": "female", "female": "female"}
_TRUTH = {"1": True, "1.0": True, "true": True, "0": False, "0.0": False, "false": False}


def read_table(path: Path, columns: Sequence[str], advice: str) -> Iterator[dict[str, str]]:
    """Rows of a CSV file with a header line, as text, in file order.

    columns : those that must be there, in any order among others; advice : what to do where the file is absent.

    Raises ValueError where the file is absent, is not UTF-8, lacks a column, or has a row of another length
    (a cut download, or a copy damaged by a spreadsheet).
    """
    if not path.is_file():
        raise ValueError(f"{path} is not there; {advice}")
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            yield from _rows(file, path, columns)
    except UnicodeDecodeError as error:
        raise ValueError(f"{path}: not UTF-8 text ({error.reason} at byte {error.start}); fetch it again") from error
    except csv.Error as error:
        raise ValueError(f"{path}: not a CSV table ({error}); fetch it again") from error


def column_names(path: Path, advice: str) -> list[str]:
    """Names in the header line of a CSV file. Raises ValueError where it is absent."""
    if not path.is_file():
        raise ValueError(f"{path} is not there; {advice}")
    with path.open(newline="", encoding="utf-8-sig") as file:
        return next(csv.reader(_lines(file, path)), [])


def _rows(file: TextIO, path: Path, columns: Sequence[str]) -> Iterator[dict[str, str]]:
    reader = csv.reader(_lines(file, path), strict=True)
    header = next(reader, [])
    missing = [name for name in columns if name not in header]
    if missing:
        shown = ", ".join(header)[:400] or "no header line"
        raise ValueError(f"{path}: column {', '.join(missing)} is missing; the file has {shown}")
    for cells in reader:
        if len(cells) != len(header):
            raise ValueError(
                f"{path} line {reader.line_num}: {len(cells)} cells, the header line has {len(header)}; "
                "the file is cut or damaged, fetch it again"
            )
        yield dict(zip(header, cells, strict=True))


def _lines(file: TextIO, path: Path) -> Iterator[str]:
    while line := file.readline(LONGEST_LINE):
        if len(line) == LONGEST_LINE and not line.endswith("\n"):
            raise ValueError(f"{path}: a line is longer than {LONGEST_LINE} characters; this is not the table")
        yield line


def years_of(text: str) -> tuple[float, tuple[str, ...]]:
    """Age in years and flags: NaN and ("age_unknown",) where the text is no age between 0 and 120."""
    try:
        years = float(text)
    except ValueError:
        years = math.nan
    return (years, ()) if 0 <= years <= OLDEST_YEARS else (math.nan, ("age_unknown",))


def sex_of(text: str) -> str:
    """One of `SEXES` for `M`, `male`, `F`, `Female` ...; "unknown" for any other word."""
    return _SEX_WORDS.get(text.strip().lower(), "unknown")


def truth_of(text: str, field: str) -> bool:
    """True for `1` and `True`, False for `0` and `False`; RecordFault for anything else."""
    value = _TRUTH.get(text.strip().lower())
    if value is None:
        raise RecordFault("bad_metadata", field, repr(text[:80]), "0 or 1, True or False")
    return value


def whole_number_of(text: str, field: str) -> int:
    """Integer for `7` and `7.0`; RecordFault for anything else."""
    try:
        number = float(text)
    except ValueError:
        number = math.nan
    if not number.is_integer():  # also False for NaN and infinity
        raise RecordFault("bad_metadata", field, repr(text[:80]), "a whole number")
    return int(number)


def listed(text: str, separator: str) -> tuple[list[str], tuple[str, ...]]:
    """Statements of a list such as `59118001,164889003,` and flags for what is odd about it.

    A statement given twice counts once ("statement_twice"); an empty one among others is left out ("statement_empty").
    """
    parts = [part.strip() for part in text.split(separator)]
    named = list(dict.fromkeys(part for part in parts if part))
    filled = sum(part != "" for part in parts)
    twice = ("statement_twice",) if len(named) < filled else ()
    return named, (*twice, "statement_empty") if 0 < filled < len(parts) else twice
