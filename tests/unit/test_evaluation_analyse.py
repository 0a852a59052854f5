"""From predictions and targets on disk to analyses on disk: what each table says, and what is refused."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import roc_auc_score
from tests.unit.test_evaluation_run import CLASSES, PROVENANCE, records_of, rewrite, run_of, set_of

from codeii.artifacts.analyses import POOLED, Analyses, read_analyses
from codeii.artifacts.predictions import ENSEMBLE, read_predictions
from codeii.artifacts.targets import read_targets, write_targets
from codeii.evaluation.analyse import analyse
from codeii.evaluation.confusion import confusion_rows
from codeii.evaluation.subgroups import groups_of

SETTINGS = {"metrics": ["auroc"], "replicates": 50}


@pytest.fixture
def task(tmp_path: Path) -> Path:
    parts = [records_of("validation", 60, 1), records_of("test", 90, 2)]
    ids = pd.concat([part[0] for part in parts], ignore_index=True)
    number = ids["exam_id"].str[-3:].astype(int)
    ids["sex"] = np.select([number % 3 == 0, number % 3 == 1], ["female", "male"], "unknown")
    ids["age_years"] = np.where(number < 3, np.nan, 20.0 + number)
    matrix = np.concatenate([part[1] for part in parts])
    return write_targets(tmp_path / "targets", ids, matrix, CLASSES, settings={"name": "a_task"}, **PROVENANCE)


def analysed(task: Path, runs: list[Path], folder: Path, **changes: Any) -> Analyses:
    analyse(set_of(runs, task), task, {"evaluation": SETTINGS, "analyses": changes}, "c", folder)
    return read_analyses(folder / "manifest.json")


@pytest.fixture
def runs(task: Path, tmp_path: Path) -> list[Path]:
    return [run_of(task, tmp_path, "scratch", seed, 1.5) for seed in (0, 1, ENSEMBLE)]


def test_bins_tile_the_split_before_and_after_and_the_temperature_is_of_the_validation_split(
    task: Path, runs: list[Path], tmp_path: Path
) -> None:
    found = analysed(task, runs, tmp_path / "a")
    pooled = found.calibration[found.calibration["class"] == POOLED]
    assert set(pooled["probability"]) == {"as trained", "recalibrated"} and set(pooled["seed"]) == {ENSEMBLE}
    assert (pooled.groupby("probability")["n"].sum() == 3 * 90).all()  # NEVER has no positive exam
    assert set(found.calibration["class"]) == {POOLED, "NORM", "MI", "RARE"}
    assert (found.calibration["low"] <= found.calibration["observed"] + 1e-12).all()
    run = read_predictions(runs[-1])
    sharper = run.exams.copy()
    test = sharper["split"] == "test"
    sharper.loc[test, list(CLASSES)] *= np.float32(3)
    changed = rewrite(runs[-1], tmp_path / "sharper-ensemble", run.records, sharper)
    again = analysed(task, [*runs[:2], changed], tmp_path / "b")
    assert again.recalibration["temperature"].iloc[0] == found.recalibration["temperature"].iloc[0]
    assert again.recalibration["as_trained"].iloc[1] != found.recalibration["as_trained"].iloc[1]


def test_a_temperature_mends_what_was_too_sure(task: Path, tmp_path: Path) -> None:
    run = run_of(task, tmp_path, "scratch", 0, 8.0)
    given = read_predictions(run)
    exams = given.exams.copy()
    exams[list(CLASSES)] = exams[list(CLASSES)].sample(frac=1, random_state=0).to_numpy()  # sure, and wrong
    found = analysed(task, [rewrite(run, tmp_path / "sure", given.records, exams)], tmp_path / "a").recalibration
    scores = found.set_index("score")
    assert (found["temperature"] > 2).all() and (found["recalibrated"] < found["as_trained"]).all()
    assert scores.loc["log_loss", "high"] < 0 and np.isnan(scores.loc["ece", "low"])
    assert (scores["difference"] - (scores["recalibrated"] - scores["as_trained"])).abs().max() < 1e-12


def test_groups_tile_the_split_and_their_scores_are_scikit_learns(task: Path, runs: list[Path], tmp_path: Path) -> None:
    found = analysed(task, runs, tmp_path / "a").subgroups
    auroc = found[found["metric"] == "auroc"].set_index(["kind", "group"])
    assert auroc["n_exams"].groupby("kind").sum().tolist() == [90, 90]
    rows = read_targets(task).of("test").drop_duplicates("exam_id").set_index("exam_id")
    rows = rows[rows["sex"] == "female"]
    logit = read_predictions(runs[-1]).exam_logits("test").loc[rows.index]
    judged = [name for name in CLASSES if 0 < rows[name].sum() < len(rows)]
    expected = np.mean([roc_auc_score(rows[name], logit[name]) for name in judged])
    female = auroc.loc[("sex", "female")]
    assert female["value"] == pytest.approx(expected, abs=1e-12) and female["n_classes"] == len(judged)
    assert female["low"] <= female["value"] <= female["high"] and female["n_common"] <= len(judged)
    assert auroc.loc[("age", "unknown"), "reason"] == "3 exams; 20 are asked for"
    assert np.isnan(auroc.loc[("age", "unknown"), "value"])


def test_two_groups_differ_by_as_much_as_each_from_the_other(task: Path, runs: list[Path], tmp_path: Path) -> None:
    found = analysed(task, runs, tmp_path / "a", age_bands=[65], fewest_exams=1).subgroups
    young, old = (found[(found["group"] == name) & (found["metric"] == "auroc")].iloc[0] for name in GROUPS_65)
    rows = read_targets(task).of("test").drop_duplicates("exam_id").set_index("exam_id")
    logit = read_predictions(runs[-1]).exam_logits("test").loc[rows.index]
    by_hand = {}
    for word, member in (("young", rows["age_years"] < 65), ("others", ~(rows["age_years"] < 65))):
        of = {name: (rows.loc[member, name], logit.loc[member, name]) for name in ("NORM", "MI")}
        by_hand[word] = np.mean([roc_auc_score(*pair) for pair in of.values()])
    assert young["n_common"] == 2 and old["n_common"] == 2
    assert young["difference"] == pytest.approx(by_hand["young"] - by_hand["others"], abs=1e-12)


GROUPS_65 = ("under 65", "65 and over")


def test_age_bands_are_named_and_hold_each_exam_once() -> None:
    age = [0, 39.9, 40, 64, 65, 80, 120, np.nan, 5]
    people = pd.DataFrame({"sex": ["female", "male", "unknown"] * 3, "age_years": age})
    groups = list(groups_of(people, [40, 65, 80]))
    ages = {group.name: int(group.member.sum()) for group in groups if group.kind == "age"}
    assert ages == {"under 40": 3, "40-64": 2, "65-79": 1, "80 and over": 2, "unknown": 1}
    assert sum(group.member for group in groups if group.kind == "sex").tolist() == [1] * 9


def test_what_occurs_together_is_no_confusion() -> None:
    """a and b are true together always; c is called wherever b is true, wrongly."""
    target = np.array([[1, 1, 0]] * 4 + [[0, 0, 0]] * 6, bool)
    called = np.array([[1, 1, 1]] * 4 + [[0, 0, 0]] * 5 + [[0, 0, 1]], bool)
    rows = {row[:2]: row[2:] for row in confusion_rows(called, target, ("a", "b", "c"))}
    assert ("a", "b") not in rows  # no exam has a without b
    assert rows["a", "c"] == (4, 4, 1.0, 6, 1, 1 / 6) and set(rows) == {("a", "c"), ("b", "c")}


def test_only_the_largest_amount_of_data_is_analysed(task: Path, tmp_path: Path) -> None:
    runs = [run_of(task, tmp_path, "scratch", 0, 1.0, share) for share in (0.1, 1.0)]
    found = analysed(task, runs, tmp_path / "a")
    assert set(found.calibration["fraction"]) == {1.0} and found.manifest.facts["runs"] == 1


def test_the_order_of_rows_changes_nothing(task: Path, runs: list[Path], tmp_path: Path) -> None:
    analysed(task, runs, tmp_path / "plain")
    run = read_predictions(runs[-1])
    shuffled = rewrite(runs[-1], tmp_path / "shuffled-ensemble", run.records, run.exams.sample(frac=1, random_state=0))
    analysed(task, [*runs[:2], shuffled], tmp_path / "again")
    for name in ("calibration", "recalibration", "subgroups", "confusion"):
        files = [(tmp_path / folder / f"{name}.csv").read_bytes() for folder in ("plain", "again")]
        assert files[0] == files[1], name


def test_a_task_without_test_exams_has_empty_analyses(tmp_path: Path) -> None:
    ids, matrix = records_of("validation", 40, 1)
    task = write_targets(tmp_path / "targets", ids, matrix, CLASSES, settings={"name": "t"}, **PROVENANCE)
    found = analysed(task, [run_of(task, tmp_path, "scratch", 0, 1.0)], tmp_path / "a")
    assert not any(len(getattr(found, name)) for name in ("calibration", "recalibration", "subgroups", "confusion"))


def test_a_task_whose_validation_split_has_no_class_is_not_recalibrated(tmp_path: Path) -> None:
    ids, matrix = records_of("test", 40, 1)
    task = write_targets(tmp_path / "targets", ids, matrix, CLASSES, settings={"name": "t"}, **PROVENANCE)
    found = analysed(task, [run_of(task, tmp_path, "scratch", 0, 1.0)], tmp_path / "a")
    assert len(found.recalibration) == 0 and set(found.calibration["probability"]) == {"as trained"}
    assert found.manifest.facts["not_calibrated"]
