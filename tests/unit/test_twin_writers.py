"""Twins on disk: read back by the libraries of the field and by the study's own readers."""

import ast
import csv
import hashlib
import math
from collections.abc import Iterator, Mapping
from importlib import import_module
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
import wfdb
from scipy.io import loadmat

from codeii.artifacts.raw_archive import read_raw_archive
from codeii.records.quality import examine
from codeii.schema.leads import LEADS
from codeii.schema.record import Exclusion, Record
from codeii.schema.shard import Shard
from codeii.synthetic import build
from codeii.synthetic.declared_files import statement_names, write_declared
from codeii.synthetic.exam import TwinExam
from codeii.synthetic.planted import EXAMS_PER_FAULT, SENTENCES, plant
from codeii.synthetic.writers import ptbxl as ptbxl_writer

TABLE = {"table": "exams.csv", "sex_values": {"F": "female", "M": "male"}}
COLUMNS = {
    "exam_id": "exam_id",
    "patient_id": "patient_id",
    "age": "age",
    "sex": "sex",
    "split": "split",
    "tracings": "tracings",
}
OPEN_LAYOUT = {
    **TABLE,
    "columns": COLUMNS,
    "statements": {"after": "tracings"},
    "signals": {"format": "wfdb", "path": "records/{exam_id}_{tracing}"},
}
TEST_LAYOUT = {
    **TABLE,
    "columns": {**COLUMNS, "split": None},
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
# source, form, layout, statements of a first and a second exam, rates, samples, tracings of an exam
CASES: dict[str, tuple[str, str | None, Mapping[str, Any], tuple[tuple[str, ...], ...], tuple[int, ...], int]] = {
    "ptbxl": ("ptbxl", None, {}, (("NORM", "SR"), ("IMI", "PACE", "LVOLT")), (500,), 1),
    "cpsc2018": ("cpsc2018", None, {}, (("1",), ("5", "2", "7")), (500,), 1),
    "cpsc2018_challenge": ("cpsc2018", "challenge", {}, (("1",), ("5", "2", "7")), (500,), 1),
    "code15": ("code15", None, {}, ((), ("RBBB", "AF")), (400,), 1),
    "code_ii_open": ("code_ii_open", None, OPEN_LAYOUT, (), (300, 1000), 2),
    "code_ii": ("code_ii", None, OPEN_LAYOUT, (), (500, 600), 2),
    "code_ii_test": ("code_ii_test", None, TEST_LAYOUT, (), (300, 1000), 2),
}
COUNT = 5


def exams_of(case: str, count: int = COUNT) -> Iterator[TwinExam]:
    """Exams with every awkward thing a writer must get right: three lengths, two patients, an age over 89."""
    source, _, _, statements, rates, tracings = CASES[case]
    if source.startswith("code_ii"):
        names = statement_names("code_ii_open")
        statements = ((), (names[0], names[-1]))
    for number in range(1, count + 1):
        drawn = np.random.default_rng(number)
        rate = rates[number % len(rates)]
        samples = 10 * rate if source == "ptbxl" else (7 + number % 3) * rate
        signals = [np.cumsum(drawn.normal(0, 0.02, (12, samples)), 1, np.float32) for _ in range(tracings)]
        yield TwinExam(
            exam_id=str(number),
            patient_id=str(17 + number // 2),
            age_years=(93.4, 40.9)[number % 2],
            sex=("female", "male")[number % 2],
            statements=statements[number % 2],
            findings=("secret_finding",),
            fold=str(number % 10 + 1) if source == "ptbxl" else "train",
            rate_hz=rate,
            tracings_mv=tuple(signals),
        )


def settings_of(case: str, count: int = COUNT) -> dict[str, Any]:
    _, form, layout, _, _, _ = CASES[case]
    return {"version": "1", "twin": {"records": count, "seed": 3, "form": form}, "layout": dict(layout)}


def write(case: str, folder: Path, faults: Mapping[str, str] | None = None, count: int = COUNT) -> list[Path]:
    writer = import_module(f"codeii.synthetic.writers.{CASES[case][0]}")
    files: list[Path] = writer.write(exams_of(case, count), folder, faults or {}, settings_of(case, count))
    return files


def read(case: str, folder: Path) -> list[Record | Exclusion]:
    source, _, layout, _, _, _ = CASES[case]
    return list(import_module(f"codeii.sources.{source}").read_records(folder, layout))


def whole(case: str, folder: Path) -> list[Record]:
    found = read(case, folder)
    assert not [item for item in found if isinstance(item, Exclusion)]
    return [item for item in found if isinstance(item, Record)]


def hashes(folder: Path) -> dict[str, str]:
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    return {path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


def rows_of(path: Path) -> list[list[str]]:
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.reader(file))


def records_of(path: Path) -> list[dict[str, str]]:
    header, *rows = rows_of(path)
    return [dict(zip(header, row, strict=True)) for row in rows]


def microvolts(signal_mv: np.ndarray) -> np.ndarray:
    return np.rint(signal_mv.astype(np.float64) * 1000)


@pytest.mark.parametrize("case", CASES)
def test_the_readers_give_back_what_was_written(case: str, tmp_path: Path) -> None:
    write(case, tmp_path)
    found = {(int(item.exam_id.strip("A")), item.tracing): item for item in whole(case, tmp_path)}
    exams = {int(exam.exam_id): exam for exam in exams_of(case)}
    assert sorted(found) == [(key, k) for key in sorted(exams) for k in range(1, len(exams[key].tracings_mv) + 1)]
    for (number, tracing), record in found.items():
        exam = exams[number]
        assert np.abs(record.signal_uv - microvolts(exam.tracings_mv[tracing - 1])).max() <= 1
        assert (record.rate_hz, record.sex) == (exam.rate_hz, exam.sex)
        masked = 90 if case == "ptbxl" and exam.age_years > 90 else math.floor(exam.age_years)
        assert record.age_years == masked
        if not case.startswith("cpsc2018"):  # patients are not identified there
            assert record.patient_id == exam.patient_id


@pytest.mark.parametrize("case", [case for case in CASES if case not in ("code_ii_test", "cpsc2018_challenge")])
def test_statements_survive_the_disk(case: str, tmp_path: Path) -> None:
    write(case, tmp_path)
    statements = {item.exam_id.strip("A").lstrip("0"): set(item.statements) for item in whole(case, tmp_path)}
    assert statements == {exam.exam_id: set(exam.statements) for exam in exams_of(case)}


@pytest.mark.parametrize("case", CASES)
def test_the_same_exams_give_the_same_bytes(case: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    listed = write(case, tmp_path / "first")
    monkeypatch.setattr("time.time", lambda: 86_400.0 * 365)
    monkeypatch.setattr("time.asctime", lambda: "another day")
    write(case, tmp_path / "second")
    assert hashes(tmp_path / "first") == hashes(tmp_path / "second")
    assert {path.relative_to(tmp_path / "first").as_posix() for path in listed} == set(hashes(tmp_path / "first"))


@pytest.mark.parametrize("case", CASES)
def test_every_planted_fault_reaches_the_reader_and_no_other_exam(case: str, tmp_path: Path) -> None:
    writer = import_module(f"codeii.synthetic.writers.{CASES[case][0]}")
    faults = {str(number): kind for number, kind in enumerate(writer.FAULTS, start=1)}
    write(case, tmp_path, faults, COUNT + len(faults))
    found = read(case, tmp_path)
    reasons = {
        item.record_id.strip("A").lstrip("0").removesuffix("_1"): item for item in found if isinstance(item, Exclusion)
    }
    kept = {
        item.record_id.strip("A").lstrip("0").removesuffix("_1"): item for item in found if isinstance(item, Record)
    }
    for exam_id, kind in faults.items():
        if kind == "wrong_unit":
            assert np.abs(kept[exam_id].signal_uv).max() > 30_000
        elif kind == "flat" and exam_id in kept:
            assert not kept[exam_id].signal_uv.any()
        else:
            expected = {"truncated": "unreadable" if case == "cpsc2018" else "wrong_length"}.get(kind, kind)
            assert reasons.pop(exam_id).reason == expected
    assert not reasons


def test_faults_are_fewer_than_one_in_a_hundred_and_fixed_by_the_seed() -> None:
    for count in (1, 124, 125, 500, 2000):
        faults = plant(list(SENTENCES), count, 0)
        assert len(faults) == min(len(SENTENCES), count // EXAMS_PER_FAULT)
        assert len(faults) < count / 100
    assert plant(list(SENTENCES), 2000, 0) == plant(list(SENTENCES), 2000, 0) != plant(list(SENTENCES), 2000, 1)
    with pytest.raises(ValueError, match="fault eaten is not one of"):
        plant(["eaten"], 2000, 0)


def test_the_wfdb_package_reads_ptbxl_and_agrees_on_the_checksums(tmp_path: Path) -> None:
    write("ptbxl", tmp_path)
    exam = next(exams_of("ptbxl"))
    for stem, rate in (("records500/00000/00001_hr", 500), ("records100/00000/00001_lr", 100)):
        record = wfdb.rdrecord(str(tmp_path / stem), physical=False)
        assert record.sig_name == list(ptbxl_writer.LEAD_NAMES)
        assert (record.fs, record.sig_len, record.fmt, record.adc_gain) == (rate, 10 * rate, ["16"] * 12, [1000.0] * 12)
        assert record.checksum == record.calc_checksum()
        assert record.init_value == record.d_signal[0].tolist()
    low = wfdb.rdrecord(str(tmp_path / "records100/00000/00001_lr")).p_signal.T
    inner = slice(20, -20)  # the filter has nothing to lean on at the ends
    assert np.abs(low - exam.tracings_mv[0][:, ::5])[:, inner].max() < 0.15


def test_the_database_of_ptbxl_keeps_the_published_conventions(tmp_path: Path, shared: Path) -> None:
    write("ptbxl", tmp_path)
    for table in ("ptbxl_database.csv", "scp_statements.csv"):
        ours, theirs = (rows_of(root / table) for root in (tmp_path, shared / "data" / "ptbxl"))
        assert ours[0] == theirs[0]
        if table == "scp_statements.csv":
            assert [row[:7] for row in ours] == [row[:7] for row in theirs]
    rows = records_of(tmp_path / "ptbxl_database.csv")
    assert [row["age"] for row in rows] == ["40.0", "300.0", "40.0", "300.0", "40.0"]
    assert [row["sex"] for row in rows] == ["0", "1", "0", "1", "0"]
    assert rows[0]["patient_id"] == "17.0"
    assert rows[0]["pacemaker"] == "ja, pacemaker"
    assert all("synthetic twin" in row["report"] for row in rows)
    codes = ast.literal_eval(rows[0]["scp_codes"])
    assert codes["PACE"] == codes["LVOLT"] == 0.0
    listed = (tmp_path / "RECORDS").read_text(encoding="utf-8").split()
    assert listed[:2] == ["records100/00000/00001_lr", "records100/00000/00002_lr"]
    assert len(listed) == 2 * COUNT


def test_scipy_reads_the_structures_of_the_contest(tmp_path: Path) -> None:
    write("cpsc2018", tmp_path)
    structure = loadmat(tmp_path / "TrainingSet1" / "A0001.mat")["ECG"][0][0]
    assert structure.dtype.names == ("sex", "age", "data")
    assert (structure["sex"][0], structure["age"][0][0], structure["data"].dtype) == ("Male", 40, np.float64)
    assert (
        (tmp_path / "REFERENCE.csv")
        .read_bytes()
        .startswith(b"Recording,First_label,Second_label,Third_label\r\nA0001,5,2,7\r\nA0002,1,,\r\n")
    )


def test_the_challenge_form_is_read_by_both_libraries(tmp_path: Path) -> None:
    write("cpsc2018_challenge", tmp_path)
    stem = tmp_path / "training" / "cpsc_2018" / "g1" / "A0001"
    record = wfdb.rdrecord(str(stem), physical=False)
    assert record.comments[:3] == ["Age: 40", "Sex: Male", "Dx: 59118001,164889003,164884008"]
    assert [total % 65_536 for total in record.checksum] == [total % 65_536 for total in record.calc_checksum()]
    np.testing.assert_array_equal(loadmat(stem.with_suffix(".mat"))["val"], record.d_signal.T)


def test_parts_of_code15_are_padded_centrally_and_end_with_a_row_of_zeros(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("codeii.synthetic.writers.code15.EXAMS_PER_PART", 3)
    write("code15", tmp_path, {"2": "absent"})
    with h5py.File(tmp_path / "exams_part0.hdf5") as first, h5py.File(tmp_path / "exams_part1.hdf5") as second:
        assert first["exam_id"][:].tolist() == [1, 3, 0]
        assert second["exam_id"][:].tolist() == [4, 5, 0]
        assert first["tracings"].shape == (3, 4096, 12)
        assert not first["tracings"][-1].any()
        row, exam = first["tracings"][0], next(exams_of("code15"))
        length = exam.tracings_mv[0].shape[1]
        start = (4096 - length) // 2
        np.testing.assert_array_equal(row[start : start + length], 2 * exam.tracings_mv[0].T)
        assert not row[:start].any()
        assert not row[start + length :].any()
    rows = {row["exam_id"]: row for row in records_of(tmp_path / "exams.csv")}
    assert list(rows) != sorted(rows)
    assert (rows["1"]["RBBB"], rows["1"]["is_male"], rows["2"]["normal_ecg"]) == ("True", "True", "True")
    assert [rows[key]["death"] != "" for key in "12345"] == [True, True, False, True, False]
    assert rows["4"]["trace_file"] == "exams_part1.hdf5"


@pytest.mark.parametrize(("case", "file"), [("code15", "exams_part0.hdf5"), ("code_ii_test", "exams.hdf5")])
def test_hdf5_files_hold_no_time(case: str, file: str, tmp_path: Path) -> None:
    write(case, tmp_path)
    datasets: list[h5py.Dataset] = []
    with h5py.File(tmp_path / file) as opened:
        opened.visititems(lambda _, node: datasets.append(node) if isinstance(node, h5py.Dataset) else None)
        assert len(datasets) >= 2
        assert {h5py.h5g.get_objinfo(node.id).mtime for node in datasets} == {0}


def test_the_columns_of_code15_are_in_the_published_order(tmp_path: Path, shared: Path) -> None:
    write("code15", tmp_path)
    theirs = (shared / "data/code15/exams.csv").read_text(encoding="utf-8").splitlines()[0]
    assert (tmp_path / "exams.csv").read_text(encoding="utf-8").splitlines()[0] == theirs


def test_no_label_of_code_ii_test_is_on_disk(tmp_path: Path) -> None:
    files = write("code_ii_test", tmp_path)
    header = (tmp_path / "exams.csv").read_text(encoding="utf-8").splitlines()[0]
    assert header == "exam_id,patient_id,age,sex,tracings"
    words = ["secret_finding", *statement_names("code_ii_open")]
    for path in files:
        content = path.read_bytes()
        assert not [word for word in words if len(word) > 4 and word.encode() in content]


def test_a_layout_with_withheld_statements_keeps_them_back_whatever_is_known(tmp_path: Path) -> None:
    names = statement_names("code_ii_open")
    write_declared(exams_of("code_ii_test"), tmp_path, {}, TEST_LAYOUT, "code_ii_test", names)
    assert rows_of(tmp_path / "exams.csv")[0] == ["exam_id", "patient_id", "age", "sex", "tracings"]


@pytest.mark.parametrize("case", CASES)
def test_what_was_simulated_is_never_written(case: str, tmp_path: Path) -> None:
    for path in write(case, tmp_path):
        assert b"secret_finding" not in path.read_bytes()


@pytest.mark.parametrize("case", ["ptbxl", "cpsc2018", "code15", "code_ii_open"])
def test_a_statement_the_source_does_not_know_is_refused(case: str, tmp_path: Path) -> None:
    writer = import_module(f"codeii.synthetic.writers.{CASES[case][0]}")
    exam = next(exams_of(case))
    odd = TwinExam(**{name: getattr(exam, name) for name in exam.__slots__} | {"statements": ("MAGIC",)})
    with pytest.raises(ValueError, match="MAGIC"):
        writer.write([odd], tmp_path, {}, settings_of(case, 1))


def test_a_layout_the_twin_cannot_have_is_refused(tmp_path: Path) -> None:
    settings = settings_of("code_ii_open")
    settings["layout"]["statements"] = {"column": "diagnoses"}
    writer = import_module("codeii.synthetic.writers.code_ii_open")
    with pytest.raises(ValueError, match="after: tracings"):
        writer.write(exams_of("code_ii_open"), tmp_path, {}, settings)


def test_a_folder_that_is_no_twin_is_never_cleared(tmp_path: Path) -> None:
    (tmp_path / "ptbxl_database.csv").write_text("the real one", encoding="utf-8")
    with pytest.raises(ValueError, match="no synthetic twin"):
        build.clear(tmp_path)
    assert (tmp_path / "ptbxl_database.csv").read_text(encoding="utf-8") == "the real one"


def test_a_twin_is_whole_after_a_run_that_died(tmp_path: Path) -> None:
    folder = tmp_path / "ptbxl"
    build.synthesise("ptbxl", settings_of("ptbxl"), "abc", folder)
    first = hashes(folder)
    (folder / "manifest.json").unlink()
    (folder / "records500" / "00000" / "00003_hr.dat").write_bytes(b"torn")
    (folder / "records500" / "00000" / "00099_hr.dat").write_bytes(b"of a larger twin")
    (folder / ".README.txt.tmp.1.txt").write_text("torn", encoding="utf-8")
    build.synthesise("ptbxl", settings_of("ptbxl"), "abc", folder)
    assert hashes(folder) == first
    root, manifest = read_raw_archive(folder / "manifest.json")
    assert root.samefile(folder)
    assert manifest.synthetic
    assert manifest.settings["twin"]["records"] == COUNT
    assert (folder / "README.txt").read_text(encoding="utf-8").startswith("SYNTHETIC TWIN of ptbxl 1\n")


@pytest.mark.parametrize("case", CASES)
def test_the_twin_of_every_source_reads_back_whole(case: str, tmp_path: Path) -> None:
    build.synthesise(CASES[case][0], settings_of(case), "abc", tmp_path)
    assert len({item.exam_id for item in whole(case, tmp_path)}) == COUNT


@pytest.mark.parametrize("case", CASES)
def test_the_exclusions_of_a_twin_are_the_faults_its_readme_lists(
    case: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("codeii.synthetic.planted.EXAMS_PER_FAULT", 2)
    source = CASES[case][0]
    build.synthesise(source, settings_of(case, 12), "abc", tmp_path)
    card = import_module(f"codeii.sources.{source}").CARD
    found = [examine(item, card) if isinstance(item, Record) else item for item in read(case, tmp_path)]
    excluded = {item.record_id for item in found if isinstance(item, Exclusion)}
    lines = (tmp_path / "README.txt").read_text(encoding="utf-8").split("Planted faults (")[1].splitlines()[1:]
    planted = {line.partition(":")[0].strip() for line in lines}
    if source == "ptbxl":
        planted = {str(int(name.split("/")[-1].removesuffix("_hr"))) for name in planted}
    assert excluded == planted
    assert len(planted) == len(import_module(f"codeii.synthetic.writers.{source}").FAULTS)


@pytest.mark.parametrize("case", CASES)
def test_shards_read_every_record_once_and_in_the_same_form(
    case: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Shard.of, "__defaults__", (1,))  # five exams: dealt one by one
    write(case, tmp_path)
    source, _, layout, *_ = CASES[case]
    reader = import_module(f"codeii.sources.{source}").read_records
    expected = {item.record_id: item for item in whole(case, tmp_path)}
    shards = [list(reader(tmp_path, layout, Shard(index, 3))) for index in range(3)]
    assert sum(len(part) > 0 for part in shards) == (1 if source == "code15" else 3)  # CODE-15%: by whole parts
    found = [item for part in shards for item in part]
    assert sorted(item.record_id for item in found) == sorted(expected)
    for item in found:
        np.testing.assert_array_equal(item.signal_uv, expected[item.record_id].signal_uv)
        assert item.statements == expected[item.record_id].statements
