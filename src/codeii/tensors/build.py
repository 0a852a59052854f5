"""Makes the tensors of one source under one preprocessing, shard by shard as its records are, and gathers them."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from codeii.artifacts.manifest import load_manifest
from codeii.artifacts.record_store import RecordStore, read_record_store
from codeii.artifacts.tensor_store import blocks, write_tensor_shard, write_tensor_store
from codeii.schema.leads import LEAD_SETS, LEADS
from codeii.schema.params import Preprocessing
from codeii.schema.progress import progress
from codeii.schema.units import to_counts_uv
from codeii.tensors.pipeline import INDEPENDENT, SCALE, UNITS, powerline_hz, prepare
from codeii.tensors.resample import resampled_length

BLOCK_RECORDS = 256  # written at once, in the store's order
STACK_VALUES = 600_000  # filtered at once: about what the processor's cache holds


def build_tensor_shard(records: Path, settings: Mapping[str, Any], code: str, folder: Path) -> None:
    """Preprocess the records of one shard and write its tensors to `folder`.

    records : manifest of the record store
    settings : `preprocessing` (fields of `Preprocessing`) and `shard` (index and count, those of the records);
        `powerline_hz: mains` is what the source's card says

    Raises ValueError, before any work, when a record's rate does not hold the mains frequency.
    """
    store = read_record_store(records)
    preprocessing = Preprocessing.model_validate(settings["preprocessing"])
    rows = np.flatnonzero(store.records["shard"].to_numpy() == settings["shard"]["index"])
    mains_hz = int(store.manifest.facts["card"]["mains_hz"])
    rates_hz = sorted({int(rate) for rate in store.records["rate_hz"].iloc[rows]})
    notches_hz = {str(rate): powerline_hz(preprocessing, mains_hz, rate) for rate in rates_hz}
    facts: dict[str, Any] = {
        "source": store.manifest.facts.get("source", ""),
        "lead_names": list(LEAD_SETS[preprocessing.leads]),
        "rate_hz": preprocessing.rate_hz,
        "unit": UNITS[preprocessing.normalisation],
        "scale": SCALE,
        "notch_hz_by_stored_rate": notches_hz,
        **_length_changes(store, rows, preprocessing),
    }
    write_tensor_shard(
        folder,
        # adds to `facts` while the records pass; the door reads them after the last
        _tensors(store, rows, preprocessing, mains_hz, facts),
        store.records.iloc[rows].assign(section=0),
        leads=len(LEAD_SETS[preprocessing.leads]),
        samples=preprocessing.samples,
        rows=len(rows),
        settings=settings,
        code=code,
        inputs=[records],
        facts=facts,
        synthetic=store.manifest.synthetic,
    )


def gather_tensors(shards: Sequence[Path], settings: Mapping[str, Any], code: str, folder: Path) -> None:
    """Write the tensor store over its shards to `folder`.

    shards : manifests, in their order; settings : `preprocessing`
    """
    manifests = [load_manifest(path, "tensor_shard") for path in shards]
    notches_hz = {rate: notch for one in manifests for rate, notch in one.facts["notch_hz_by_stored_rate"].items()}
    write_tensor_store(
        folder,
        shards,
        settings=settings,
        code=code,
        facts={"source": manifests[0].facts["source"], "notch_hz_by_stored_rate": notches_hz},
        synthetic=any(manifest.synthetic for manifest in manifests),
    )


def _length_changes(store: RecordStore, rows: np.ndarray, preprocessing: Preprocessing) -> dict[str, int]:
    table = store.records.iloc[rows]
    lengths = (table["stop"] - table["start"]) // len(LEADS)
    pairs = zip(lengths, table["rate_hz"], strict=True)
    made = [resampled_length(int(length), int(rate), preprocessing.rate_hz) for length, rate in pairs]
    cropped = sum(length > preprocessing.samples for length in made)
    padded = sum(length < preprocessing.samples for length in made)
    return {"cropped_records": cropped, "padded_records": padded}


def _tensors(
    store: RecordStore, rows: np.ndarray, preprocessing: Preprocessing, mains_hz: int, facts: dict[str, Any]
) -> Iterator[np.ndarray]:
    """Blocks of (record, lead, sample) int16 in the order of `rows`; counts clipped samples and records in `facts`."""
    facts["clipped_samples"] = facts["clipped_records"] = 0
    parts = list(blocks(len(rows), BLOCK_RECORDS))
    for part in progress(parts, len(parts), f"tensors of {facts['source']}"):
        block = np.empty((part.stop - part.start, len(LEAD_SETS[preprocessing.leads]), preprocessing.samples), np.int16)
        for rate_hz, places in _alike(store, rows[part]):
            signals_uv = np.stack([store.signal(row) for row in rows[part][places]])
            for place, counts in zip(places, prepare(signals_uv, rate_hz, preprocessing, mains_hz), strict=True):
                block[place], clipped = to_counts_uv(counts)
                facts["clipped_samples"] += clipped
                facts["clipped_records"] += clipped > 0
        yield block


def _alike(store: RecordStore, rows: np.ndarray) -> Iterator[tuple[int, np.ndarray]]:
    """Rate and places in `rows` of stacks of records of one rate and length, each small enough for the cache."""
    places_of: dict[tuple[int, int], list[int]] = {}
    table = store.records.iloc[rows]
    shapes = zip(table["rate_hz"], (table["stop"] - table["start"]) // len(LEADS), strict=True)
    for place, (rate_hz, samples) in enumerate(shapes):
        places_of.setdefault((int(rate_hz), int(samples)), []).append(place)
    for (rate_hz, samples), places in places_of.items():
        size = max(1, STACK_VALUES // (len(INDEPENDENT) * samples))
        yield from ((rate_hz, np.array(places[stack])) for stack in blocks(len(places), size))
