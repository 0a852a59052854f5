"""Stores for tests, written through the doors as the jobs write them: shards first, then what gathers them."""

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from codeii.artifacts.record_store import write_record_shard, write_record_store
from codeii.artifacts.tensor_store import CHANGED, write_tensor_shard, write_tensor_store
from codeii.records.build import build_record_shard, gather_records
from codeii.schema.record import Exclusion, Record

SUMMED = dict.fromkeys(CHANGED, 0)


def record_store(
    folder: Path,
    *shards: Iterable[Record | Exclusion],
    facts: dict[str, Any] | None = None,
    settings: dict[str, Any] | None = None,
    code: str = "c",
    synthetic: bool = True,
    inputs: Iterable[Path] = (),
) -> Path:
    """Manifest of a record store with the given shards, one iterable of records and exclusions each."""
    common: dict[str, Any] = {"settings": settings or {}, "code": code, "synthetic": synthetic, "facts": facts or {}}
    made = [
        write_record_shard(folder / "shards" / str(number), items, inputs=inputs, **common)
        for number, items in enumerate(shards)
    ]
    return write_record_store(folder, made, **common)


def tensor_store(
    folder: Path,
    *shards: tuple[Iterable[np.ndarray], pd.DataFrame],
    leads: int = 8,
    samples: int = 20,
    facts: dict[str, Any] | None = None,
    settings: dict[str, Any] | None = None,
    code: str = "c",
    synthetic: bool = True,
) -> Path:
    """Manifest of a tensor store with the given shards: blocks of tensors, and their index (section 0 by default)."""
    shape = {"lead_names": [f"L{n}" for n in range(leads)], "rate_hz": 25, "unit": "mV", "scale": 1e-3}
    common: dict[str, Any] = {"settings": settings or {}, "code": code, "synthetic": synthetic}
    made = [
        write_tensor_shard(
            folder / "shards" / str(number),
            blocks,
            index if "section" in index else index.assign(section=0),
            leads=leads,
            samples=samples,
            rows=len(index),
            inputs=(),
            facts=SUMMED | shape | (facts or {}),
            **common,
        )
        for number, (blocks, index) in enumerate(shards)
    ]
    return write_tensor_store(folder, made, facts={"source": "fake"}, **common)


def build_records(raw: Path, source: str, settings: dict[str, Any], code: str, folder: Path) -> None:
    """Both jobs of a source in one shard; settings : `layout` and `max_faulty_share`."""
    shard = folder / "shards" / "0"
    whole = {"layout": settings["layout"], "shard": {"index": 0, "count": 1}}
    build_record_shard(raw, source, whole, code, shard)
    kept = {"max_faulty_share": settings["max_faulty_share"]}
    gather_records([shard / "manifest.json"], source, kept, code, folder)
