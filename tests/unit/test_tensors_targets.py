"""Splits and classes of a task, from the records of its source."""

from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from codeii.artifacts.manifest import sha256_of
from codeii.artifacts.record_store import write_record_store
from codeii.artifacts.targets import Targets, read_targets
from codeii.schema.params import FoldSplit, HashedSplit
from codeii.schema.record import Record
from codeii.tensors.splitting import splits_of
from codeii.tensors.targets import build_targets, exams_of

LABELS = "statement,class\nAF,AF\nSR,SR\nLBBB,block\nRBBB,block\n"
FOLDS = {"train": ["1", "2"], "validation": ["3"], "test": ["4"]}
SIGNAL = np.arange(24, dtype=np.int16).reshape(12, 2)


def record(
    name: str, statements: Mapping[str, float | None] | None = None, fold: str = "1", exam: str = "", patient: str = ""
) -> Record:
    exam = exam or f"e{name}"
    given_ = {"AF": None} if statements is None else statements
    return Record(name, exam, patient or f"p{exam}", 1, SIGNAL, 500, given_, fold, 70.0, "female")


def one_per_fold() -> list[Record]:
    return [record(f"f{fold}", fold=fold) for fold in "1234"]


Build = Callable[..., Targets]


@pytest.fixture
def build(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Build:
    (tmp_path / "rhythms.csv").write_text(LABELS)
    monkeypatch.setattr("codeii.schema.labels.FOLDER", tmp_path)

    def run(records: list[Record], splits: object = FOLDS, unlabelled: str = "drop", sha256: str = "") -> Targets:
        store = write_record_store(
            tmp_path / "records", records, settings={}, code="c", inputs=[], facts={}, synthetic=True
        )
        task = {"source": "fake", "label_set": "rhythms", "unlabelled_records": unlabelled, "splits": splits}
        found = {"task": task, "label_set_sha256": sha256 or sha256_of(tmp_path / "rhythms.csv")}
        build_targets(store, found, "code1", tmp_path / "targets")
        return read_targets(tmp_path / "targets" / "manifest.json")

    return run


def test_classes_and_splits_come_from_statements_and_folds(build: Build) -> None:
    records = [
        record("a", {"AF": 0.0, "LBBB": None}, "2"),  # a likelihood of 0 counts as present
        record("b", {"SR": 100.0}, "3"),
        record("c", {"RBBB": None, "LBBB": None}, "4"),
    ]
    targets = build(records)
    assert targets.classes == ("AF", "SR", "block")
    assert targets.table["record_id"].tolist() == ["a", "b", "c"]
    assert targets.table["split"].tolist() == ["train", "validation", "test"]
    assert targets.table[["AF", "SR", "block"]].to_numpy().tolist() == [[1, 0, 1], [0, 1, 0], [0, 0, 1]]
    assert targets.table["age_years"].tolist() == [70.0] * 3
    assert targets.manifest.facts["positives"]["test"] == {"AF": 0, "SR": 0, "block": 1}
    assert targets.manifest.synthetic and targets.manifest.code == "code1"


def test_records_of_no_split_and_without_a_class_are_dropped_and_counted(build: Build) -> None:
    records = [*one_per_fold(), record("x", fold="9"), record("y", {"PACE": None}), record("z", {})]
    records.append(record("w", {}, fold="9"))
    dropped = build(records)
    assert dropped.table["record_id"].tolist() == ["f1", "f2", "f3", "f4"]
    assert dropped.manifest.facts["dropped_records"] == {"no_split": 2, "too_short": 0, "unlabelled": 2}
    kept = build(records, unlabelled="keep")
    assert kept.table["record_id"].tolist() == ["f1", "f2", "f3", "f4", "y", "z"]
    assert kept.matrix("train")[-2:].sum() == 0
    assert kept.manifest.facts["dropped_records"] == {"no_split": 2, "too_short": 0, "unlabelled": 0}
    assert kept.manifest.facts["exams"] == {"train": 4, "validation": 1, "test": 1}


def test_all_tracings_of_an_exam_share_its_split_and_its_classes(build: Build) -> None:
    tracings = [record("t1", {"AF": None}, exam="x"), record("t2", {}, exam="x"), record("t3", {"SR": None}, exam="x")]
    targets = build([*one_per_fold(), *tracings])
    rows = targets.table[targets.table["exam_id"] == "x"]
    assert rows[["AF", "SR", "block"]].to_numpy().tolist() == [[1, 1, 0]] * 3
    assert targets.manifest.facts["exams"]["train"] == 3 and targets.manifest.facts["records"]["train"] == 5


@pytest.mark.parametrize(
    ("second", "message"),
    [
        (record("t2", exam="x", patient="other"), "exam 'x' has patient_id 'other', 'px'; an exam has one"),
        (record("t2", exam="x", fold="4"), "exam 'x' has fold '1', '4'; an exam has one"),
    ],
)
def test_tracings_that_disagree_about_patient_or_fold_are_refused(build: Build, second: Record, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        build([*one_per_fold(), record("t1", exam="x"), second])


def test_a_patient_in_two_folds_is_refused(build: Build) -> None:
    records = [*one_per_fold(), record("g", fold="1", patient="p"), record("h", fold="4", patient="p")]
    with pytest.raises(ValueError, match="patient 'p' is in more than one split"):
        build(records)


def test_statements_that_no_class_knows_are_counted_by_exam(build: Build) -> None:
    extra = [record(f"n{n}", {"AF": None, "PACE": None, f"rare{n:02d}": None}) for n in range(25)]
    tracings = [record(f"t{n}", {"AF": None, "WPW": None}, exam="x") for n in range(3)]
    found = build([*one_per_fold(), *extra, *tracings, record("out", {"WPW": None}, "9")])
    counts = found.manifest.facts["unmapped_statements"]
    assert counts["PACE"] == 25 and counts["WPW"] == 1 and len(counts) == 20 and "AF" not in counts


@pytest.mark.parametrize("empty", ["train", "validation", "test"])
def test_a_split_without_records_is_told_with_the_folds_present(build: Build, empty: str) -> None:
    records = [item for item in one_per_fold() if item.fold not in FOLDS[empty]]
    with pytest.raises(ValueError, match=rf"no record of fake with a class of rhythms is in split {empty};.*present"):
        build(records)


def test_a_fold_in_two_splits_is_refused(build: Build) -> None:
    with pytest.raises(ValueError, match="fold '2' is named more than once"):
        build(one_per_fold(), splits=FOLDS | {"test": ["4", "2"]})


def test_shares_that_do_not_sum_to_one_are_refused(build: Build) -> None:
    with pytest.raises(ValueError, match="they must sum to 1"):
        build(one_per_fold(), splits={"by": "patient", "shares": {"train": 0.5, "test": 0.4}})


def test_a_label_set_that_changed_since_the_plan_is_refused(build: Build) -> None:
    with pytest.raises(ValueError, match=r"label set 'rhythms' has sha256 .*, the settings ask for 00ff"):
        build(one_per_fold(), sha256="00ff")


def cohort(patients: int, seed: int = 0) -> list[Record]:
    """One or two exams per patient, with one common and one rare class."""
    rng = np.random.default_rng(seed)
    records = []
    for patient in range(patients):
        for exam in range(int(rng.integers(1, 3))):
            statements = {"SR": None} if rng.random() > 0.1 else {"AF": None}
            name = f"{patient}-{exam}"
            records.append(record(name, statements, fold=str(rng.integers(1, 5)), patient=f"p{patient}"))
    return records


SHARES = {"by": "patient", "shares": {"test": 0.2, "train": 0.7, "validation": 0.1}, "seed": 3}


def test_a_split_by_patient_keeps_patients_together_and_classes_in_proportion(build: Build) -> None:
    targets = build(cohort(400), splits=SHARES)
    table = targets.table
    assert (table.groupby("patient_id")["split"].nunique() == 1).all()
    shares = table.groupby("split")["AF"].sum() / table["AF"].sum()
    assert shares["test"] == pytest.approx(0.2, abs=0.07) and shares["train"] == pytest.approx(0.7, abs=0.07)
    assert targets.manifest.facts["patients"]["test"] == pytest.approx(80, abs=3)


def test_a_split_by_patient_does_not_depend_on_the_order_of_records_or_of_shares(build: Build) -> None:
    records = cohort(60)
    one = build(records, splits=SHARES).table.set_index("record_id")["split"]
    turned = SHARES | {"shares": dict(reversed(list(SHARES["shares"].items())))}  # type: ignore[attr-defined]
    other = build(records[::-1], splits=turned).table.set_index("record_id")["split"]
    pd.testing.assert_series_equal(one.sort_index(), other.sort_index())


def test_dropping_unlabelled_records_moves_nobody_to_another_split(build: Build) -> None:
    records = [*cohort(80), *(record(f"u{n}", {"PACE": None}) for n in range(40))]
    kept = build(records, splits=SHARES, unlabelled="keep").table.set_index("record_id")["split"]
    dropped = build(records, splits=SHARES).table.set_index("record_id")["split"]
    pd.testing.assert_series_equal(dropped, kept[dropped.index])


def test_validation_is_drawn_from_training_patients_where_no_fold_is_named(build: Build) -> None:
    records = [
        record(f"{n}-{k}", {"SR": None} if n % 5 else {"AF": None}, "1" if n < 200 else "4", patient=f"p{n}")
        for n in range(250)
        for k in range(2)
    ]
    targets = build(records, splits={"train": ["1"], "test": ["4"], "validation_share": 0.1, "seed": 1})
    table = targets.table
    assert set(table["patient_id"][table["split"] == "test"]) == {f"p{n}" for n in range(200, 250)}
    assert (table.groupby("patient_id")["split"].nunique() == 1).all()
    assert targets.manifest.facts["patients"]["validation"] == pytest.approx(20, abs=2)
    assert targets.manifest.facts["positives"]["validation"]["AF"] == pytest.approx(8, abs=2)


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 200), patients=st.integers(30, 60))
def test_no_exam_is_lost_and_no_patient_is_split(seed: int, patients: int) -> None:
    records = cohort(patients, seed)
    table = pd.DataFrame({name: [getattr(r, name) for r in records] for name in ("exam_id", "patient_id")})
    exams, _ = exams_of(table.assign(fold="1"), [r.statements for r in records])
    matrix = np.array([["SR" in r.statements, "AF" in r.statements] for r in records], np.uint8)
    for policy in (
        HashedSplit(shares={"train": 0.6, "validation": 0.2, "test": 0.2}, seed=seed),
        FoldSplit(train=["1"], test=["2"], seed=seed),
    ):
        splits = splits_of(exams, matrix, policy)
        assert set(splits) <= {"train", "validation", "test"}
        of_patient = pd.Series(splits).groupby(exams["patient_id"].to_numpy()).nunique()
        assert (of_patient == 1).all()


def test_a_label_set_of_another_source_is_refused_although_unlabelled_records_are_kept(build: Build) -> None:
    records = [record(f"f{fold}", {"164889003": None}, fold=fold) for fold in "1234"]
    with pytest.raises(ValueError, match=r"no training exam of fake has a class of rhythms; .* are 164889003"):
        build(records, unlabelled="keep")
