"""Splits and classes of a task, from the records of its source."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.stores import record_store

from codeii.artifacts.manifest import sha256_of
from codeii.artifacts.targets import Targets, read_targets
from codeii.schema.params import FoldSplit, HashedSplit, PublishedSplit
from codeii.schema.record import Record
from codeii.schema.splits import split_hash
from codeii.tensors.splitting import fold_words, split_words, splits_of
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

    def run(
        records: list[Record], splits: object = FOLDS, unlabelled: str = "drop", sha256: str = "", **more: object
    ) -> Targets:
        store = record_store(tmp_path / "records", records)
        task = {"source": "fake", "label_set": "rhythms", "unlabelled_records": unlabelled, "splits": splits}
        task |= {key: value for key, value in more.items() if key == "minimum_seconds"}
        found = {"task": task, "label_set_sha256": sha256 or sha256_of(tmp_path / "rhythms.csv"), "version": "7"}
        found |= {key: value for key, value in more.items() if key == "split_list_sha256"}
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


# --- published lists, short records, and what stands beside the scores ---

LIST = (
    "# source: fake\n# title: Somebody 2020\n# from: https://x\n# commit: 0123456789abcdef\n# licence: MIT\n"
    "record_id,split\na,train\nb,validation\nc,test\nnot_here,train\nnor_here,test\n"
)
BY_LIST = {"by": "published", "name": "somebody"}


@pytest.fixture
def published(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """A list under the name of `BY_LIST`; its sha256."""
    monkeypatch.setattr("codeii.schema.split_lists.FOLDER", tmp_path / "splits")
    (tmp_path / "splits").mkdir()
    (tmp_path / "splits/somebody.csv").write_text(LIST)
    return sha256_of(tmp_path / "splits/somebody.csv")


def test_a_published_list_splits_by_record_name_and_counts_both_differences(build: Build, published: str) -> None:
    records = [record(name) for name in "cbax"]
    targets = build(records, BY_LIST, split_list_sha256=published)
    assert dict(zip(targets.table["record_id"], targets.table["split"], strict=True)) == {
        "c": "test", "b": "validation", "a": "train",
    }  # fmt: skip
    facts = targets.manifest.facts
    assert facts["dropped_records"] == {"no_split": 1, "too_short": 0, "unlabelled": 0}
    assert (facts["split_list"]["records"], facts["split_list"]["absent"]) == (5, 2)
    assert facts["split_protocol"] == "Somebody 2020; list somebody, commit 01234567: 2 / 1 / 2 records"


def test_a_list_edited_since_the_study_started_is_refused(build: Build, published: str) -> None:
    with pytest.raises(ValueError, match=r"split list 'somebody' has sha256 .*start the study again"):
        build([record(name) for name in "abc"], BY_LIST, split_list_sha256="0" * 64)


def test_short_records_are_left_out_named_and_move_nobody(build: Build, tmp_path: Path) -> None:
    records = one_per_fold() + [replace(record(f"s{n}"), signal_uv=np.ones((12, 4999), np.int16)) for n in range(3)]
    records += [replace(record("long"), signal_uv=np.ones((12, 5000), np.int16))]
    records = [r if r.signal_uv.shape[1] > 2 else replace(r, signal_uv=np.ones((12, 6000), np.int16)) for r in records]
    every = build(records)
    left = build([*records, record("z", {}), record("y", fold="9")], minimum_seconds=10)
    assert left.manifest.facts["dropped_records"] == {"no_split": 1, "too_short": 4, "unlabelled": 0}
    assert (tmp_path / "targets/dropped.csv").read_text() == (
        "record_id,reason\ns0,too_short\ns1,too_short\ns2,too_short\nz,too_short\ny,no_split\n"
    )
    splits = every.table.set_index("record_id")["split"]
    pd.testing.assert_series_equal(left.table.set_index("record_id")["split"], splits.drop(["s0", "s1", "s2"]))
    assert left.manifest.facts["exams"]["train"] == 3


def test_the_protocol_tells_release_split_and_records_left_out(build: Build) -> None:
    facts = build(one_per_fold(), unlabelled="keep", minimum_seconds=0.001).manifest.facts
    digest = split_hash(["f1", "f2", "f3", "f4"], ["train", "train", "validation", "test"])
    assert facts["split_hash"] == digest
    assert facts["protocol"] == (
        f"fake 7; the source's folds: train 1 and 2, validation 3, test 4 (hash {digest[:12]}); "
        "records without a class kept; records under 0.001 s left out"
    )


@pytest.mark.parametrize(
    ("policy", "words"),
    [
        (
            FoldSplit(train=[str(fold) for fold in range(1, 9)], validation=["9"], test=["10"]),
            "the source's folds: train 1-8, validation 9, test 10",
        ),
        (
            FoldSplit(train=["train"], test=["validation"], seed=4),
            "the source's folds: train train, test validation; validation 10 % of the training patients, stratified by "
            "rarest class, seed 4",
        ),
        (
            HashedSplit(shares={"test": 0.1, "train": 0.85, "validation": 0.05}, seed=2),
            "ours: 85 / 5 / 10 % of the patients, stratified by rarest class, keyed by name, seed 2",
        ),
        (
            HashedSplit(shares={"train": 0.8, "validation": 0.1, "test": 0.1}, stratify="none"),
            "ours: 80 / 10 / 10 % of the patients, each by name alone, seed 0",
        ),
    ],
)
def test_every_way_to_split_is_said_in_words(policy: FoldSplit | HashedSplit, words: str) -> None:
    assert split_words(policy) == words


def test_folds_that_do_not_follow_one_another_are_named_one_by_one() -> None:
    assert [fold_words(folds) for folds in (["1", "2", "4"], ["1", "2"], ["a"])] == ["1 and 2 and 4", "1 and 2", "a"]


def test_the_words_of_a_list_need_the_list() -> None:
    with pytest.raises(ValueError, match="published split somebody"):
        split_words(PublishedSplit(by="published", name="somebody"))


def test_alone_by_name_a_new_patient_moves_nobody(build: Build) -> None:
    alone = SHARES | {"stratify": "none"}
    before = build(cohort(120), splits=alone).table.set_index("record_id")["split"]
    after = build([*cohort(120), record("new")], splits=alone).table.set_index("record_id")["split"]
    pd.testing.assert_series_equal(after.drop("new"), before)


def test_rows_stand_by_name_whatever_their_order_in_the_store(build: Build) -> None:
    records = [record(f"{name}{fold}", {statement: None}, fold) for fold in "1234" for name, statement in PAIRS]
    one, other = build(records).table, build(records[::-1]).table
    assert one["record_id"].tolist() == sorted(item.record_id for item in records)
    pd.testing.assert_frame_equal(one, other)


PAIRS = (("b", "AF"), ("a", "SR"))


def test_the_first_class_is_that_of_the_statement_that_stands_first(build: Build) -> None:
    records = [
        record("a", {"odd": None, "LBBB": None, "AF": None}, "1"),
        record("b", {"AF": None, "RBBB": None}, "2"),
        record("c", {"SR": None}, "3"),
        record("d", {"odd": None}, "4"),
        record("e1", {"SR": None}, "4", exam="e"),
        record("e2", {"AF": None}, "4", exam="e"),  # the exam's first tracing says it
    ]
    found = build(records, unlabelled="keep").table
    assert dict(zip(found["record_id"], found["first_class"], strict=True)) == {
        "a": "block",
        "b": "AF",
        "c": "SR",
        "d": "",
        "e1": "SR",
        "e2": "SR",
    }
