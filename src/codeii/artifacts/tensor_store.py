"""Door of the tensors: (record, lead, sample) int16 with one scale, ready to be cut into batches."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from codeii.artifacts.atomic import whole_file
from codeii.artifacts.manifest import Manifest, read_manifest, write_manifest

SIGNALS, INDEX = "signals.npy", "index.parquet"
INDEX_COLUMNS = ("record_id", "exam_id", "patient_id")


@dataclass(frozen=True, slots=True)
class TensorStore:
    """Tensors of one source under one preprocessing; `signals * scale` is in the manifest's unit."""

    manifest: Manifest
    signals: np.ndarray  # (record, lead, sample) int16, memory-mapped
    index: pd.DataFrame

    @property
    def scale(self) -> float:
        """Factor from int16 counts to the unit in `manifest.facts["unit"]`."""
        return float(self.manifest.facts["scale"])


def write_tensor_store(
    folder: Path,
    tensors: Iterable[np.ndarray],
    index: pd.DataFrame,
    *,
    leads: int,
    samples: int,
    unit: str,
    scale: float,
    settings: Mapping[str, Any],
    code: str,
    inputs: Iterable[Path],
    facts: Mapping[str, Any],
    synthetic: bool,
) -> Path:
    """Write blocks of (record, lead, sample) int16 in the order of `index`. Returns the manifest's path.

    Raises ValueError when a block is not int16, is of another shape, or the count differs from the index.
    """
    header = {"descr": "<i2", "fortran_order": False, "shape": (len(index), leads, samples)}
    written = 0
    with whole_file(folder / SIGNALS) as temporary, temporary.open("wb") as file:
        np.lib.format.write_array_header_1_0(file, header)
        for block in tensors:
            if block.dtype != np.int16 or block.shape[1:] != (leads, samples):
                raise ValueError(f"block of {block.dtype} {block.shape}, expected int16 (n, {leads}, {samples})")
            file.write(np.ascontiguousarray(block, "<i2").data)
            written += len(block)
    if written != len(index):
        raise ValueError(f"{written} tensors for {len(index)} rows of the index")
    with whole_file(folder / INDEX) as temporary:
        index[list(INDEX_COLUMNS)].to_parquet(temporary, index=False)
    shape = {"records": written, "leads": leads, "samples": samples, "unit": unit, "scale": scale}
    return write_manifest(
        folder,
        "tensors",
        files=[SIGNALS, INDEX],
        settings=settings,
        code=code,
        inputs=inputs,
        facts={**facts, **shape},
        synthetic=synthetic,
    )


def read_tensor_store(manifest_path: Path) -> TensorStore:
    """Verify and open a tensor store. Raises where the index and the array disagree."""
    manifest = read_manifest(manifest_path, "tensors")
    index = pd.read_parquet(manifest_path.parent / INDEX)
    signals = np.load(manifest_path.parent / SIGNALS, mmap_mode="r" if len(index) else None)
    expected = (len(index), manifest.facts["leads"], manifest.facts["samples"])
    if signals.shape != expected or signals.dtype != np.int16:
        raise ValueError(f"{manifest_path.parent}: signals {signals.dtype} {signals.shape}, expected int16 {expected}")
    if index["record_id"].duplicated().any():
        raise ValueError(f"{manifest_path.parent}: a record_id occurs twice in the index")
    return TensorStore(manifest, signals, index)


def blocks(count: int, size: int) -> Iterator[slice]:
    """Slices of at most `size` that cover range(count)."""
    return (slice(start, min(start + size, count)) for start in range(0, count, size))
