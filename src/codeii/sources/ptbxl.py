"""PTB-XL: 21,799 ten-second clinical ECGs of 18,869 patients, recorded in Germany between 1989 and 1996.

Each is annotated by up to two cardiologists with 71 SCP-ECG statements, most with a likelihood in percent
(0 means "not given", not "absent"). Published by PhysioNet at 500 and 100 Hz with ten folds by patient.
"""

import ast
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Literal

from pydantic import Field

from codeii.formats.layout import options_of
from codeii.formats.table import read_table, whole_number_of, years_of
from codeii.formats.tracing import within
from codeii.formats.wfdb import read_record
from codeii.schema.params import Strict
from codeii.schema.record import Card, Exclusion, Record, RecordFault
from codeii.schema.shard import WHOLE, Shard

CARD = Card(
    title="PTB-XL, a large publicly available electrocardiography dataset",
    version="1.0.3",
    doi="10.13026/kfzx-aw45",
    licence="CC BY 4.0",
    records=21_799,
    patients=18_869,
    rates_hz=(500, 100),
    mains_hz=50,
    lead_spelling="I II III AVR AVL AVF V1-V6",
    unit="int16 in WFDB format 16, 1000 counts per mV, baseline 0",
    statements="71 SCP-ECG statements with likelihoods in percent; 0 means that none is given",
    split_protocol="ten published folds by patient: 1-8 training, 9 validation, 10 test (9 and 10 better annotated)",
    known_issues=(
        "age 300 means over 89: read as 90 and flagged age_masked",
        "1.0.1 has 38 more rows, 36 groups of duplicates and other fold sizes; numbers before 2022 are on it",
        "record 162 at 500 Hz: samples 791 to 799 of aVR and aVF are off by 2.56 mV in the published file",
        "the 100 Hz files are not every fifth sample, and their last 0.1 s can jump by up to 2 mV",
    ),
    citation="Wagner P, Strodthoff N, Bousseljot R-D, et al. PTB-XL, a large publicly available electrocardiography "
    "dataset. Scientific Data 7:154 (2020).",
)

TABLE = "ptbxl_database.csv"
_FILE_OF = {500: "filename_hr", 100: "filename_lr"}
_COLUMNS = ("ecg_id", "patient_id", "age", "sex", "scp_codes", "strat_fold")
_SEX = {"0": "male", "1": "female"}
_SECONDS = 10
_MASKED_AGE, _OLDEST = 300.0, 90.0
_PAIR = re.compile(r"'([^'\\\r\n\0]+)': ([0-9]{1,15}\.[0-9]{1,15})", re.ASCII)
_USUAL = re.compile(rf"\{{{_PAIR.pattern}(, {_PAIR.pattern})*\}}", re.ASCII)


class Layout(Strict):
    """What params.yaml may say under `sources.ptbxl.layout`."""

    rate_hz: Literal[500, 100] = Field(500, description="which of the two published rates is read")


def read_records(raw: Path, options: Mapping[str, object], shard: Shard = WHOLE) -> Iterator[Record | Exclusion]:
    """Every row of ptbxl_database.csv, in its order. Raises ValueError where the table is absent or damaged."""
    rate_hz = options_of(Layout, options, "ptbxl").rate_hz
    advice = "fetch PTB-XL, or point sources.ptbxl.path at the folder that holds it"
    rows = read_table(raw / TABLE, (*_COLUMNS, _FILE_OF[rate_hz]), advice)
    return (_record(raw, row, rate_hz) for row in shard.of(rows))


def _record(raw: Path, row: Mapping[str, str], rate_hz: int) -> Record | Exclusion:
    try:
        years, flags = _age(row["age"])
        statements, odd = _statements(row["scp_codes"])
        patient_id = str(whole_number_of(row["patient_id"], "patient_id"))
        tracing = read_record(within(raw, row[_FILE_OF[rate_hz]]))
        if tracing.rate_hz != rate_hz:
            raise RecordFault("wrong_rate", "rate_hz", str(tracing.rate_hz), str(rate_hz))
        samples = tracing.signal_uv.shape[1]
        if samples != _SECONDS * rate_hz:
            raise RecordFault("wrong_length", "samples", str(samples), str(_SECONDS * rate_hz))
    except RecordFault as fault:
        return fault.exclusion(row["ecg_id"])
    return Record(
        record_id=row["ecg_id"],
        exam_id=row["ecg_id"],
        patient_id=patient_id,
        tracing=1,
        signal_uv=tracing.signal_uv,
        rate_hz=rate_hz,
        statements=statements,
        fold=row["strat_fold"],
        age_years=years,
        sex=_SEX.get(row["sex"].removesuffix(".0"), "unknown"),
        flags=(*flags, *odd, *tracing.flags),
    )


def _age(text: str) -> tuple[float, tuple[str, ...]]:
    try:
        masked = float(text) == _MASKED_AGE
    except ValueError:
        masked = False
    return (_OLDEST, ("age_masked",)) if masked else years_of(text)


def _statements(text: str) -> tuple[dict[str, float | None], tuple[str, ...]]:
    """`{'NORM': 100.0, 'SR': 0.0}`, written as a Python dictionary; a flag where it names a statement twice."""
    expected = "a dictionary of statement and likelihood"
    if _USUAL.fullmatch(text):  # what every published row is; Python's own parser takes ten times as long
        pairs = _PAIR.findall(text)
        usual: dict[str, float | None] = {statement: float(likelihood) for statement, likelihood in pairs}
        return usual, ("statement_twice",) if len(pairs) > len(usual) else ()
    try:
        node = ast.parse(text.strip(), mode="eval").body
        found = ast.literal_eval(node)
        twice = isinstance(node, ast.Dict) and len(node.keys) > len(found)
        said: dict[str, float | None] = {str(statement): float(likelihood) for statement, likelihood in found.items()}
        return said, ("statement_twice",) if twice else ()
    except (ValueError, SyntaxError, TypeError, AttributeError, OverflowError, MemoryError, RecursionError) as error:
        raise RecordFault("bad_metadata", "scp_codes", repr(text[:120]), expected) from error
