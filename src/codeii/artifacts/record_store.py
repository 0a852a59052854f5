"""Door of the records: one flat int16 signal file of 1 uV counts, one row of metadata per record, named exclusions."""

import json
import math
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from codeii.artifacts.atomic import whole_file
from codeii.artifacts.manifest import Manifest, read_manifest, write_manifest
from codeii.schema.record import MEASURES, SEXES, Exclusion, Record

SIGNALS, RECORDS, EXCLUDED = "signals.npy", "records.parquet", "excluded.csv"
COLUMNS = (
    "record_id",
    "exam_id",
    "patient_id",
    "tracing",
    "start",
    "stop",
    "rate_hz",
    "statements",
    "fold",
    "age_years",
    "sex",
    "flags",
    *MEASURES,
)
_HEADER_BYTES = 128  # of a one-dimensional .npy: numpy leaves room for the length to grow


@dataclass(frozen=True, slots=True)
class RecordStore:
    """Records of one source. `signal(row)` is a (12, sample) int16 view in uV."""

    manifest: Manifest
    signals_uv: np.ndarray  # flat int16
    records: pd.DataFrame
    excluded: pd.DataFrame

    def signal(self, row: int) -> np.ndarray:
        """(12, sample) int16 of the record in `row`, uV, in `LEADS` order."""
        start, stop = self.records["start"].iat[row], self.records["stop"].iat[row]
        return self.signals_uv[start:stop].reshape(12, -1)

    def statements(self) -> Iterator[dict[str, float | None]]:
        """Raw statements of every record: statement -> likelihood in percent, or None."""
        return map(json.loads, self.records["statements"])


def write_record_store(
    folder: Path,
    found: Iterable[Record | Exclusion],
    *,
    settings: Mapping[str, Any],
    code: str,
    inputs: Iterable[Path],
    facts: Mapping[str, Any],
    synthetic: bool,
) -> Path:
    """Write records as they come (constant memory), and the exclusions beside them. Returns the manifest's path."""
    rows: list[dict[str, Any]] = []
    exclusions: list[Exclusion] = []
    stop = 0
    with whole_file(folder / SIGNALS) as temporary, temporary.open("wb") as file:
        file.write(bytes(_HEADER_BYTES))
        for item in found:
            if isinstance(item, Exclusion):
                exclusions.append(item)
                continue
            start, stop = stop, stop + item.signal_uv.size
            file.write(np.ascontiguousarray(item.signal_uv, "<i2").data)
            rows.append(_row(item, start, stop))
        file.seek(0)
        header = {"descr": "<i2", "fortran_order": False, "shape": (stop,)}
        np.lib.format.write_array_header_1_0(file, header)
        if file.tell() != _HEADER_BYTES:
            raise AssertionError(f"npy header of {file.tell()} bytes")
    records = pd.DataFrame(rows, columns=list(COLUMNS))
    excluded = pd.DataFrame(exclusions, columns=["record_id", "reason", "field", "found", "expected"])
    _check(records, stop)
    with whole_file(folder / RECORDS) as temporary:
        records.to_parquet(temporary, index=False)
    with whole_file(folder / EXCLUDED) as temporary:
        excluded.to_csv(temporary, index=False, lineterminator="\n")
    counts = {
        "records": len(records),
        "exams": int(records["exam_id"].nunique()),
        "patients": int(records["patient_id"].nunique()),
        "excluded": {reason: int(n) for reason, n in sorted(excluded["reason"].value_counts().items())},
    }
    return write_manifest(
        folder,
        "records",
        files=[SIGNALS, RECORDS, EXCLUDED],
        settings=settings,
        code=code,
        inputs=inputs,
        facts={**facts, **counts},
        synthetic=synthetic,
    )


def read_record_store(manifest_path: Path) -> RecordStore:
    """Verify and open a record store; signals stay on disk until used."""
    folder = manifest_path.parent
    manifest = read_manifest(manifest_path, "records")
    records = pd.read_parquet(folder / RECORDS)
    signals = np.load(folder / SIGNALS, mmap_mode="r") if len(records) else np.empty(0, np.int16)
    _check(records, len(signals))
    excluded = pd.read_csv(folder / EXCLUDED, dtype=str, keep_default_na=False)
    return RecordStore(manifest, signals, records, excluded)


def _row(record: Record, start: int, stop: int) -> dict[str, Any]:
    if record.signal_uv.dtype != np.int16 or record.signal_uv.ndim != 2 or len(record.signal_uv) != 12:
        found = f"{record.signal_uv.dtype} {record.signal_uv.shape}"
        raise ValueError(f"record {record.record_id}: signal is {found}, expected int16 (12, sample)")
    statements = json.dumps(dict(record.statements), ensure_ascii=False)
    values = {name: getattr(record, name) for name in COLUMNS if hasattr(record, name)}
    values |= asdict(record.measures) if record.measures else dict.fromkeys(MEASURES, math.nan)
    return {**values, "start": start, "stop": stop, "statements": statements, "flags": " ".join(record.flags)}


def _check(records: pd.DataFrame, length: int) -> None:
    if tuple(records.columns) != COLUMNS:
        raise ValueError(f"records have columns {list(records.columns)}, expected {list(COLUMNS)}")
    twice = records["record_id"][records["record_id"].duplicated()]
    if len(twice):
        raise ValueError(f"record_id {twice.iat[0]!r} occurs more than once")
    starts, stops = records["start"].to_numpy(np.int64), records["stop"].to_numpy(np.int64)
    tiled = np.array_equal(starts, np.concatenate([[0], stops])[:-1]) and (stops[-1] if len(stops) else 0) == length
    if not tiled or ((stops - starts) % 12).any() or (stops <= starts).any():
        raise ValueError("record offsets do not tile the signal file in twelves")
    if (records["rate_hz"] <= 0).any():
        raise ValueError(f"rate_hz {records['rate_hz'].min()} is not positive")
    odd = set(records["sex"]) - set(SEXES)
    if odd:
        raise ValueError(f"sex {sorted(odd)} is not one of {SEXES}")
