"""The declared layout: both signal formats, both ways to count tracings, and what is said where it is incomplete."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
import wfdb

from codeii.formats.declared import read_declared
from codeii.schema.leads import LEADS
from codeii.schema.record import Exclusion, Record

RATES = (300, 500, 600, 1000)
COLUMNS = {"exam_id": "exam_id", "patient_id": "patient_id", "age": "age", "sex": "sex", "split": "split"}
WFDB_LAYOUT: dict[str, Any] = {
    "table": "exams.csv",
    "columns": {**COLUMNS, "tracings": "tracings"},
    "sex_values": {"F": "female", "M": "male"},
    "statements": {"after": "tracings"},
    "signals": {"format": "wfdb", "path": "records/{exam_id}_{tracing}"},
}
HDF5_LAYOUT: dict[str, Any] = {
    "table": "exams.csv",
    "columns": {**COLUMNS, "split": None, "tracings": "tracings"},
    "sex_values": {"F": "female", "M": "male"},
    "statements": None,
    "signals": {
        "format": "hdf5",
        "path": "exams.hdf5",
        "dataset": "{exam_id}/{tracing}",
        "rate_attribute": "rate_hz",
        "axes": "lead_sample",
        "leads": list(LEADS),
        "unit": "mV",
        "counts_per_unit": 1000,
    },
}
EXAMS = "exam_id,patient_id,age,sex,split,tracings,STEMI,LBBB\n7,p1,61.5,F,train,2,1,0\n9,p2,,X,validation,1,0,0\n"
BARE = "exam_id,patient_id,age,sex,tracings\n7,p1,61.5,F,2\n9,p2,,X,1\n"


def signal_of(exam: int, tracing: int) -> np.ndarray:
    return np.random.default_rng([exam, tracing]).integers(-900, 900, (12, 40)).astype(np.int16)


def write_wfdb(folder: Path, exams: str = EXAMS, rate_hz: int = 600) -> Path:
    (folder / "exams.csv").write_text(exams)
    (folder / "records").mkdir(exist_ok=True)
    for exam, tracing in ((7, 1), (7, 2), (9, 1)):
        wfdb.wrsamp(
            f"{exam}_{tracing}",
            fs=rate_hz,
            units=["mV"] * 12,
            sig_name=list(LEADS),
            d_signal=signal_of(exam, tracing).T.astype(np.int64),
            fmt=["16"] * 12,
            adc_gain=[1000.0] * 12,
            baseline=[0] * 12,
            write_dir=str(folder / "records"),
        )
    return folder


def write_hdf5(folder: Path, exams: str = BARE) -> Path:
    (folder / "exams.csv").write_text(exams)
    with h5py.File(folder / "exams.hdf5", "w") as file:
        for exam, tracing in ((7, 1), (7, 2), (9, 1)):
            dataset = file.create_dataset(f"{exam}/{tracing}", data=signal_of(exam, tracing))
            dataset.attrs["rate_hz"] = 300
    return folder


def read(folder: Path, layout: Mapping[str, Any]) -> list[Record | Exclusion]:
    return list(read_declared(folder, layout, "code_ii_open", RATES))


def records_of(found: list[Record | Exclusion]) -> list[Record]:
    assert all(isinstance(item, Record) for item in found), found
    return [item for item in found if isinstance(item, Record)]


def with_changes(layout: Mapping[str, Any], block: str, **changes: object) -> dict[str, Any]:
    return {**layout, block: {**layout[block], **changes}}


def test_every_tracing_of_an_exam_becomes_a_record(tmp_path: Path) -> None:
    records = records_of(read(write_wfdb(tmp_path), WFDB_LAYOUT))
    assert [(r.record_id, r.exam_id, r.tracing, r.patient_id) for r in records] == [
        ("7_1", "7", 1, "p1"), ("7_2", "7", 2, "p1"), ("9_1", "9", 1, "p2"),
    ]  # fmt: skip
    assert [(r.age_years, r.sex, r.fold, r.rate_hz, r.flags) for r in records[:2]] == [
        (61.5, "female", "train", 600, ())
    ] * 2
    assert records[0].statements == {"STEMI": None}
    assert (records[2].sex, records[2].fold, records[2].flags) == ("unknown", "validation", ("age_unknown",))
    assert records[2].statements == {}
    for record in records:
        np.testing.assert_array_equal(record.signal_uv, signal_of(int(record.exam_id), record.tracing))


def test_hdf5_datasets_and_withheld_labels_are_read(tmp_path: Path) -> None:
    records = records_of(read(write_hdf5(tmp_path), HDF5_LAYOUT))
    assert [(r.record_id, r.rate_hz, r.fold, dict(r.statements)) for r in records] == [
        ("7_1", 300, "", {}), ("7_2", 300, "", {}), ("9_1", 300, "", {}),
    ]  # fmt: skip
    for record in records:
        np.testing.assert_array_equal(record.signal_uv, signal_of(int(record.exam_id), record.tracing))


def test_axes_leads_unit_and_scale_are_as_declared(tmp_path: Path) -> None:
    folder = write_hdf5(tmp_path, BARE.replace(",2\n", ",1\n"))
    with h5py.File(folder / "exams.hdf5", "a") as file:
        for exam in (7, 9):
            del file[f"{exam}/1"]
            file[f"{exam}/1"] = signal_of(exam, 1)[::-1].T / 1e6
            file[f"{exam}/1"].attrs["rate_hz"] = 1000.0
    layout = with_changes(
        HDF5_LAYOUT, "signals", axes="sample_lead", leads=list(LEADS[::-1]), unit="V", counts_per_unit=1.0
    )
    records = records_of(read(folder, layout))
    assert [record.rate_hz for record in records] == [1000, 1000]
    np.testing.assert_array_equal(records[0].signal_uv, signal_of(7, 1))


def test_a_row_per_tracing_and_statements_as_text_are_read(tmp_path: Path) -> None:
    exams = "id,n,born,day,found\n7,2,1960-01-31,2020-07-31 10:00:00,LBBB; STEMI\n9,1,,2020-01-01,\n"
    layout = {
        "table": "exams.csv",
        "columns": {
            "exam_id": "id", "patient_id": None, "age": None, "sex": None, "split": None, "tracing": "n",
            "birth_date": "born", "exam_date": "day",
        },
        "statements": {"column": "found"},
        "signals": {"format": "wfdb", "path": "records/{id}_{n}"},
    }  # fmt: skip
    first, second = records_of(read(write_wfdb(tmp_path, exams), layout))
    assert (first.record_id, first.patient_id, list(first.statements)) == ("7_2", "7", ["LBBB", "STEMI"])
    assert first.age_years == pytest.approx(60.5, abs=0.01)
    assert (second.record_id, dict(second.statements), second.flags) == ("9_1", {}, ("age_unknown",))


def test_named_statement_columns_are_read(tmp_path: Path) -> None:
    layout = {**WFDB_LAYOUT, "statements": {"columns": ["LBBB"]}}
    assert [dict(record.statements) for record in records_of(read(write_wfdb(tmp_path), layout))] == [{}, {}, {}]


# --- declarations that are missing or wrong ---


@pytest.mark.parametrize(
    ("layout", "sentence"),
    [
        ({}, r"sources\.code_ii_open\.layout\.table is not declared: name the CSV file"),
        (
            {**WFDB_LAYOUT, "columns": {**COLUMNS, "tracings": "tracings", "exam_id": None}},
            r"layout\.columns\.exam_id: found None",
        ),
        (
            {**WFDB_LAYOUT, "columns": {k: v for k, v in WFDB_LAYOUT["columns"].items() if k != "exam_id"}},
            r"sources\.code_ii_open\.layout\.columns\.exam_id is not declared: name the column of the table that holds "
            r"the exam id",
        ),
        ({**WFDB_LAYOUT, "columns": COLUMNS}, r"layout\.columns: declare either tracings"),
        (with_changes(WFDB_LAYOUT, "columns", tracing="n"), r"layout\.columns: declare either tracings"),
        (with_changes(WFDB_LAYOUT, "columns", birth_date="b"), r"layout\.columns: declare either age"),
        (with_changes(WFDB_LAYOUT, "columns", exam="n"), r"layout\.columns\.exam: this key is not known"),
        (with_changes(WFDB_LAYOUT, "statements", column="n"), r"layout\.statements: declare one of"),
        ({**WFDB_LAYOUT, "sex_values": {}}, r"layout: columns\.sex is declared, so sex_values must say"),
        ({**WFDB_LAYOUT, "sex_values": {"F": "woman"}}, r"layout\.sex_values\.F: found 'woman'"),
        ({k: v for k, v in WFDB_LAYOUT.items() if k != "statements"}, r"layout\.statements is not declared: .*null"),
        ({k: v for k, v in WFDB_LAYOUT.items() if k != "signals"}, r"layout\.signals is not declared"),
        ({**WFDB_LAYOUT, "signals": {"path": "x"}}, r"layout\.signals\.format is not declared: say wfdb or hdf5"),
        ({**WFDB_LAYOUT, "signals": {"format": "edf"}}, r"layout\.signals: found .*edf"),
        ({**WFDB_LAYOUT, "signals": {"format": "wfdb"}}, r"layout\.signals\.path is not declared: path of a tracing"),
        (with_changes(HDF5_LAYOUT, "signals", unit="NU"), r"layout\.signals\.unit: unit 'NU' is not one of"),
        (with_changes(HDF5_LAYOUT, "signals", leads=["X"]), r"layout\.signals\.leads: lead 'X'"),
        (with_changes(HDF5_LAYOUT, "signals", counts_per_unit=0), r"layout\.signals\.counts_per_unit: found 0"),
    ],
)
def test_a_layout_that_is_not_whole_says_which_key_and_what_to_write(
    tmp_path: Path, layout: dict[str, Any], sentence: str
) -> None:
    with pytest.raises(ValueError, match=sentence):
        read(tmp_path, layout)


def test_an_absent_table_and_absent_columns_are_named(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"exams\.csv is not there; fetch the source"):
        read(tmp_path, WFDB_LAYOUT)
    write_wfdb(tmp_path)
    with pytest.raises(ValueError, match=r"columns\.exam_id: expected column 'laufnummer', found none.*has exam_id"):
        read(tmp_path, with_changes(WFDB_LAYOUT, "columns", exam_id="laufnummer"))
    with pytest.raises(ValueError, match=r"statements\.after: expected column 'count', found none"):
        read(tmp_path, {**WFDB_LAYOUT, "statements": {"after": "count"}})
    with pytest.raises(ValueError, match=r"\{study\} is neither a column"):
        read(tmp_path, with_changes(WFDB_LAYOUT, "signals", path="records/{study}"))


# --- bad rows and files ---


@pytest.mark.parametrize(
    ("old", "new", "record_id", "reason"),
    [
        ("7,p1", ",p1", "line 2 of exams.csv", "bad_metadata"),
        ("7,p1", "7,", "7", "bad_metadata"),
        ("train,2", "train,two", "7", "bad_metadata"),
        ("train,2", "train,0", "7", "bad_metadata"),
        ("train,2", "train,1e9", "7", "bad_metadata"),
        ("2,1,0", "2,1,maybe", "7", "bad_metadata"),
        ("7,p1", "../7,p1", "../7", "unreadable"),
        ("7,p1", "8,p1", "8_1", "absent"),
        ("train,2", "train,3", "7_3", "absent"),
    ],
)
def test_a_bad_row_is_one_exclusion_and_the_rest_is_read(
    tmp_path: Path, old: str, new: str, record_id: str, reason: str
) -> None:
    found = read(write_wfdb(tmp_path, EXAMS.replace(old, new)), WFDB_LAYOUT)
    bad = [item for item in found if isinstance(item, Exclusion)]
    assert (record_id, reason) in [(item.record_id, item.reason) for item in bad]
    assert found[-1].record_id == "9_1"
    assert isinstance(found[-1], Record)


def test_a_rate_that_the_source_does_not_have_is_refused(tmp_path: Path) -> None:
    found = read(write_wfdb(tmp_path, rate_hz=250), WFDB_LAYOUT)
    assert {(item.reason, item.found) for item in found if isinstance(item, Exclusion)} == {("wrong_rate", "250")}


def test_bad_datasets_fail_singly(tmp_path: Path) -> None:
    folder = write_hdf5(tmp_path)
    with h5py.File(folder / "exams.hdf5", "a") as file:
        del file["7/1"].attrs["rate_hz"]
        del file["7/2"]
        file["7/2"] = np.zeros((11, 40), np.int16)
        file["7/2"].attrs["rate_hz"] = 300
    found = read(folder, HDF5_LAYOUT)
    assert [getattr(item, "reason", "") for item in found] == ["bad_metadata", "wrong_leads", ""]


@pytest.mark.parametrize(("raw", "reason"), [(None, "absent"), (b"", "unreadable"), (b"<html>", "unreadable")])
def test_a_bad_file_excludes_each_tracing_in_it(tmp_path: Path, raw: bytes | None, reason: str) -> None:
    folder = write_hdf5(tmp_path)
    (folder / "exams.hdf5").unlink()
    if raw is not None:
        (folder / "exams.hdf5").write_bytes(raw)
    found = read(folder, HDF5_LAYOUT)
    assert [(item.record_id, getattr(item, "reason", "")) for item in found] == [
        ("7_1", reason), ("7_2", reason), ("9_1", reason),
    ]  # fmt: skip
