"""PTB-XL's whole table through our reader and label sets, against the published and the reference numbers."""

import csv
import hashlib
import json
import math
import shutil
from pathlib import Path

import numpy as np
import pytest

from codeii.formats.tracing import Tracing
from codeii.schema.labels import read_label_set, to_targets
from codeii.schema.record import Exclusion, Record
from codeii.sources import ptbxl

TASKS = ("all", "diagnostic", "subdiagnostic", "superdiagnostic", "form", "rhythm")
FOLDS = [str(fold) for fold in range(1, 11)]


@pytest.fixture(scope="module")
def records(shared: Path) -> list[Record]:
    """All rows, with a silent tracing in place of the signals, most of which are not in the sample."""
    silent = Tracing(np.zeros((12, 5000), np.int16), 500)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(ptbxl, "read_record", lambda stem: silent)
        found = list(ptbxl.read_records(shared / "data" / "ptbxl", {}))
    assert all(isinstance(item, Record) for item in found)
    return [item for item in found if isinstance(item, Record)]


def counts_by_fold(targets: np.ndarray, folds: np.ndarray) -> np.ndarray:
    """(column, fold) counts of positives."""
    return np.stack([targets[folds == fold].sum(axis=0) for fold in FOLDS], axis=-1)


def test_patients_folds_ages_and_sexes_are_the_published_ones(records: list[Record]) -> None:
    assert len(records) == 21_799
    folds_of: dict[str, set[str]] = {}
    for record in records:
        folds_of.setdefault(record.patient_id, set()).add(record.fold)
    assert len(folds_of) == 18_869
    assert {len(folds) for folds in folds_of.values()} == {1}
    assert (records[0].record_id, records[0].patient_id, records[0].sex) == ("1", "15709", "female")
    assert sum(record.sex == "male" for record in records) == 11_354
    masked = [record for record in records if record.flags == ("age_masked",)]
    assert (len(masked), {record.age_years for record in masked}) == (293, {90.0})
    assert not any(math.isnan(record.age_years) for record in records)


def test_likelihoods_are_kept_and_zero_counts_as_present(records: list[Record], shared: Path) -> None:
    with (shared / "parity" / "labels_ptbxl_likelihood_counts.csv").open(newline="") as file:
        expected = {row["statement"]: (int(row["records"]), int(row["likelihood_0"])) for row in csv.DictReader(file)}
    found: dict[str, list[float | None]] = {}
    for record in records:
        for statement, likelihood in record.statements.items():
            found.setdefault(statement, []).append(likelihood)
    assert {name: (len(values), values.count(0.0)) for name, values in found.items()} == expected


@pytest.mark.parametrize("task", TASKS)
def test_positives_per_class_and_fold_are_the_reference_numbers(records: list[Record], shared: Path, task: str) -> None:
    label_set = read_label_set(f"ptbxl_{task}")
    targets = to_targets(label_set, (record.statements for record in records)).astype(int)
    folds = np.array([record.fold for record in records])
    with (shared / "parity" / "labels_ptbxl_counts_per_fold.csv").open(newline="") as file:
        rows = {row["class"]: row for row in csv.DictReader(file) if row["task"] == task}
    expected = {name: [int(row[f"fold{fold}"]) for fold in FOLDS] for name, row in rows.items()}
    without = (targets.sum(axis=1, keepdims=True) == 0).astype(int)
    assert counts_by_fold(without, folds).tolist() == [expected.pop("(records with no class of this task)")]
    assert counts_by_fold(np.ones_like(without), folds).tolist() == [expected.pop("(records)")]
    assert dict(zip(label_set.classes, counts_by_fold(targets, folds).tolist(), strict=True)) == expected


@pytest.mark.parametrize("task", TASKS)
def test_the_classes_of_every_record_are_the_reference_ones(records: list[Record], shared: Path, task: str) -> None:
    label_set = read_label_set(f"ptbxl_{task}")
    targets = to_targets(label_set, (record.statements for record in records))
    names = np.array(label_set.classes)
    lines = [
        f"{record.record_id}:{','.join(sorted(names[row == 1]))}" for record, row in zip(records, targets, strict=True)
    ]
    expected = json.loads((shared / "parity" / "labels_ptbxl_sha256.json").read_text())["sha256"][task]
    assert hashlib.sha256("\n".join(lines).encode()).hexdigest() == expected


@pytest.mark.parametrize("task", TASKS)
def test_the_label_set_is_the_published_statement_table(shared: Path, task: str) -> None:
    label_set = read_label_set(f"ptbxl_{task}")
    with (shared / "parity" / "labels_ptbxl_statement_to_class.csv").open(newline="") as file:
        expected = {row["statement"]: (row["class"],) for row in csv.DictReader(file) if row["task"] == task}
    assert dict(label_set.classes_of) == expected
    summary = json.loads((shared / "parity" / "labels_ptbxl_summary.json").read_text())
    assert list(label_set.classes) == summary["tasks"][task]["classes_sorted"]


@pytest.mark.parametrize("rate_hz", [500, 100])
def test_the_present_records_are_read_at_both_rates(shared: Path, rate_hz: int) -> None:
    found = list(ptbxl.read_records(shared / "data" / "ptbxl", {"rate_hz": rate_hz}))
    read = [item for item in found if isinstance(item, Record)]
    present = (shared / "data" / "ptbxl_present.txt").read_text().split()
    assert [int(record.record_id) for record in read] == [int(name) for name in present]
    assert {(record.signal_uv.shape, record.rate_hz) for record in read} == {((12, 10 * rate_hz), rate_hz)}
    assert {item.reason for item in found if isinstance(item, Exclusion)} == {"absent"}


@pytest.mark.parametrize(
    ("old", "new", "reason"),
    [
        ("{'NORM': 100.0, 'LVOLT': 0.0, 'SR': 0.0}", "{'NORM': 100.0, 'LVOLT'", "bad_metadata"),
        ("{'NORM': 100.0, 'LVOLT': 0.0, 'SR': 0.0}", "__import__('os').getpid()", "bad_metadata"),
        ("{'NORM': 100.0, 'LVOLT': 0.0, 'SR': 0.0}", "['NORM']", "bad_metadata"),
        ("1,15709.0,", "1,,", "bad_metadata"),
        ("records500/00000/00001_hr", "records100/00000/00001_lr", "wrong_rate"),
        ("records500/00000/00001_hr", "../00001_hr", "unreadable"),
    ],
)
def test_a_bad_row_is_excluded_and_the_next_is_read(
    shared: Path, tmp_path: Path, old: str, new: str, reason: str
) -> None:
    raw = shared / "data" / "ptbxl"
    for stem in ("records500/00000/00001_hr", "records500/00000/00002_hr", "records100/00000/00001_lr"):
        (tmp_path / stem).parent.mkdir(parents=True, exist_ok=True)
        for suffix in (".hea", ".dat"):
            shutil.copyfile(raw / f"{stem}{suffix}", tmp_path / f"{stem}{suffix}")
    with (raw / ptbxl.TABLE).open(encoding="utf-8") as file:
        rows = "".join(next(file) for _ in range(3))
    assert old in rows
    (tmp_path / ptbxl.TABLE).write_text(rows.replace(old, new), encoding="utf-8")
    first, second = ptbxl.read_records(tmp_path, {})
    assert isinstance(first, Exclusion)
    assert (first.record_id, first.reason) == ("1", reason)
    assert isinstance(second, Record)
    assert second.record_id == "2"
