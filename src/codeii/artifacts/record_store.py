"""Door of the records: flat int16 signal files of 1 uV counts, one row of metadata per record, named exclusions.

A source is read in shards, each by a job of its own: `shards/<index>/` holds the shard's signals, rows and exclusions.
The store gathers them: its rows and exclusions are those of the shards one after the other, its signals stay where
they are.
"""

import json
import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from codeii.artifacts.atomic import whole_file
from codeii.artifacts.manifest import NAME, Manifest, check_files, load_manifest, read_manifest, write_manifest
from codeii.schema.record import MEASURES, SEXES, Exclusion, Record

SIGNALS, RECORDS, EXCLUDED, SHARDS = "signals.npy", "records.parquet", "excluded.csv", "shards"
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
STORE_COLUMNS = (*COLUMNS, "shard")
EXCLUDED_COLUMNS = ("record_id", "reason", "field", "found", "expected")
_HEADER_BYTES = 128  # of a one-dimensional .npy: numpy leaves room for the length to grow


@dataclass(frozen=True, slots=True)
class RecordStore:
    """Records of one source. `signal(row)` is a (12, sample) int16 view in uV.

    Rows and exclusions are verified when the store is read, a shard's signals when the first of them is used: who
    needs the metadata alone does not wait for terabytes to be hashed.
    """

    manifest: Manifest
    folder: Path
    records: pd.DataFrame  # STORE_COLUMNS
    excluded: pd.DataFrame
    _places: np.ndarray  # (record, 3) start, stop and shard: asking pandas for one row takes longer than to filter it
    _opened: dict[int, np.ndarray] = field(default_factory=dict)
    _verified: set[int] = field(default_factory=set)

    def signal(self, row: int) -> np.ndarray:
        """(12, sample) int16 of the record in `row`, uV, in `LEADS` order. Raises IntegrityError on changed files."""
        start, stop, shard = self._places[row].tolist()
        if shard not in self._opened:
            folder = self.folder / SHARDS / str(shard)
            if shard not in self._verified:
                _verify_signals(folder)
                self._verified.add(shard)
            self._opened[shard] = np.load(folder / SIGNALS, mmap_mode="r")
        return self._opened[shard][start:stop].reshape(12, -1)

    def release(self) -> None:
        """Give back the memory that signals took, once nobody holds one: a pass over a store needs no more for a
        larger one."""
        self._opened.clear()

    def statements(self) -> Iterator[dict[str, float | None]]:
        """Raw statements of every record: statement -> likelihood in percent, or None."""
        return map(json.loads, self.records["statements"])


def write_record_shard(
    folder: Path,
    found: Iterable[Record | Exclusion],
    *,
    settings: Mapping[str, Any],
    code: str,
    inputs: Iterable[Path],
    facts: Mapping[str, Any],
    synthetic: bool,
) -> Path:
    """Write every record and exclusion in the order given; constant memory but for the rows of metadata.

    facts : more of them may be added while `found` is consumed. Returns the manifest's path. Raises ValueError on a
    record_id given twice, a signal that is not (12, sample) int16, or an unknown sex.
    """
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
    _check(records, [stop])
    _write_tables(folder, records, pd.DataFrame(exclusions, columns=list(EXCLUDED_COLUMNS)))
    return write_manifest(
        folder,
        "record_shard",
        files=[SIGNALS, RECORDS, EXCLUDED],
        settings=settings,
        code=code,
        inputs=inputs,
        facts={**facts, "records": len(records), "signal_values": stop},
        synthetic=synthetic,
    )


def write_record_store(
    folder: Path,
    shards: Sequence[Path],
    *,
    settings: Mapping[str, Any],
    code: str,
    facts: Mapping[str, Any],
    synthetic: bool,
) -> Path:
    """Gather the shards of a source: their rows and exclusions in one table each, their signals by name.

    shards : manifests, `folder/shards/0/manifest.json` first. Returns the manifest's path. Raises ValueError on a
    record_id that two shards hold, IntegrityError on a table that is not what its shard's manifest says.
    """
    records, excluded = gathered(shards)
    _check(records, [int(load_manifest(path, "record_shard").facts["signal_values"]) for path in shards])
    _write_tables(folder, records, excluded)
    counts = {
        "records": len(records),
        "exams": int(records["exam_id"].nunique()),
        "patients": int(records["patient_id"].nunique()),
        "excluded": {reason: int(n) for reason, n in sorted(excluded["reason"].value_counts().items())},
    }
    return write_manifest(
        folder,
        "records",
        files=[RECORDS, EXCLUDED, *(path.relative_to(folder).as_posix() for path in shards)],
        settings=settings,
        code=code,
        inputs=shards,
        facts={**facts, **counts, "shards": len(shards)},
        synthetic=synthetic,
    )


def gathered(shards: Sequence[Path]) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Rows (`STORE_COLUMNS`) and exclusions of the shards, one after the other; verified, no signal is read."""
    records, excluded = [], []
    for number, path in enumerate(shards):
        files = load_manifest(path, "record_shard").files
        check_files(path.parent, {name: files[name] for name in (RECORDS, EXCLUDED)})
        records.append(pd.read_parquet(path.parent / RECORDS).assign(shard=number))
        excluded.append(_read_excluded(path.parent))
    return stacked(records), stacked(excluded)


def stacked(tables: Sequence[pd.DataFrame]) -> pd.DataFrame:
    """Tables of the same columns below each other; empty ones would change the types of the others and are left out."""
    filled = [table for table in tables if len(table)]
    return pd.concat(filled, ignore_index=True) if filled else tables[0]


def read_record_store(manifest_path: Path) -> RecordStore:
    """Verify rows and exclusions and open the store; signals are verified and mapped when they are used."""
    folder = manifest_path.parent
    manifest = read_manifest(manifest_path, "records")
    records = pd.read_parquet(folder / RECORDS)
    shards = [folder / SHARDS / str(number) / NAME for number in range(manifest.facts["shards"])]
    _check(records, [int(load_manifest(path, "record_shard").facts["signal_values"]) for path in shards])
    places = records[["start", "stop", "shard"]].to_numpy(np.int64)
    return RecordStore(manifest, folder, records, _read_excluded(folder), places)


def _verify_signals(folder: Path) -> None:
    files = load_manifest(folder / NAME, "record_shard").files
    check_files(folder, {SIGNALS: files[SIGNALS]})


def _write_tables(folder: Path, records: pd.DataFrame, excluded: pd.DataFrame) -> None:
    with whole_file(folder / RECORDS) as temporary:
        records.to_parquet(temporary, index=False)
    with whole_file(folder / EXCLUDED) as temporary:
        excluded.to_csv(temporary, index=False, lineterminator="\n")


def _read_excluded(folder: Path) -> pd.DataFrame:
    return pd.read_csv(folder / EXCLUDED, dtype=str, keep_default_na=False)


def _row(record: Record, start: int, stop: int) -> dict[str, Any]:
    if record.signal_uv.dtype != np.int16 or record.signal_uv.ndim != 2 or len(record.signal_uv) != 12:
        found = f"{record.signal_uv.dtype} {record.signal_uv.shape}"
        raise ValueError(f"record {record.record_id}: signal is {found}, expected int16 (12, sample)")
    statements = json.dumps(dict(record.statements), ensure_ascii=False)
    values = {name: getattr(record, name) for name in COLUMNS if hasattr(record, name)}
    values |= {name: getattr(record.measures, name, math.nan) for name in MEASURES}  # NaN before the gates
    return {**values, "start": start, "stop": stop, "statements": statements, "flags": " ".join(record.flags)}


def _check(records: pd.DataFrame, lengths: Sequence[int]) -> None:
    """lengths : values in the signal file of each shard."""
    columns = STORE_COLUMNS if "shard" in records else COLUMNS
    if tuple(records.columns) != columns:
        raise ValueError(f"records have columns {list(records.columns)}, expected {list(columns)}")
    twice = records["record_id"][records["record_id"].duplicated()]
    if len(twice):
        raise ValueError(f"record_id {twice.iat[0]!r} occurs more than once")
    shard = records["shard"].to_numpy(np.int64) if "shard" in records else np.zeros(len(records), np.int64)
    for number, length in enumerate(lengths):
        _check_tiles(records[shard == number], length)
    if (records["rate_hz"] <= 0).any():
        raise ValueError(f"rate_hz {records['rate_hz'].min()} is not positive")
    odd = set(records["sex"]) - set(SEXES)
    if odd:
        raise ValueError(f"sex {sorted(odd)} is not one of {SEXES}")


def _check_tiles(records: pd.DataFrame, length: int) -> None:
    starts, stops = records["start"].to_numpy(np.int64), records["stop"].to_numpy(np.int64)
    tiled = np.array_equal(starts, np.concatenate([[0], stops])[:-1]) and (stops[-1] if len(stops) else 0) == length
    if not tiled or ((stops - starts) % 12).any() or (stops <= starts).any():
        raise ValueError("record offsets do not tile the signal file in twelves")
