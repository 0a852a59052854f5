"""Makes the list of recordings that occur twice, inside and across all sources of a study."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from codeii.artifacts.duplicates import Descriptors, read_descriptors, write_duplicates
from codeii.artifacts.record_store import RecordStore, read_record_store
from codeii.leakage.search import ReadSignal, Searched, search


def find_duplicates(
    records: Sequence[Path], descriptors: Sequence[Path], settings: Mapping[str, Any], code: str, folder: Path
) -> None:
    """Search all sources and write the pairs to `folder`.

    records, descriptors : manifests of the record stores and of their descriptors, in the same order

    Raises ValueError where descriptors are not those of the record store beside them.
    """
    described = [read_descriptors(path) for path in descriptors]
    stores = [read_record_store(path) for path in records]
    if len(stores) != len(described):
        raise ValueError(f"{len(stores)} record stores for {len(described)} descriptors; give both of every source")
    for path, store, one in zip(records, stores, described, strict=True):
        if store.records["record_id"].tolist() != one.records["record_id"].tolist():
            raise ValueError(f"{path}: its records are not those described for {one.manifest.settings['source']}")
    searched = joined(described)
    found = search(searched, signals_of(stores))
    write_duplicates(
        folder,
        found.pairs,
        found.unsearched,
        settings=settings,
        code=code,
        inputs=[*records, *descriptors],
        facts={
            "records": {str(one.manifest.settings["source"]): len(one.records) for one in described},
            "windows": len(searched.vectors),
            "candidates": found.candidates,
        },
        synthetic=any(store.manifest.synthetic for store in stores),
    )


def joined(described: Sequence[Descriptors]) -> Searched:
    """Records and windows of all sources, one below the other."""
    tables = [one.records.assign(source=str(one.manifest.settings["source"])) for one in described]
    return Searched(
        pd.concat(tables, ignore_index=True),
        np.concatenate([one.vectors for one in described]),
        np.concatenate([one.seconds for one in described]),
    )


def signals_of(stores: Sequence[RecordStore]) -> ReadSignal:
    """Reads a signal by its row among the records of all stores."""
    starts = np.cumsum([0, *(len(store.records) for store in stores)])

    def read(row: int) -> np.ndarray:
        number = int(np.searchsorted(starts, row, "right")) - 1
        return stores[number].signal(row - int(starts[number]))

    return read
