"""Doors of the search for recordings that occur twice: the descriptors of a source, and the pairs found in a study."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, Literal

import numpy as np
import pandas as pd

from codeii.artifacts.atomic import whole_file
from codeii.artifacts.manifest import Manifest, read_manifest, write_manifest

RECORDS, VECTORS, SECONDS = "records.parquet", "vectors.npy", "seconds.npy"
RECORD_COLUMNS = ("record_id", "exam_id", "patient_id", "rate_hz", "samples", "signal_sha256", "windows")
PAIRS, UNSEARCHED = "pairs.csv", "unsearched.csv"
PAIR_COLUMNS = (
    "source_a",
    "record_a",
    "source_b",
    "record_b",
    "match",  # "identical": the same integers; "near": the same recording in another form
    "correlation",  # of the beats over the whole overlap
    "noise_correlation",  # of what lies between the beats
    "lag_s",  # record b starts so much later than record a
    "overlap_s",
    "gain",  # record b is so many times record a; negative: its sign is turned
)
UNSEARCHED_COLUMNS = ("source", "record_id", "why")
MATCHES = ("identical", "near")
_HEADER_BYTES = 128  # of a .npy, written last, when its length is known


@dataclass(frozen=True, slots=True)
class DescribedRecord:
    """One record as it is written: who it is, the hash of its signal, and its windows."""

    row: Mapping[str, Any]  # RECORD_COLUMNS without "windows"
    seconds: np.ndarray  # (window,) float32
    vectors: np.ndarray  # (window, number) float16


@dataclass(frozen=True, slots=True)
class Descriptors:
    """Windows of the records of one source, record after record. `vectors` stay on disk until used."""

    manifest: Manifest
    records: pd.DataFrame
    vectors: np.ndarray  # (window, number) float16
    seconds: np.ndarray  # (window,) float32


@dataclass(frozen=True, slots=True)
class Duplicates:
    """Pairs of records that are one recording, and the records that could not be searched."""

    manifest: Manifest
    pairs: pd.DataFrame
    unsearched: pd.DataFrame


def write_descriptors(
    folder: Path,
    described: Iterable[DescribedRecord],
    numbers: int,
    *,
    settings: Mapping[str, Any],
    code: str,
    inputs: Iterable[Path],
    facts: Mapping[str, Any],
    synthetic: bool,
) -> Path:
    """Write descriptors as they come; nothing but the table of records is held. Returns the manifest's path.

    numbers : length of a descriptor
    """
    rows: list[dict[str, Any]] = []
    windows = 0
    with (
        whole_file(folder / VECTORS) as vectors_path,
        whole_file(folder / SECONDS) as seconds_path,
        vectors_path.open("wb") as vectors,
        seconds_path.open("wb") as seconds,
    ):
        vectors.write(bytes(_HEADER_BYTES))
        seconds.write(bytes(_HEADER_BYTES))
        for record in described:
            if record.vectors.shape != (len(record.seconds), numbers):
                found = f"{record.vectors.shape} vectors for {len(record.seconds)} windows of {numbers} numbers"
                raise ValueError(f"record {record.row['record_id']}: {found}")
            vectors.write(np.ascontiguousarray(record.vectors, "<f2").data)
            seconds.write(np.ascontiguousarray(record.seconds, "<f4").data)
            rows.append({**record.row, "windows": len(record.seconds)})
            windows += len(record.seconds)
        _write_header(vectors, "<f2", (windows, numbers))
        _write_header(seconds, "<f4", (windows,))
    records = pd.DataFrame(rows, columns=list(RECORD_COLUMNS))
    _check_records(records, windows)
    with whole_file(folder / RECORDS) as temporary:
        records.to_parquet(temporary, index=False)
    return write_manifest(
        folder,
        "descriptors",
        files=[RECORDS, VECTORS, SECONDS],
        settings=settings,
        code=code,
        inputs=inputs,
        facts={**facts, "records": len(records), "windows": windows},
        synthetic=synthetic,
    )


def read_descriptors(manifest_path: Path) -> Descriptors:
    """Verify and open the descriptors of a source."""
    folder = manifest_path.parent
    manifest = read_manifest(manifest_path, "descriptors")
    records = pd.read_parquet(folder / RECORDS)
    mode: Literal["r"] | None = "r" if manifest.facts["windows"] else None  # an empty file cannot be mapped
    vectors, seconds = np.load(folder / VECTORS, mmap_mode=mode), np.load(folder / SECONDS, mmap_mode=mode)
    _check_records(records, len(vectors))
    if len(seconds) != len(vectors):
        raise ValueError(f"{folder}: {len(vectors)} vectors, {len(seconds)} times; run the study again")
    return Descriptors(manifest, records, vectors, seconds)


def write_duplicates(
    folder: Path,
    pairs: pd.DataFrame,
    unsearched: pd.DataFrame,
    *,
    settings: Mapping[str, Any],
    code: str,
    inputs: Iterable[Path],
    facts: Mapping[str, Any],
    synthetic: bool,
) -> Path:
    """Write the pairs (`PAIR_COLUMNS`) and the records left out (`UNSEARCHED_COLUMNS`). Returns the manifest's path."""
    _check_pairs(pairs, unsearched)
    for name, table in ((PAIRS, pairs), (UNSEARCHED, unsearched)):
        with whole_file(folder / name) as temporary:
            table.to_csv(temporary, index=False, lineterminator="\n")
    counts = {match: int((pairs["match"] == match).sum()) for match in MATCHES}
    return write_manifest(
        folder,
        "duplicates",
        files=[PAIRS, UNSEARCHED],
        settings=settings,
        code=code,
        inputs=inputs,
        facts={**facts, "pairs": counts, "unsearched": len(unsearched)},
        synthetic=synthetic,
    )


def read_duplicates(manifest_path: Path) -> Duplicates:
    """Verify and read the pairs of a study."""
    manifest = read_manifest(manifest_path, "duplicates")
    text = dict.fromkeys(("source_a", "record_a", "source_b", "record_b", "match"), str)
    pairs = pd.read_csv(manifest_path.parent / PAIRS, dtype=text, keep_default_na=False)
    unsearched = pd.read_csv(manifest_path.parent / UNSEARCHED, dtype=str, keep_default_na=False)
    _check_pairs(pairs, unsearched)
    return Duplicates(manifest, pairs, unsearched)


def by_record(descriptors: Descriptors) -> Iterator[slice]:
    """Where the windows of each record stand."""
    stop = 0
    for windows in descriptors.records["windows"].tolist():
        yield slice(stop, stop + windows)
        stop += windows


def _write_header(file: BinaryIO, kind: str, shape: tuple[int, ...]) -> None:
    file.seek(0)
    np.lib.format.write_array_header_1_0(file, {"descr": kind, "fortran_order": False, "shape": shape})
    if file.tell() != _HEADER_BYTES:
        raise AssertionError(f"npy header of {file.tell()} bytes")


def _check_records(records: pd.DataFrame, windows: int) -> None:
    if tuple(records.columns) != RECORD_COLUMNS:
        raise ValueError(f"descriptors have columns {list(records.columns)}, expected {list(RECORD_COLUMNS)}")
    twice = records["record_id"][records["record_id"].duplicated()]
    if len(twice):
        raise ValueError(f"record_id {twice.iat[0]!r} occurs more than once")
    if int(records["windows"].sum()) != windows:
        raise ValueError(f"the records have {int(records['windows'].sum())} windows, the vectors {windows}")


def _check_pairs(pairs: pd.DataFrame, unsearched: pd.DataFrame) -> None:
    if tuple(pairs.columns) != PAIR_COLUMNS:
        raise ValueError(f"pairs have columns {list(pairs.columns)}, expected {list(PAIR_COLUMNS)}")
    if tuple(unsearched.columns) != UNSEARCHED_COLUMNS:
        raise ValueError(f"unsearched has columns {list(unsearched.columns)}, expected {list(UNSEARCHED_COLUMNS)}")
    odd = set(pairs["match"]) - set(MATCHES)
    if odd:
        raise ValueError(f"match {sorted(odd)} is not one of {MATCHES}")
    itself = (pairs["source_a"] == pairs["source_b"]) & (pairs["record_a"] == pairs["record_b"])
    if itself.any():
        raise ValueError(f"record {pairs['record_a'][itself].iat[0]!r} is paired with itself")
