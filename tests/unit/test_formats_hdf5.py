"""The HDF5 reader: blocks, single datasets, and refusal of everything that lies outside the file."""

from pathlib import Path

import h5py
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from codeii.formats import hdf5
from codeii.formats.hdf5 import attribute_number, blocks, dataset_of, open_hdf5, read_ids, read_signal
from codeii.schema.record import RecordFault


def fault_of(path: Path, name: str = "tracings") -> RecordFault:
    with pytest.raises(RecordFault) as caught, open_hdf5(path) as file:
        read_signal(dataset_of(file, name), name)
    return caught.value


def test_blocks_cover_all_rows_in_order_and_in_whole_chunks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    stored = np.random.default_rng(0).normal(size=(23, 40, 3)).astype(np.float32)
    monkeypatch.setattr(hdf5, "BLOCK_BYTES", 11 * 40 * 3 * 4)
    for chunks in (None, (4, 10, 3), (13, 40, 3)):
        with h5py.File(tmp_path / "a.hdf5", "w") as file:
            file.create_dataset("tracings", data=stored, chunks=chunks)
        with open_hdf5(tmp_path / "a.hdf5") as file:
            found = list(blocks(dataset_of(file, "tracings"), "tracings"))
        assert [start for start, _ in found] == list(range(0, 23, {None: 11, (4, 10, 3): 8, (13, 40, 3): 11}[chunks]))
        np.testing.assert_array_equal(np.concatenate([block for _, block in found]), stored)


def test_a_dataset_in_a_group_is_found_with_its_attribute(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "a.hdf5", "w") as file:
        file["7/1"] = np.arange(24).reshape(12, 2)
        file["7/1"].attrs["rate_hz"] = 600
        file["7/1"].attrs["text"] = "six hundred"
    with open_hdf5(tmp_path / "a.hdf5") as file:
        dataset = dataset_of(file, "7/1")
        assert read_signal(dataset, "7/1").shape == (12, 2)
        assert attribute_number(dataset, "rate_hz") == 600
        for attribute in ("text", "absent"):
            with pytest.raises(RecordFault, match=f"attribute {attribute}"):
                attribute_number(dataset, attribute)


@pytest.mark.parametrize("name", ["8/1", "7/2", "7", "7/1/0", "", "../7/1", "7/./1"])
def test_a_name_that_is_no_dataset_is_refused(tmp_path: Path, name: str) -> None:
    with h5py.File(tmp_path / "a.hdf5", "w") as file:
        file["7/1"] = np.zeros((12, 2))
    assert fault_of(tmp_path / "a.hdf5", name).reason == ("unreadable" if name == "7" else "absent")


def test_data_outside_the_file_is_never_read(tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_bytes(b"0123456789" * 10)
    with h5py.File(tmp_path / "other.hdf5", "w") as file:
        file["tracings"] = np.zeros((12, 2))
    layout = h5py.VirtualLayout((12, 2), np.float64)
    layout[:] = h5py.VirtualSource(tmp_path / "other.hdf5", "tracings", (12, 2))
    with h5py.File(tmp_path / "a.hdf5", "w") as file:
        file.create_dataset("storage", (2, 10), np.int8, external=[(str(secret), 0, 20)])
        file["outside"] = h5py.ExternalLink("other.hdf5", "tracings")
        file["soft"] = h5py.SoftLink("/storage")
        file["group/outside"] = h5py.ExternalLink("other.hdf5", "/")
        file.create_virtual_dataset("virtual", layout)
    for name in ("storage", "outside", "soft", "group/outside/tracings", "virtual"):
        assert fault_of(tmp_path / "a.hdf5", name).reason == "unreadable", name


@pytest.mark.parametrize("raw", [b"", b"<html>moved</html>", b"\x89HDF\r\n\x1a\n", bytes(5000)])
def test_what_is_not_hdf5_is_unreadable(tmp_path: Path, raw: bytes) -> None:
    (tmp_path / "a.hdf5").write_bytes(raw)
    assert fault_of(tmp_path / "a.hdf5").reason == "unreadable"


def test_a_cut_file_is_unreadable(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "a.hdf5", "w") as file:
        file.create_dataset("tracings", data=np.random.default_rng(0).normal(size=(12, 5000)), chunks=(12, 100))
    raw = (tmp_path / "a.hdf5").read_bytes()
    (tmp_path / "a.hdf5").write_bytes(raw[: len(raw) // 2])
    assert fault_of(tmp_path / "a.hdf5").reason == "unreadable"


def test_a_flipped_byte_is_noticed_where_the_file_has_checksums(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "a.hdf5", "w") as file:
        file.create_dataset("tracings", data=np.full((12, 100), 1.25), chunks=(12, 100), fletcher32=True)
    raw = bytearray((tmp_path / "a.hdf5").read_bytes())
    raw[bytes(raw).index(np.full(4, 1.25).tobytes()) + 9] ^= 1
    (tmp_path / "a.hdf5").write_bytes(raw)
    assert fault_of(tmp_path / "a.hdf5").reason == "unreadable"


@pytest.mark.parametrize("shape", [(12,), (12, 0), (3, 12, 5)])
def test_another_shape_is_refused(tmp_path: Path, shape: tuple[int, ...]) -> None:
    with h5py.File(tmp_path / "a.hdf5", "w") as file:
        file["tracings"] = np.zeros(shape)
    assert fault_of(tmp_path / "a.hdf5").reason == "wrong_length"


def test_a_shape_that_would_fill_the_memory_is_refused_before_it_is_read(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "a.hdf5", "w") as file:
        file.create_dataset("tracings", (12, 10**10), np.float64, chunks=(12, 100))
        file.create_dataset("block", (5, 10**8, 12), np.float64, chunks=(1, 100, 12))
    assert fault_of(tmp_path / "a.hdf5").reason == "wrong_length"
    with pytest.raises(RecordFault, match="bytes a row"), open_hdf5(tmp_path / "a.hdf5") as file:
        list(blocks(dataset_of(file, "block"), "block"))


def test_ids_are_whole_numbers_one_per_row(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "a.hdf5", "w") as file:
        file["exam_id"] = np.array([5, 7, 0])
        file["float"] = np.array([5.0])
        file["text"] = "five"
    with open_hdf5(tmp_path / "a.hdf5") as file:
        np.testing.assert_array_equal(read_ids(file, "exam_id"), [5, 7, 0])
        for name in ("float", "text"):
            with pytest.raises(RecordFault):
                read_ids(file, name)


def test_an_absent_file_is_absent(tmp_path: Path) -> None:
    assert fault_of(tmp_path / "a.hdf5").reason == "absent"


@settings(deadline=None)  # a busy machine is no fault
@given(st.lists(st.tuples(st.floats(0, 1, exclude_max=True), st.integers(0, 255)), min_size=1, max_size=6))
def test_changed_bytes_give_a_signal_or_a_fault(
    tmp_path_factory: pytest.TempPathFactory, changes: list[tuple[float, int]]
) -> None:
    path = tmp_path_factory.getbasetemp() / "changed.hdf5"
    with h5py.File(path, "w") as file:
        file["7/1"] = np.zeros((12, 20))
        file["7/1"].attrs["rate_hz"] = 300
    raw = bytearray(path.read_bytes())
    for place, value in changes:
        raw[int(place * len(raw))] = value
    path.write_bytes(raw)
    try:
        with open_hdf5(path) as file:
            dataset = dataset_of(file, "7/1")
            attribute_number(dataset, "rate_hz")
            assert read_signal(dataset, "7/1").ndim == 2
    except RecordFault as fault:
        assert fault.reason in ("unreadable", "absent", "wrong_length", "bad_metadata")
