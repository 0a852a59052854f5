"""Makes the tensors of one source under one preprocessing, shard by shard as its records are, and gathers them."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from codeii.artifacts.manifest import load_manifest
from codeii.artifacts.record_store import RecordStore, read_record_store
from codeii.artifacts.tensor_store import blocks, write_tensor_shard, write_tensor_store
from codeii.schema.leads import LEAD_SETS, LEADS
from codeii.schema.params import Preprocessing
from codeii.schema.progress import progress
from codeii.tensors.pipeline import SCALE, UNITS, check_stored_rate, made_length, powerline_hz, preprocess, row_starts

BLOCK_RECORDS = 256  # written at once, in the store's order
STACK_RECORDS = 64  # of one rate and length, preprocessed at once


def build_tensor_shard(records: Path, settings: Mapping[str, Any], code: str, folder: Path) -> None:
    """Preprocess the records of one shard and write its tensors to `folder`.

    records : manifest of the record store
    settings : `preprocessing` (fields of `Preprocessing`) and `shard` (index and count, those of the records);
        `powerline_hz: mains` is what the source's card says

    Raises ValueError, before any work, when a record's rate is not the one asked for or does not hold the mains
    frequency.
    """
    store = read_record_store(records)
    preprocessing = Preprocessing.model_validate(settings["preprocessing"])
    table = store.records[store.records["shard"] == settings["shard"]["index"]]
    mains_hz = int(store.manifest.facts["card"]["mains_hz"])
    rates_hz = sorted({int(rate) for rate in table["rate_hz"]})
    for rate_hz in rates_hz:
        check_stored_rate(preprocessing, rate_hz)
    sections = sections_of(table, preprocessing)
    facts: dict[str, Any] = {
        "source": store.manifest.facts.get("source", ""),
        "lead_names": list(LEAD_SETS[preprocessing.leads]),
        "rate_hz": preprocessing.rate_hz,
        "unit": UNITS[preprocessing.normalisation],
        "scale": SCALE,
        "notch_hz_by_stored_rate": {str(rate): powerline_hz(preprocessing, mains_hz, rate) for rate in rates_hz},
        **_length_changes(table, preprocessing),
    }
    write_tensor_shard(
        folder,
        # adds to `facts` while the records pass; the door reads them after the last
        _tensors(store, table, sections, preprocessing, mains_hz, facts),
        table.loc[table.index.repeat(sections)].assign(section=_numbered(sections)),
        leads=len(LEAD_SETS[preprocessing.leads]),
        samples=preprocessing.samples,
        rows=int(sections.sum()),
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


def sections_of(table: pd.DataFrame, preprocessing: Preprocessing) -> np.ndarray:
    """(record,) number of tensors that each record gives: 1, or more where long records are cut into sections."""
    counts = {shape: len(row_starts(shape[1], shape[0], preprocessing)) for shape in set(_shapes(table))}
    return np.array([counts[shape] for shape in _shapes(table)], np.int64)


def _shapes(table: pd.DataFrame) -> list[tuple[int, int]]:
    """Rate and samples of each record."""
    samples = (table["stop"] - table["start"]) // len(LEADS)
    return list(zip(table["rate_hz"].tolist(), samples.tolist(), strict=True))


def _numbered(sections: np.ndarray) -> np.ndarray:
    """0, 1, ... within each record."""
    numbers: np.ndarray = np.arange(sections.sum()) - np.repeat(np.cumsum(sections) - sections, sections)
    return numbers


def _length_changes(table: pd.DataFrame, preprocessing: Preprocessing) -> dict[str, int]:
    made = [made_length(samples, rate_hz, preprocessing) for rate_hz, samples in _shapes(table)]
    kept_whole = preprocessing.placement == "sections"
    cropped = 0 if kept_whole else sum(length > preprocessing.samples for length in made)
    padded = sum(length < preprocessing.samples for length in made)
    return {"cropped_records": cropped, "padded_records": padded}


def _tensors(
    store: RecordStore,
    table: pd.DataFrame,
    sections: np.ndarray,
    preprocessing: Preprocessing,
    mains_hz: int,
    facts: dict[str, Any],
) -> Iterator[np.ndarray]:
    """Blocks of (row, lead, sample) int16 in the order of `table`; counts what was clipped or is flat in `facts`."""
    facts |= dict.fromkeys(("clipped_samples", "clipped_records", "flat_leads", "flat_records"), 0)
    shape = len(LEAD_SETS[preprocessing.leads]), preprocessing.samples
    parts = list(blocks(len(table), BLOCK_RECORDS))
    room = np.empty((max((int(sections[part].sum()) for part in parts), default=0), *shape), np.int16)
    for part in progress(parts, len(parts), f"tensors of {facts['source']}"):
        rows = table.index[part].to_numpy()
        starts = np.concatenate([[0], np.cumsum(sections[part])])
        block = room[: starts[-1]]  # pages that were used before cost nothing; the door writes a block before the next
        for rate_hz, places in _alike(_shapes(table.iloc[part])):
            stack = [store.signal(row) for row in rows[places]]
            out = _between(block, starts, places)
            made = preprocess(stack, rate_hz, preprocessing, mains_hz, out)
            if out is None:
                block[starts[places][made.record] + _numbered(sections[part][places])] = made.counts
            facts["clipped_samples"] += int(made.clipped.sum())
            facts["clipped_records"] += len(np.unique(made.record[made.clipped > 0]))
            facts["flat_leads"] += int(made.flat_leads.sum())
            facts["flat_records"] += int((made.flat_leads == shape[0]).sum())
        del stack
        yield block
        store.release()


def _between(block: np.ndarray, starts: np.ndarray, places: np.ndarray) -> np.ndarray | None:
    """The rows of a block that belong to `places`, where these follow one another without a gap."""
    first, last = int(places[0]), int(places[-1])
    return block[starts[first] : starts[last + 1]] if last - first + 1 == len(places) else None


def _alike(shapes: Sequence[tuple[int, int]]) -> Iterator[tuple[int, np.ndarray]]:
    """Rate and places of stacks of records that share rate and length."""
    places_of: dict[tuple[int, int], list[int]] = {}
    for place, shape in enumerate(shapes):
        places_of.setdefault(shape, []).append(place)
    for (rate_hz, _), places in places_of.items():
        yield from ((rate_hz, np.array(places[stack])) for stack in blocks(len(places), STACK_RECORDS))
