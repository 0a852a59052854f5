"""Door of the tensors: (row, lead, sample) int16 with one scale, ready to be cut into batches.

A store has the shards of the records it is made from, each made by a job of its own; it gathers their index. A record
has one row, or, where long records are cut into sections, one row per section.
"""

import ctypes
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from codeii.artifacts.atomic import whole_file
from codeii.artifacts.manifest import NAME, Manifest, check_files, load_manifest, read_manifest, write_manifest
from codeii.artifacts.record_store import stacked
from codeii.native.library import load_library

SIGNALS, INDEX, SHARDS = "signals.npy", "index.parquet", "shards"
INDEX_COLUMNS = ("record_id", "exam_id", "patient_id", "section")
SHAPE = ("lead_names", "samples", "rate_hz", "unit", "scale")  # facts in which the shards of a store agree
CHANGED = ("cropped_records", "padded_records", "clipped_samples", "clipped_records", "flat_leads", "flat_records")
SUMMED = ("records", "rows", *CHANGED)


class Signals:
    """The (row, lead, sample) int16 arrays of a store's shards as one; they stay on disk, rows asked for are copied."""

    def __init__(self, parts: Sequence[np.ndarray]) -> None:
        """Take the arrays of the shards, in their order."""
        self._parts = tuple(parts)
        self._starts = np.concatenate([[0], np.cumsum([len(part) for part in parts])])
        self._descriptors: dict[int, int] = {}
        self.shape: tuple[int, ...] = (int(self._starts[-1]), *parts[0].shape[1:])
        self.dtype = parts[0].dtype

    def __len__(self) -> int:
        """Number of rows."""
        return self.shape[0]

    def __getitem__(self, rows: np.ndarray) -> np.ndarray:
        """(len(rows), lead, sample) int16 of the given row numbers, in their order."""
        if len(self._parts) == 1:
            picked: np.ndarray = self._parts[0][rows]
            return np.asarray(picked)
        out = np.empty((len(rows), *self.shape[1:]), self.dtype)
        for part, mine, inside in self._by_part(rows):
            out[mine] = self._parts[part][inside]
        return out

    def announce(self, rows: np.ndarray) -> None:
        """Tell the kernel that these rows are wanted soon: it reads them side by side, and nobody waits for it."""
        row_bytes = int(np.prod(self.shape[1:])) * self.dtype.itemsize
        for part, _, inside in self._by_part(rows):
            mapped = self._parts[part]
            if isinstance(mapped, np.memmap):
                _announce(self._descriptor(part, str(mapped.filename)), mapped.offset, row_bytes, inside)

    def _by_part(self, rows: np.ndarray) -> Iterator[tuple[int, np.ndarray, np.ndarray]]:
        """Shard, places in `rows`, and row numbers inside the shard."""
        part_of = np.searchsorted(self._starts, rows, "right") - 1
        for part in np.unique(part_of).tolist():
            mine = np.flatnonzero(part_of == part)
            yield part, mine, rows[mine] - self._starts[part]

    def _descriptor(self, part: int, path: str) -> int:
        if part not in self._descriptors:
            self._descriptors[part] = os.open(path, os.O_RDONLY)
        return self._descriptors[part]


def _announce(descriptor: int, start: int, row_bytes: int, rows: np.ndarray) -> None:
    """Announce rows of one file that are not in memory; all of them where no kernel could be compiled."""
    library = load_library(Path(__file__).with_name("announce.c"))
    if library is None:
        for offset in (start + rows * row_bytes).tolist():
            os.posix_fadvise(descriptor, offset, row_bytes, os.POSIX_FADV_WILLNEED)
        return
    numbers = np.ascontiguousarray(rows, np.int64)
    sizes = (ctypes.c_int64(start), ctypes.c_int64(row_bytes))
    library.announce(descriptor, *sizes, ctypes.c_void_p(numbers.ctypes.data), ctypes.c_int64(len(numbers)))


@dataclass(frozen=True, slots=True)
class TensorStore:
    """Tensors of one source under one preprocessing; `signals[rows] * scale` is in the manifest's unit."""

    manifest: Manifest
    signals: Signals
    index: pd.DataFrame  # INDEX_COLUMNS, one line per row of the signals

    @property
    def scale(self) -> float:
        """Factor from int16 counts to the unit in `manifest.facts["unit"]`."""
        return float(self.manifest.facts["scale"])


def write_tensor_shard(
    folder: Path,
    tensors: Iterable[np.ndarray],
    index: Sequence[Mapping[str, Any]] | pd.DataFrame,
    *,
    leads: int,
    samples: int,
    rows: int,
    settings: Mapping[str, Any],
    code: str,
    inputs: Iterable[Path],
    facts: Mapping[str, Any],
    synthetic: bool,
) -> Path:
    """Write blocks of (row, lead, sample) int16 in the order of `index`. Returns the manifest's path.

    rows : how many there will be; index : lines with `INDEX_COLUMNS`, and facts, may be added to while `tensors` is
    consumed.
    Raises ValueError when a block is not int16, is of another shape, or the count differs from `rows` or the index.
    """
    header = {"descr": "<i2", "fortran_order": False, "shape": (rows, leads, samples)}
    written = 0
    with whole_file(folder / SIGNALS, rows * leads * samples * 2) as temporary, temporary.open("wb") as file:
        np.lib.format.write_array_header_1_0(file, header)
        for block in tensors:
            if block.dtype != np.int16 or block.shape[1:] != (leads, samples):
                raise ValueError(f"block of {block.dtype} {block.shape}, expected int16 (n, {leads}, {samples})")
            file.write(np.ascontiguousarray(block, "<i2").data)
            written += len(block)
    if not written == rows == len(index):
        raise ValueError(f"{written} tensors and {len(index)} lines of the index, expected {rows}")
    table = pd.DataFrame(index, columns=list(INDEX_COLUMNS))
    with whole_file(folder / INDEX) as temporary:
        table.to_parquet(temporary, index=False)
    return write_manifest(
        folder,
        "tensor_shard",
        files=[SIGNALS, INDEX],
        settings=settings,
        code=code,
        inputs=inputs,
        facts={**facts, "rows": rows, "samples": samples, "records": int(table["record_id"].nunique())},
        synthetic=synthetic,
    )


def write_tensor_store(
    folder: Path,
    shards: Sequence[Path],
    *,
    settings: Mapping[str, Any],
    code: str,
    facts: Mapping[str, Any],
    synthetic: bool,
) -> Path:
    """Gather the shards of a store: their index in one table, their signals by name. Returns the manifest's path.

    shards : manifests, `folder/shards/0/manifest.json` first. Raises ValueError where shards differ in shape or unit.
    """
    manifests = [load_manifest(path, "tensor_shard") for path in shards]
    for path, manifest in zip(shards, manifests, strict=True):
        check_files(path.parent, {INDEX: manifest.files[INDEX]})
    common = {name: manifests[0].facts[name] for name in SHAPE}
    for path, manifest in zip(shards, manifests, strict=True):
        found = {name: manifest.facts[name] for name in SHAPE}
        if found != common:
            raise ValueError(f"{path}: shape and unit are {found}, those of the first shard {common}")
    index = stacked([pd.read_parquet(path.parent / INDEX) for path in shards])
    with whole_file(folder / INDEX) as temporary:
        index.to_parquet(temporary, index=False)
    summed = {name: sum(manifest.facts[name] for manifest in manifests) for name in SUMMED}
    return write_manifest(
        folder,
        "tensors",
        files=[INDEX, *(path.relative_to(folder).as_posix() for path in shards)],
        settings=settings,
        code=code,
        inputs=shards,
        facts={**facts, **common, **summed, "shards": len(shards)},
        synthetic=synthetic,
    )


def read_tensor_store(manifest_path: Path) -> TensorStore:
    """Verify and open a tensor store, signals included. Raises where the index and the arrays disagree."""
    manifest, folder = read_manifest(manifest_path, "tensors"), manifest_path.parent
    index = pd.read_parquet(folder / INDEX)
    shards = [folder / SHARDS / str(number) / NAME for number in range(manifest.facts["shards"])]
    signals = Signals([_open(path) for path in shards])
    expected = (len(index), len(manifest.facts["lead_names"]), manifest.facts["samples"])
    if signals.shape != expected or signals.dtype != np.int16:
        raise ValueError(f"{folder}: signals {signals.dtype} {signals.shape}, expected int16 {expected}")
    if index.duplicated(["record_id", "section"]).any():
        raise ValueError(f"{folder}: a record_id occurs twice in the index")
    return TensorStore(manifest, signals, index)


def _open(shard: Path) -> np.ndarray:
    manifest = read_manifest(shard, "tensor_shard")
    signals: np.ndarray = np.load(shard.parent / SIGNALS, mmap_mode="r" if manifest.facts["rows"] else None)
    expected = (manifest.facts["rows"], len(manifest.facts["lead_names"]), manifest.facts["samples"])
    if signals.shape != expected:
        raise ValueError(f"{shard.parent}: signals {signals.shape}, expected {expected}")
    return signals


def blocks(count: int, size: int) -> Iterator[slice]:
    """Slices of at most `size` that cover range(count)."""
    return (slice(start, min(start + size, count)) for start in range(0, count, size))
