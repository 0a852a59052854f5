"""Stores on a full disk: need and room are said, nothing is left half written, and a rerun after freeing works."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from tests.stores import record_store, tensor_store

from codeii.artifacts.record_store import read_record_store
from codeii.artifacts.space import DiskFull
from codeii.artifacts.tensor_store import read_tensor_store
from codeii.schema.record import Record


def records(count: int) -> list[Record]:
    signal = np.zeros((12, 5000), np.int16)
    return [Record(f"r{n}", f"e{n}", f"p{n}", 1, signal, 500, {}, "", 50.0, "male") for n in range(count)]


def files_below(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if path.is_file()]


def test_records_beyond_the_disk_are_refused_in_words_and_leave_nothing(full_disk: Path) -> None:
    with pytest.raises(DiskFull, match=r"disk full: need more, have .*, at .*records/shards/0; free some and run"):
        record_store(full_disk / "records", records(80))  # 9.6 MB
    assert files_below(full_disk) == []
    assert len(read_record_store(record_store(full_disk / "records", records(20))).records) == 20


def test_tensors_beyond_the_disk_are_refused_before_the_first_byte(full_disk: Path) -> None:
    count = 150  # of 64 KiB
    names = [f"r{n}" for n in range(count)]
    index = pd.DataFrame({"record_id": names, "exam_id": names, "patient_id": names})
    asked: list[int] = []

    def blocks() -> object:
        asked.append(1)
        yield np.zeros((count, 8, 4096), np.int16)

    with pytest.raises(DiskFull, match=r"disk full: need 9\.\d MB, have .*, at .*tensors/shards/0"):
        tensor_store(full_disk / "tensors", (blocks(), index), samples=4096)
    assert asked == [] and files_below(full_disk) == []
    few = ([np.zeros((50, 8, 4096), np.int16)], index.iloc[:50])
    assert len(read_tensor_store(tensor_store(full_disk / "tensors", few, samples=4096)).signals) == 50
