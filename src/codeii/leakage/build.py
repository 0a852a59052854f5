"""Makes the descriptors of one source: one pass over its signals, one record in memory."""

import hashlib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from codeii.artifacts.duplicates import DescribedRecord, write_descriptors
from codeii.artifacts.record_store import RecordStore, read_record_store
from codeii.leakage.describe import NUMBERS, describe
from codeii.schema.progress import progress

RELEASED_EVERY = 256  # records: what is mapped of the signals then goes back


def build_descriptors(records: Path, settings: Mapping[str, Any], code: str, folder: Path) -> None:
    """Describe every record of a source and write its descriptors to `folder`.

    records : manifest of the record store
    settings : `source`, its name, under which pairs are told
    """
    store = read_record_store(records)
    write_descriptors(
        folder,
        _described(store, str(settings["source"])),
        NUMBERS,
        settings=settings,
        code=code,
        inputs=[records],
        facts={},
        synthetic=store.manifest.synthetic,
    )


def _described(store: RecordStore, source: str) -> Iterator[DescribedRecord]:
    columns = ["record_id", "exam_id", "patient_id", "rate_hz"]
    rows = store.records[columns].to_dict("records")
    for number, row in enumerate(progress(rows, len(rows), f"describing {source}")):
        signal = store.signal(number)
        found = describe(signal, int(row["rate_hz"]))
        who = {"samples": signal.shape[1], "signal_sha256": sha256_of_signal(signal)}
        del signal
        if number % RELEASED_EVERY == 0:
            store.release()
        yield DescribedRecord({str(name): value for name, value in row.items()} | who, found.seconds, found.vectors)


def sha256_of_signal(signal_uv: np.ndarray) -> str:
    """Hash of the integers of a (12, sample) signal: equal for equal recordings, whatever their names."""
    return hashlib.sha256(np.ascontiguousarray(signal_uv, "<i2").data).hexdigest()
