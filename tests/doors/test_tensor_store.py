"""The door of the tensors: what goes in comes out, and nothing else goes through."""

import ctypes
import mmap
import os
import time
from collections.abc import Iterable
from itertools import pairwise
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from tests.stores import tensor_store

from codeii.artifacts.manifest import IntegrityError, load_manifest, write_manifest
from codeii.artifacts.tensor_store import INDEX, SIGNALS, blocks, read_tensor_store, write_tensor_store


def index_of(count: int) -> pd.DataFrame:
    names = [f"r{n}" for n in range(count)]
    return pd.DataFrame({"record_id": names, "exam_id": names, "patient_id": names, "rate_hz": 500})


def tensors(count: int, leads: int = 8, samples: int = 20) -> np.ndarray:
    return np.random.default_rng(0).integers(-99, 99, (count, leads, samples)).astype(np.int16)


def write(folder: Path, parts: Iterable[np.ndarray], index: pd.DataFrame, leads: int = 8) -> Path:
    return tensor_store(folder, (parts, index), leads=leads, facts={"cropped_records": 1})


def sign_again(folder: Path, **facts: object) -> Path:
    """Write both manifests anew for changed files, as a faulty writer would."""
    for path, kind in (
        (folder / "shards" / "0" / "manifest.json", "tensor_shard"),
        (folder / "manifest.json", "tensors"),
    ):
        old = load_manifest(path, kind)
        common = {"files": old.files, "settings": {}, "code": "c", "inputs": [], "synthetic": True}
        write_manifest(path.parent, kind, facts=old.facts | facts, **common)
    return folder / "manifest.json"


@pytest.mark.parametrize("size", [1, 3, 10])
def test_tensors_come_back_as_they_were_whatever_the_block(tmp_path: Path, size: int) -> None:
    made = tensors(10)
    store = read_tensor_store(write(tmp_path, (made[part] for part in blocks(10, size)), index_of(10)))
    np.testing.assert_array_equal(store.signals[np.arange(10)], made)
    assert len(store.signals) == 10 and store.scale == 1e-3
    assert list(store.index.columns) == ["record_id", "exam_id", "patient_id", "section"]
    facts = store.manifest.facts
    assert facts["unit"] == "mV" and facts["records"] == 10 and facts["cropped_records"] == 1


@pytest.mark.parametrize("cuts", [(10,), (4, 6), (0, 3, 3, 0, 4)])
def test_rows_come_in_the_order_asked_for_whatever_the_shards(tmp_path: Path, cuts: tuple[int, ...]) -> None:
    made, index, edges = tensors(10), index_of(10), np.cumsum((0, *cuts))
    shards = [([made[a:b]], index.iloc[a:b]) for a, b in pairwise(edges)]
    store = read_tensor_store(tensor_store(tmp_path, *shards))
    assert store.index["record_id"].tolist() == index["record_id"].tolist()
    rows = np.array([9, 0, 4, 3, 4, 7, 1])
    store.signals.announce(rows)
    np.testing.assert_array_equal(store.signals[rows], made[rows])
    assert store.manifest.facts["records"] == 10 and store.manifest.facts["shards"] == len(cuts)


@pytest.mark.parametrize("kernel", ["native", "reference"])
def test_announced_rows_come_into_memory_unasked(tmp_path: Path, kernel: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CODEII_KERNEL", kernel)
    made = tensors(64, samples=4096)
    path = tensor_store(tmp_path, ([made], index_of(64)), samples=4096).parent / "shards" / "0" / SIGNALS
    store = read_tensor_store(tmp_path / "manifest.json")
    wanted = np.array([3, 40, 17, 60, 8])
    starts = path.stat().st_size - made.nbytes + wanted[:, None] * made[0].nbytes
    pages = (starts + np.arange(0, made[0].nbytes, mmap.PAGESIZE)) // mmap.PAGESIZE  # of each row, all of it
    with path.open("rb") as file:
        os.fsync(file.fileno())
        os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
    if in_memory(path)[pages].any():
        pytest.skip("this file system keeps a file's pages in memory")
    store.signals.announce(wanted)
    deadline = time.monotonic() + 5
    while not in_memory(path)[pages].all():
        assert time.monotonic() < deadline, "announced rows were not read within 5 s"
        time.sleep(0.01)
    np.testing.assert_array_equal(store.signals[wanted], made[wanted])


def in_memory(path: Path) -> np.ndarray:
    """(page,) which pages of a file are in memory; asking brings none of them there."""
    mapped = np.memmap(path, np.uint8, "c")
    there = np.zeros(-(-len(mapped) // mmap.PAGESIZE), np.uint8)
    failed = ctypes.CDLL(None).mincore(
        ctypes.c_void_p(mapped.ctypes.data), ctypes.c_size_t(len(mapped)), ctypes.c_void_p(there.ctypes.data)
    )
    assert not failed
    return (there & 1).astype(bool)


def test_a_record_may_have_several_sections_but_each_once(tmp_path: Path) -> None:
    sections = index_of(4).assign(record_id=["a", "a", "b", "b"], section=[0, 1, 0, 1])
    store = read_tensor_store(write(tmp_path / "good", [tensors(4)], sections))
    assert store.index["section"].tolist() == [0, 1, 0, 1] and store.manifest.facts["records"] == 2
    with pytest.raises(ValueError, match="a record_id occurs twice"):
        read_tensor_store(write(tmp_path / "bad", [tensors(4)], sections.assign(section=0)))


def test_shards_of_other_units_are_not_gathered(tmp_path: Path) -> None:
    write(tmp_path, [tensors(2)], index_of(2))
    other = tmp_path / "other"
    tensor_store(other, ([tensors(2)], index_of(2)), facts={"unit": "sd"})
    shards = [folder / "shards" / "0" / "manifest.json" for folder in (tmp_path, other)]
    with pytest.raises(ValueError, match=r"unit are .*'sd'.*those of the first shard .*'mV'"):
        write_tensor_store(tmp_path, shards, settings={}, code="c", facts={}, synthetic=True)


def test_the_signal_file_is_plain_npy(tmp_path: Path) -> None:
    write(tmp_path, [tensors(3)], index_of(3))
    np.testing.assert_array_equal(np.load(tmp_path / "shards" / "0" / SIGNALS), tensors(3))


def test_an_empty_store_can_be_read(tmp_path: Path) -> None:
    assert read_tensor_store(write(tmp_path, [], index_of(0))).signals.shape == (0, 8, 20)


@pytest.mark.parametrize(
    ("parts", "message"),
    [
        ([tensors(3).astype(np.float32)], r"block of float32 \(3, 8, 20\), expected int16 \(n, 8, 20\)"),
        ([tensors(3, leads=12)], r"block of int16 \(3, 12, 20\)"),
        ([tensors(3, samples=21)], r"block of int16 \(3, 8, 21\)"),
        ([tensors(2)], "2 tensors and 3 lines of the index, expected 3"),
        ([tensors(3), tensors(1)], "4 tensors and 3 lines of the index, expected 3"),
    ],
)
def test_tensors_that_break_the_form_are_not_written(tmp_path: Path, parts: list[np.ndarray], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        write(tmp_path, parts, index_of(3))
    assert not (tmp_path / "manifest.json").exists()


def test_an_index_of_another_length_is_not_read(tmp_path: Path) -> None:
    manifest = write(tmp_path, [tensors(3)], index_of(3))
    index_of(2).assign(section=0).to_parquet(tmp_path / INDEX, index=False)
    with pytest.raises(ValueError, match=r"signals int16 \(3, 8, 20\), expected int16 \(2, 8, 20\)"):
        read_tensor_store(sign_again(manifest.parent))


def test_another_type_of_number_is_not_read(tmp_path: Path) -> None:
    manifest = write(tmp_path, [tensors(3)], index_of(3))
    np.save(tmp_path / "shards" / "0" / SIGNALS, tensors(3).astype(np.float16))
    with pytest.raises(ValueError, match="signals float16"):
        read_tensor_store(sign_again(manifest.parent))


def test_another_number_of_leads_than_stated_is_not_read(tmp_path: Path) -> None:
    manifest = write(tmp_path, [tensors(3)], index_of(3))
    with pytest.raises(ValueError, match=r"signals \(3, 8, 20\), expected \(3, 12, 20\)"):
        read_tensor_store(sign_again(manifest.parent, lead_names=["L"] * 12))


def test_a_record_given_twice_is_not_read(tmp_path: Path) -> None:
    manifest = write(tmp_path, [tensors(3)], index_of(3))
    index_of(3).assign(record_id="r0", section=0).to_parquet(tmp_path / INDEX, index=False)
    with pytest.raises(ValueError, match="a record_id occurs twice"):
        read_tensor_store(sign_again(manifest.parent))


@pytest.mark.parametrize("name", [f"shards/0/{SIGNALS}", INDEX, f"shards/0/{INDEX}"])
def test_a_flipped_byte_is_noticed_in_every_file(tmp_path: Path, name: str) -> None:
    manifest = write(tmp_path, [tensors(3)], index_of(3))
    content = bytearray((tmp_path / name).read_bytes())
    content[-3] ^= 1
    (tmp_path / name).write_bytes(content)
    with pytest.raises(IntegrityError, match=f"{name.split('/')[-1]}: content changed"):
        read_tensor_store(manifest)


def test_a_truncated_file_is_noticed_by_its_size(tmp_path: Path) -> None:
    manifest = write(tmp_path, [tensors(3)], index_of(3))
    with (tmp_path / "shards" / "0" / SIGNALS).open("r+b") as file:
        file.truncate(300)
    with pytest.raises(IntegrityError, match=r"signals\.npy: 300 bytes, the manifest says"):
        read_tensor_store(manifest)


def test_an_artefact_of_another_kind_is_refused(tmp_path: Path) -> None:
    (tmp_path / "x").write_text("x")
    manifest = write_manifest(
        tmp_path, "records", files=["x"], settings={}, code="", inputs=[], facts={}, synthetic=False
    )
    with pytest.raises(IntegrityError, match="kind 'records', expected 'tensors'"):
        read_tensor_store(manifest)
