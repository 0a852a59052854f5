"""The source files on published recordings: values, metadata, and the numbers of the traps."""

import shutil
from collections import Counter
from pathlib import Path

import h5py
import numpy as np
import pytest
from scipy.io import loadmat

from codeii.formats.tracing import Tracing
from codeii.schema.labels import read_label_set, to_targets
from codeii.schema.leads import limb_lead_residual
from codeii.schema.record import Exclusion, Record
from codeii.sources import code15, cpsc2018


def parted(found: list[Record | Exclusion]) -> tuple[dict[str, Record], list[Exclusion]]:
    records = {item.record_id: item for item in found if isinstance(item, Record)}
    return records, [item for item in found if isinstance(item, Exclusion)]


# --- CPSC 2018 ---


def test_the_contest_form_is_read_as_scipy_reads_it(shared: Path) -> None:
    raw = shared / "data" / "cpsc2018"
    records, left_out = parted(list(cpsc2018.read_records(raw, {})))
    assert list(records) == ["A1980", "A1981", "A1982", "A1983", "A1984", "A1986"]
    assert Counter(item.reason for item in left_out) == {"absent": 6871}
    for name, record in records.items():
        data = loadmat(raw / "TrainingSet1" / f"{name}.mat")["ECG"][0, 0]["data"]
        np.testing.assert_array_equal(record.signal_uv, np.rint(data * 1000))
        assert (record.patient_id, record.rate_hz, record.fold) == (name, 500, "")
    assert [dict(record.statements) for record in records.values()] == [
        {label: None} for label in ("6", "8", "3", "1", "8", "5")
    ]
    assert (records["A1984"].age_years, records["A1984"].sex) == (23.0, "female")


@pytest.mark.parametrize(
    ("folder", "count", "name", "statements"),
    [
        ("challenge2020_first_release", 34, "A0043", {"AF": None, "RBBB": None}),
        ("challenge2021/training", 7, "A1041", {"164889003": None, "164909002": None}),
    ],
)
def test_the_challenge_form_is_read_without_its_neighbours(
    shared: Path, folder: str, count: int, name: str, statements: dict[str, None]
) -> None:
    records, left_out = parted(list(cpsc2018.read_records(shared / "data" / folder, {})))
    assert (len(records), left_out) == (count, [])
    assert list(records) == sorted(records)
    assert dict(records[name].statements) == statements
    label_set = read_label_set("cpsc2018")
    assert to_targets(label_set, [record.statements for record in records.values()]).any(axis=1).all()


def test_labels_of_all_cpsc_records_are_the_published_counts(
    shared: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.copy(shared / "data" / "cpsc2018" / "REFERENCE.csv", tmp_path)
    files = {".hea": [], ".mat": [tmp_path / f"A{number:04d}.mat" for number in range(1, 6878)]}
    monkeypatch.setattr(cpsc2018, "_own", lambda raw, suffix: files[suffix])
    silent = Tracing(np.zeros((12, 1), np.int16), 500, (), {"age": "50", "sex": "Male"})
    monkeypatch.setattr(cpsc2018, "read_struct", lambda path, rate_hz: silent)
    records, left_out = parted(list(cpsc2018.read_records(tmp_path, {})))
    assert (len(records), left_out) == (6877, [])
    targets = to_targets(read_label_set("cpsc2018"), [record.statements for record in records.values()])
    assert targets.sum(axis=0).tolist() == [918, 1221, 722, 236, 1857, 616, 700, 869, 220]
    assert np.bincount(targets.sum(axis=1)).tolist() == [0, 6401, 470, 6]
    assert [name for name, record in records.items() if "statement_twice" in record.flags] == ["A0953"]


def test_a_changed_label_is_refused(shared: Path, tmp_path: Path) -> None:
    table = (shared / "data" / "cpsc2018" / "REFERENCE.csv").read_text()
    (tmp_path / "REFERENCE.csv").write_text(table.replace("A0001,5,,", "A0001,10,,"))
    first = next(iter(cpsc2018.read_records(tmp_path, {})))
    assert isinstance(first, Exclusion)
    assert (first.record_id, first.reason, first.found) == ("A0001", "bad_metadata", "10")


def test_recordings_of_other_bundles_are_not_read(tmp_path: Path) -> None:
    for name in ("A0001", "A6877", "A6878", "A0000", "A12345", "Q0001", "A00001", "JS00001"):
        (tmp_path / name[-1]).mkdir(exist_ok=True)
        (tmp_path / name[-1] / f"{name}.hea").touch()
    assert [item.record_id for item in cpsc2018.read_records(tmp_path, {})] == ["A0001", "A6877"]


# --- CODE-15% ---


def test_the_six_exams_are_half_of_what_is_stored_without_padding(shared: Path) -> None:
    raw = shared / "data" / "code15"
    records, left_out = parted(list(code15.read_records(raw, {})))
    assert left_out == []
    assert list(records) == ["795649", "1238362", "438277", "358121", "975093", "1594286"]  # parts 0, 5, 11, 12, 14
    parts = {"795649": 0, "1238362": 5, "438277": 11, "358121": 12, "975093": 14, "1594286": 14}
    for name, record in records.items():
        with h5py.File(raw / f"exams_part{parts[name]}.hdf5") as file:
            stored = file["tracings"][int(np.flatnonzero(file["exam_id"][:] == int(name))[0])]
        samples = record.signal_uv.shape[1]
        assert samples == (4096 if name in ("975093", "1594286") else 2934)
        start = (4096 - samples) // 2
        exact = stored[start : start + samples].T.astype(np.float64) / 2 * 1000
        np.testing.assert_array_equal(record.signal_uv, np.rint(exact))
        assert not stored[:start].any()
        assert not stored[start + samples :].any()


def test_metadata_of_the_six_exams_is_joined_by_exam_id(shared: Path) -> None:
    records, _ = parted(list(code15.read_records(shared / "data" / "code15", {})))
    found = {
        name: (record.patient_id, record.age_years, record.sex, *record.statements) for name, record in records.items()
    }
    assert found == {
        "438277": ("185323", 46.0, "male", "1dAVb"),
        "358121": ("1295924", 54.0, "male", "RBBB"),
        "1594286": ("1599228", 68.0, "female", "RBBB"),
        "975093": ("1219958", 27.0, "male", "1dAVb"),
        "795649": ("618483", 75.0, "male", "ST"),
        "1238362": ("648630", 64.0, "male", "SB"),
    }


def test_the_scale_and_the_order_of_the_leads_are_those_of_an_ecg(shared: Path) -> None:
    records, _ = parted(list(code15.read_records(shared / "data" / "code15", {})))
    of_lead_ii = {name: np.ptp(record.signal_uv[1].astype(int)) / 1000 for name, record in records.items()}
    assert min(of_lead_ii.values()) > 0.65
    assert max(of_lead_ii.values()) < 3.4
    closing = {name: limb_lead_residual(record.signal_uv) for name, record in records.items()}
    assert {name for name, residual in closing.items() if residual > 0.05} <= {"438277", "358121"}


def copied(shared: Path, tmp_path: Path) -> Path:
    shutil.copytree(shared / "data" / "code15", tmp_path / "code15", copy_function=shutil.copyfile)
    (tmp_path / "code15").chmod(0o755)
    return tmp_path / "code15"


def test_a_part_that_is_absent_or_damaged_excludes_its_exams_only(shared: Path, tmp_path: Path) -> None:
    raw = copied(shared, tmp_path)
    (raw / "exams_part14.hdf5").unlink()
    (raw / "exams_part5.hdf5").write_bytes(b"<html>not found</html>")
    records, left_out = parted(list(code15.read_records(raw, {})))
    assert set(records) == {"438277", "358121", "795649"}
    assert {(item.record_id, item.reason) for item in left_out} == {
        ("975093", "absent"),
        ("1594286", "absent"),
        ("1238362", "unreadable"),
    }


def test_rows_and_lines_without_a_partner_are_named(shared: Path, tmp_path: Path) -> None:
    raw = copied(shared, tmp_path)
    table = (raw / "exams.csv").read_text()
    (raw / "exams.csv").write_text(table.replace("\n795649,", "\n1,").replace("\n1238362,64,True", "\n1238362,64,x"))
    with h5py.File(raw / "exams_part11.hdf5", "a") as file:
        file["tracings"][0, 100:200] = np.nan
    with h5py.File(raw / "exams_part12.hdf5", "a") as file:
        file["tracings"][0] = 0
    records, left_out = parted(list(code15.read_records(raw, {})))
    assert {(item.record_id, item.reason) for item in left_out} == {
        ("795649", "bad_metadata"),
        ("1", "absent"),
        ("438277", "no_value"),
        ("358121", "flat"),
    }
    assert records["1238362"].sex == "unknown"


def test_an_exam_named_twice_and_a_truth_that_is_none_are_refused(shared: Path, tmp_path: Path) -> None:
    raw = copied(shared, tmp_path)
    lines = (raw / "exams.csv").read_text().splitlines()
    lines[1] = lines[1].replace("True,False", "Yes,False", 1) if "438277" in lines[1] else lines[1]
    (raw / "exams.csv").write_text("\n".join([*lines, lines[-1]]) + "\n")
    _, left_out = parted(list(code15.read_records(raw, {})))
    assert {(item.record_id, item.reason) for item in left_out} == {
        ("1238362", "duplicate_id"),
        ("438277", "bad_metadata"),
    }


def test_both_forms_beside_each_other_are_read_once(shared: Path) -> None:
    """The contest's six recordings and the Challenge's two bundles: 47 records, every other row of the table absent."""
    found = list(cpsc2018.read_records(shared / "data", {}))
    read = [item for item in found if isinstance(item, Record)]
    assert len(read) == len({record.record_id for record in read}) == 47
    assert {"A1980", "A0043", "A1041"} <= {record.record_id for record in read}
    absent = [item for item in found if isinstance(item, Exclusion)]
    assert {item.reason for item in absent} == {"absent"}
    assert len(absent) == 6_877 - 47
