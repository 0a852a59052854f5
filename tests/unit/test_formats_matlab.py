"""The reader of the contest's struct files: what it accepts, and each bad input as one named fault."""

from collections.abc import Callable
from pathlib import Path

import h5py
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.io import savemat

from codeii.formats import matlab
from codeii.formats.matlab import read_struct
from codeii.schema.record import RecordFault


def signal_mv(samples: int = 300) -> np.ndarray:
    return np.random.default_rng(0).normal(0, 0.3, (12, samples))


def write_struct(path: Path, signal: np.ndarray, *, compress: bool = False, **fields: object) -> Path:
    ecg = {"sex": "Male", "age": 52, "data": signal} | fields
    savemat(path, {"ECG": ecg}, do_compression=compress)
    return path


def fault_of(path: Path) -> RecordFault:
    with pytest.raises(RecordFault) as caught:
        read_struct(path, 500)
    return caught.value


@pytest.mark.parametrize("compress", [False, True])
def test_millivolts_are_rounded_to_microvolts(tmp_path: Path, compress: bool) -> None:
    signal = signal_mv()
    tracing = read_struct(write_struct(tmp_path / "A0001.mat", signal, compress=compress), 500)
    np.testing.assert_array_equal(tracing.signal_uv, np.rint(signal * 1000))
    assert (tracing.rate_hz, tracing.notes, tracing.flags) == (500, {"sex": "Male", "age": "52"}, ())


def test_an_age_that_is_not_a_number_stays_text(tmp_path: Path) -> None:
    path = write_struct(tmp_path / "a.mat", signal_mv(), age=np.nan, sex="Female")
    assert read_struct(path, 500).notes == {"sex": "Female", "age": "nan"}


@pytest.mark.parametrize("compress", [False, True])
@pytest.mark.parametrize(
    "damage",
    [
        lambda raw: raw[: len(raw) // 2],
        lambda raw: raw[:-1],
        lambda raw: raw[:100],
        lambda raw: b"",
        lambda raw: b"<html>please log in</html>" * 20,
        lambda raw: raw[:140] + b"\xff" * 60 + raw[200:],
    ],
)
def test_a_damaged_file_is_unreadable(tmp_path: Path, compress: bool, damage: Callable[[bytes], bytes]) -> None:
    path = write_struct(tmp_path / "a.mat", signal_mv(), compress=compress)
    path.write_bytes(damage(path.read_bytes()))
    assert fault_of(path).reason == "unreadable"


def test_a_web_page_is_called_one(tmp_path: Path) -> None:
    (tmp_path / "a.mat").write_text("<!DOCTYPE html><title>404</title>" * 9)
    assert fault_of(tmp_path / "a.mat").found == "a web page"


def test_a_file_of_matlab_7_3_is_sent_to_hdf5(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "a.mat", "w", userblock_size=512) as file:
        file["ECG"] = 1
    with (tmp_path / "a.mat").open("r+b") as raw:
        raw.write(b"MATLAB 7.3 MAT-file, Platform: GLNXA64")
    fault = fault_of(tmp_path / "a.mat")
    assert fault.reason == "unreadable"
    assert "use HDF5" in str(fault)


def test_a_file_without_the_struct_is_unreadable(tmp_path: Path) -> None:
    savemat(tmp_path / "a.mat", {"val": np.zeros((12, 9))})
    assert fault_of(tmp_path / "a.mat").reason == "unreadable"
    savemat(tmp_path / "v4.mat", {"val": np.zeros((12, 9), np.int16)}, format="4")
    assert fault_of(tmp_path / "v4.mat").reason == "unreadable"


@pytest.mark.parametrize(
    ("signal", "reason"),
    [
        (signal_mv()[:11], "wrong_leads"),
        (signal_mv().T, "wrong_leads"),
        (np.zeros((12, 0)), "wrong_length"),
        (np.full((12, 9), np.nan), "no_value"),
        (np.full((12, 9), np.inf), "no_value"),
        ("nothing", "wrong_leads"),
    ],
)
def test_what_is_not_twelve_leads_of_numbers_is_refused(tmp_path: Path, signal: np.ndarray, reason: str) -> None:
    assert fault_of(write_struct(tmp_path / "a.mat", signal)).reason == reason


def test_a_file_that_inflates_without_end_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(matlab, "_LARGEST", 100_000)
    path = write_struct(tmp_path / "a.mat", np.zeros((12, 5000)), compress=True)
    assert "after inflating" in fault_of(path).found


def test_an_absent_file_is_absent(tmp_path: Path) -> None:
    assert fault_of(tmp_path / "a.mat").reason == "absent"


@settings(deadline=None)  # a busy machine is no fault
@given(
    st.lists(st.tuples(st.floats(0, 1, exclude_max=True), st.integers(0, 255)), min_size=1, max_size=6), st.booleans()
)
def test_changed_bytes_give_a_tracing_or_a_fault(
    tmp_path_factory: pytest.TempPathFactory, changes: list[tuple[float, int]], header_only: bool
) -> None:
    path = tmp_path_factory.getbasetemp() / "changed.mat"
    raw = bytearray(write_struct(path, signal_mv(20)).read_bytes())
    reach = 500 if header_only else len(raw)
    for place, value in changes:
        raw[int(place * reach)] = value
    path.write_bytes(raw)
    try:
        assert read_struct(path, 500).signal_uv.shape[0] == 12
    except RecordFault as fault:
        assert fault.reason in ("unreadable", "no_value", "wrong_leads", "wrong_length")
