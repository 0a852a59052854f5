"""Makes the tensors of one source under one preprocessing."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from codeii.artifacts.record_store import RecordStore, read_record_store
from codeii.artifacts.tensor_store import blocks, write_tensor_store
from codeii.schema.leads import LEAD_SETS, LEADS
from codeii.schema.params import Preprocessing
from codeii.schema.progress import progress
from codeii.schema.units import to_counts_uv
from codeii.tensors.pipeline import INDEPENDENT, SCALE, UNITS, powerline_hz, prepare
from codeii.tensors.resample import resampled_length

BLOCK_RECORDS = 256  # written at once, in the store's order
STACK_VALUES = 600_000  # filtered at once: about what the processor's cache holds


def build_tensors(records: Path, settings: Mapping[str, Any], code: str, folder: Path) -> None:
    """Preprocess every record of a store and write the tensor store to `folder`.

    records : manifest of the record store
    settings : `preprocessing` (fields of `Preprocessing`); `powerline_hz: mains` is what the source's card says

    Raises ValueError, before any work, when a record's rate does not hold the mains frequency.
    """
    store = read_record_store(records)
    preprocessing = Preprocessing.model_validate(settings["preprocessing"])
    mains_hz = int(store.manifest.facts["card"]["mains_hz"])
    rates_hz = sorted({int(rate) for rate in store.records["rate_hz"]})
    notches_hz = {str(rate): powerline_hz(preprocessing, mains_hz, rate) for rate in rates_hz}
    facts: dict[str, Any] = {
        "source": store.manifest.facts.get("source", ""),
        "lead_names": list(LEAD_SETS[preprocessing.leads]),
        "rate_hz": preprocessing.rate_hz,
        "notch_hz_by_stored_rate": notches_hz,
        **_length_changes(store, preprocessing),
    }
    write_tensor_store(
        folder,
        # adds to `facts` while the records pass; the door reads them after the last
        _tensors(store, preprocessing, mains_hz, facts),
        store.records,
        leads=len(LEAD_SETS[preprocessing.leads]),
        samples=preprocessing.samples,
        unit=UNITS[preprocessing.normalisation],
        scale=SCALE,
        settings=settings,
        code=code,
        inputs=[records],
        facts=facts,
        synthetic=store.manifest.synthetic,
    )


def _length_changes(store: RecordStore, preprocessing: Preprocessing) -> dict[str, int]:
    lengths = (store.records["stop"] - store.records["start"]) // len(LEADS)
    rates = store.records["rate_hz"]
    made = [resampled_length(int(n), int(rate), preprocessing.rate_hz) for n, rate in zip(lengths, rates, strict=True)]
    cropped = sum(length > preprocessing.samples for length in made)
    padded = sum(length < preprocessing.samples for length in made)
    return {"cropped_records": cropped, "padded_records": padded}


def _tensors(
    store: RecordStore, preprocessing: Preprocessing, mains_hz: int, facts: dict[str, Any]
) -> Iterator[np.ndarray]:
    """Blocks of (record, lead, sample) int16 in the store's order; counts clipped samples and records in `facts`."""
    count = len(store.records)
    facts["clipped_samples"] = facts["clipped_records"] = 0
    slices = list(blocks(count, BLOCK_RECORDS))
    for part in progress(slices, len(slices), f"tensors of {facts['source']}"):
        block = np.empty((part.stop - part.start, len(LEAD_SETS[preprocessing.leads]), preprocessing.samples), np.int16)
        for rate_hz, rows in _alike(store, part):
            signals_uv = np.stack([store.signal(row) for row in rows])
            for index, counts in zip(rows, prepare(signals_uv, rate_hz, preprocessing, mains_hz), strict=True):
                block[index - part.start], clipped = to_counts_uv(counts)
                facts["clipped_samples"] += clipped
                facts["clipped_records"] += clipped > 0
        yield block


def _alike(store: RecordStore, part: slice) -> Iterator[tuple[int, list[int]]]:
    """Rate and rows of stacks of records that share rate and length, each small enough to be filtered at once."""
    rows_of: dict[tuple[int, int], list[int]] = {}
    table = store.records.iloc[part]
    shapes = zip(table["rate_hz"], (table["stop"] - table["start"]) // len(LEADS), strict=True)
    for row, (rate_hz, samples) in enumerate(shapes, part.start):
        rows_of.setdefault((int(rate_hz), int(samples)), []).append(row)
    for (rate_hz, samples), rows in rows_of.items():
        size = max(1, STACK_VALUES // (len(INDEPENDENT) * samples))
        yield from ((rate_hz, rows[stack]) for stack in blocks(len(rows), size))
