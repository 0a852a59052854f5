"""From predictions and targets on disk to scores on disk."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import roc_auc_score

from codeii.artifacts.manifest import write_manifest
from codeii.artifacts.predictions import ENSEMBLE, read_predictions, write_prediction_set, write_predictions
from codeii.artifacts.scores import Scores, read_scores
from codeii.artifacts.targets import read_targets, write_targets
from codeii.evaluation.run import evaluate, protocol_of

CLASSES = ("NORM", "MI", "RARE", "NEVER")
PROVENANCE: dict[str, Any] = {"code": "c", "inputs": [], "facts": {}, "synthetic": True}
SETTINGS = {"metrics": ["auroc", "auprc", "f1", "fmax", "sensitivity", "specificity"], "replicates": 60}


def records_of(split: str, exams: int, seed: int) -> tuple[pd.DataFrame, np.ndarray]:
    """Exams of one split, the first ten with two records, patients with one or two exams."""
    rng = np.random.default_rng(seed)
    target = (rng.random((exams, 4)) < [0.5, 0.3, 0.0, 0.0]).astype(np.uint8)
    target[3, 2] = 1
    exam = np.concatenate([np.arange(exams), np.arange(10)])
    ids = pd.DataFrame(
        {
            "record_id": [f"{split}-{number}-{copy}" for copy, number in enumerate(exam)],
            "exam_id": [f"{split}-{number:03d}" for number in exam],
            "patient_id": [f"{split}-p{number // 2}" for number in exam],
            "split": split,
            "age_years": 50.0,
            "sex": "female",
        }
    )
    return ids, target[exam]


@pytest.fixture
def task(tmp_path: Path) -> Path:
    parts = [records_of("validation", 40, 1), records_of("test", 60, 2)]
    ids = pd.concat([part[0] for part in parts], ignore_index=True)
    matrix = np.concatenate([part[1] for part in parts])
    return write_targets(tmp_path / "targets", ids, matrix, CLASSES, settings={}, **PROVENANCE)


def run_of(
    task: Path, folder: Path, start: str, seed: int | str, skill: float, fraction: float = 0.1, per_class: int = 0
) -> Path:
    """Predictions whose logits are the targets times `skill` plus noise of `seed`."""
    targets = read_targets(task)
    exams = targets.table.drop_duplicates("exam_id").reset_index(drop=True)
    rng = np.random.default_rng([99 if seed == ENSEMBLE else int(seed), round(skill * 10)])
    truth = exams[list(CLASSES)].to_numpy(np.float32)
    logit = pd.DataFrame((truth * skill + rng.standard_normal(truth.shape)).astype(np.float32), columns=list(CLASSES))
    by_exam = pd.concat([exams[["exam_id", "split"]], logit], axis=1)
    by_record = targets.table[["record_id", "exam_id", "split"]].merge(by_exam.drop(columns="split"), on="exam_id")
    run: dict[str, Any] = {"experiment": "transfer", "model": "resnet1d", "start": start, "seed": seed}
    run |= {"fraction": fraction, "per_class": per_class}
    out = folder / f"{start}-{fraction}-{per_class}-{seed}"
    return write_predictions(out, by_record, by_exam, settings={"run": run}, **PROVENANCE)


def rewrite(manifest: Path, folder: Path, records: pd.DataFrame, exams: pd.DataFrame) -> Path:
    settings = read_predictions(manifest).manifest.settings
    return write_predictions(folder, records, exams, settings=settings, **PROVENANCE)


def set_of(predictions: list[Path], task: Path) -> Path:
    base = task.parents[1]
    names = [path.parent.relative_to(base).as_posix() for path in predictions]
    ensembles = [name for name in names if name.endswith(ENSEMBLE)]
    runs = [name for name in names if name not in ensembles]
    return write_prediction_set(base, runs, settings={}, code="c", inputs=[], synthetic=True, ensembles=ensembles)


def judge(predictions: list[Path], task: Path, folder: Path, **changes: Any) -> Scores:
    settings: Mapping[str, Any] = {"evaluation": SETTINGS | changes}
    leakage = write_manifest(
        task.parent / "leakage", "leakage", files=[], settings={}, code="c", inputs=[], facts={}, synthetic=True
    )
    evaluate(set_of(predictions, task), task, leakage, settings, "code", folder)
    return read_scores(folder / "manifest.json")


@pytest.fixture
def runs(task: Path, tmp_path: Path) -> list[Path]:
    skills = {"scratch": 0.5, "pretrained": 2.0}
    return [run_of(task, tmp_path, start, seed, skill) for start, skill in skills.items() for seed in (0, 1)]


def value(scores: pd.DataFrame, **where: Any) -> pd.Series:
    found = scores[np.logical_and.reduce([scores[name] == wanted for name, wanted in where.items()])]
    assert len(found) == 1, where
    return found.iloc[0]


def test_macro_auroc_is_scikit_learns_over_the_evaluable_classes(runs: list[Path], task: Path, tmp_path: Path) -> None:
    scores = judge(runs, task, tmp_path / "scores").scores
    run, rows = read_predictions(runs[2]), read_targets(task).of("test").drop_duplicates("exam_id").set_index("exam_id")
    logit = run.exam_logits("test").loc[rows.index]
    per_class = [roc_auc_score(rows[name], logit[name]) for name in CLASSES[:3]]
    row = value(scores, start="pretrained", seed="0", split="test", metric="auroc", **{"class": "macro"})
    assert row["value"] == pytest.approx(np.mean(per_class), abs=1e-12)
    assert (row["n_classes"], row["n_exams"]) == (3, 60) and row["low"] < row["value"] < row["high"]


def test_a_class_without_positives_is_undefined_and_left_out_of_the_macro(
    runs: list[Path], task: Path, tmp_path: Path
) -> None:
    found = judge(runs, task, tmp_path / "scores")
    never = found.scores[(found.scores["class"] == "NEVER") & (found.scores["split"] == "test")]
    assert len(never) == 6 * 6 and never[["value", "low", "high"]].isna().all(axis=None)
    frequent = value(found.scores, start="scratch", seed="1", metric="f1", split="test", **{"class": "macro_frequent"})
    assert frequent["n_classes"] == 2
    facts = found.manifest.facts
    assert facts["not_evaluable"] == {"validation": ["NEVER"], "test": ["NEVER"]}
    assert facts["default_thresholds"] == ["NEVER"]
    assert list(facts["undefined_resamples"]) == ["RARE"] and 0 < facts["undefined_resamples"]["RARE"] < 60
    rare = value(found.scores, start="scratch", seed="1", metric="auroc", split="test", **{"class": "RARE"})
    assert rare["n_positives"] == 1 and np.isfinite(rare[["value", "low", "high"]].astype(float)).all()


def test_seeds_are_averaged_and_their_spread_is_given(runs: list[Path], task: Path, tmp_path: Path) -> None:
    scores = judge(runs, task, tmp_path / "scores").scores
    of = {"start": "scratch", "split": "test", "class": "macro"}
    both = [value(scores, seed=str(seed), metric="auprc", **of)["value"] for seed in (0, 1)]
    mean = value(scores, seed="mean", metric="auprc", **of)
    assert mean["value"] == pytest.approx(np.mean(both), abs=1e-15) and mean["low"] < mean["value"] < mean["high"]
    assert value(scores, seed="mean", metric="auprc_seed_sd", **of)["value"] == pytest.approx(np.std(both, ddof=1))


def test_the_mean_of_one_seed_is_that_seed(runs: list[Path], task: Path, tmp_path: Path) -> None:
    scores = judge(runs[:1], task, tmp_path / "scores").scores
    test = scores[scores["split"] == "test"]
    seed, mean = (test[test["seed"] == label].drop(columns="seed").reset_index(drop=True) for label in ("0", "mean"))
    pd.testing.assert_frame_equal(seed, mean, check_exact=True)
    assert not scores["metric"].str.endswith("seed_sd").any()


def test_runs_of_other_counts_are_other_arms(task: Path, tmp_path: Path) -> None:
    skills = {"scratch": 0.5, "pretrained": 2.0}
    runs = [
        run_of(task, tmp_path, start, 0, skill + count / 10, 0.0, count)
        for start, skill in skills.items()
        for count in (5, 20)
    ]
    found = judge(runs, task, tmp_path / "scores")
    assert sorted(set(zip(found.scores["fraction"], found.scores["per_class"], strict=True))) == [(0, 5), (0, 20)]
    of = {"metric": "auroc", "class": "macro"}
    for count in (5, 20):
        means = [value(found.scores, start=start, per_class=count, seed="mean", split="test", **of) for start in skills]
        arms = found.replicates.arms
        at = [int(np.flatnonzero((arms["start"] == start) & (arms["per_class"] == count))[0]) for start in skills]
        assert [found.replicates.point[arm, 0, 0] for arm in at] == [row["value"] for row in means]


def test_the_order_of_rows_in_the_files_changes_nothing(runs: list[Path], task: Path, tmp_path: Path) -> None:
    plain = judge(runs, task, tmp_path / "plain")
    table = read_targets(task).table.sample(frac=1, random_state=1).reset_index(drop=True)
    ids, matrix = table[[*table.columns[:6]]], table[list(CLASSES)].to_numpy()
    other_task = write_targets(tmp_path / "other", ids, matrix, CLASSES, settings={}, **PROVENANCE)
    shuffled = []
    for number, path in enumerate(runs):
        run = read_predictions(path)
        exams = run.exams.sample(frac=1, random_state=number)
        shuffled.append(rewrite(path, tmp_path / f"shuffled{number}", run.records, exams))
    judge(shuffled, other_task, tmp_path / "again")
    assert (tmp_path / "again" / "scores.csv").read_bytes() == (tmp_path / "plain" / "scores.csv").read_bytes()
    assert (tmp_path / "again" / "replicates.npz").read_bytes() == (tmp_path / "plain" / "replicates.npz").read_bytes()
    assert len(plain.scores)


def test_thresholds_never_see_the_test_split(runs: list[Path], task: Path, tmp_path: Path) -> None:
    run = read_predictions(runs[0])
    exams, test = run.exams.copy(), run.exams["split"] == "test"
    for number, name in enumerate(CLASSES):
        exams.loc[test, name] = exams.loc[test, name].sample(frac=1, random_state=number).to_numpy()
    permuted = rewrite(runs[0], tmp_path / "permuted", run.records, exams)
    before, after = (judge([path], task, tmp_path / f"t{path.parent.name}").scores for path in (runs[0], permuted))
    columns = ["class", "value", "n_positives"]
    thresholds = before[before["metric"] == "threshold"][columns]
    assert len(thresholds) == 4 and (before[before["metric"] == "threshold"]["split"] == "validation").all()
    pd.testing.assert_frame_equal(thresholds, after[after["metric"] == "threshold"][columns])
    assert thresholds["value"].iloc[-1] == 0.5
    assert before[before["metric"] == "f1"]["value"].tolist() != after[after["metric"] == "f1"]["value"].tolist()


def test_validation_rows_are_macros_without_interval(runs: list[Path], task: Path, tmp_path: Path) -> None:
    scores = judge(runs, task, tmp_path / "scores").scores
    rows = scores[(scores["split"] == "validation") & ~scores["metric"].str.startswith("threshold")]
    assert set(rows["class"]) == {"macro"} and rows["low"].isna().all() and (rows["n_exams"] == 40).all()


def test_without_resamples_there_are_no_intervals(runs: list[Path], task: Path, tmp_path: Path) -> None:
    found = judge(runs, task, tmp_path / "scores", replicates=0)
    assert found.scores[["low", "high"]].isna().all(axis=None)
    assert found.replicates.values.shape[-1] == 0 and (found.scores["n_resamples"] == 0).all()


def test_swapped_class_columns_are_refused(runs: list[Path], task: Path, tmp_path: Path) -> None:
    run = read_predictions(runs[0])
    swap = {"NORM": "MI", "MI": "NORM"}
    swapped = rewrite(runs[0], tmp_path / "swapped", run.records.rename(columns=swap), run.exams.rename(columns=swap))
    with pytest.raises(ValueError, match="class 0 of the predictions is 'MI', of the targets 'NORM'"):
        judge([swapped], task, tmp_path / "scores")


def test_another_class_is_refused(runs: list[Path], task: Path, tmp_path: Path) -> None:
    run = read_predictions(runs[0])
    names = {"MI": "STEMI"}
    renamed = rewrite(runs[0], tmp_path / "renamed", run.records.rename(columns=names), run.exams.rename(columns=names))
    with pytest.raises(ValueError, match=r"lack classes 1 \('MI'\) and have unknown ones 1 \('STEMI'\)"):
        judge([renamed], task, tmp_path / "scores")


def test_a_missing_exam_is_named(runs: list[Path], task: Path, tmp_path: Path) -> None:
    run = read_predictions(runs[0])
    gone = "test-007"
    records, exams = (table[table["exam_id"] != gone] for table in (run.records, run.exams))
    short = rewrite(runs[0], tmp_path / "short", records, exams)
    with pytest.raises(ValueError, match=r"test split lack 1 \('test-007'\) and have none"):
        judge([short], task, tmp_path / "scores")


def test_records_of_an_exam_that_disagree_are_refused(runs: list[Path], task: Path, tmp_path: Path) -> None:
    table = read_targets(task).table
    ids, matrix = table[[*table.columns[:6]]], table[list(CLASSES)].to_numpy().copy()
    row = int(np.flatnonzero(table["exam_id"] == "test-002")[1])
    matrix[row, 0] ^= 1
    torn = write_targets(tmp_path / "torn", ids, matrix, CLASSES, settings={}, **PROVENANCE)
    with pytest.raises(ValueError, match="records of exam 'test-002' have different targets"):
        judge(runs, torn, tmp_path / "scores")


def test_a_run_given_twice_is_refused(runs: list[Path], task: Path, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="already given"):
        judge([*runs, runs[0]], task, tmp_path / "scores")


def test_a_task_without_test_exams_has_undefined_test_scores(tmp_path: Path) -> None:
    ids, matrix = records_of("validation", 40, 1)
    task = write_targets(tmp_path / "targets", ids, matrix, CLASSES, settings={}, **PROVENANCE)
    scores = judge([run_of(task, tmp_path, "scratch", 0, 1.0)], task, tmp_path / "scores").scores
    assert scores[scores["split"] == "test"]["value"].isna().all()
    assert value(scores, split="validation", seed="0", metric="auroc", **{"class": "macro"})["value"] > 0.5


def test_the_protocol_goes_with_the_scores() -> None:
    targets = {"protocol": "ptbxl 1.0.3; the source's folds", "split_hash": "abc"}
    assert protocol_of(targets, "code_400hz (signal-correct)") == {
        "protocol": "ptbxl 1.0.3; the source's folds; preprocessing code_400hz (signal-correct)",
        "split_hash": "abc",
    }
    assert protocol_of({}, "") == {"protocol": "", "split_hash": ""}


def test_an_ensemble_is_judged_beside_the_seeds_and_is_none_of_them(
    runs: list[Path], task: Path, tmp_path: Path
) -> None:
    without = judge(runs, task, tmp_path / "without")
    ensemble = run_of(task, tmp_path, "scratch", ENSEMBLE, 2.5)
    found = judge([*runs, ensemble], task, tmp_path / "scores")
    own = found.scores["seed"] == ENSEMBLE
    pd.testing.assert_frame_equal(found.scores[~own].reset_index(drop=True), without.scores, check_exact=True)
    np.testing.assert_array_equal(found.replicates.values, without.replicates.values)
    one = found.scores[own]
    seed = found.scores[(found.scores["seed"] == "0") & (found.scores["start"] == "scratch")]
    keys = ["split", "metric", "class", "n_positives", "n_classes"]
    assert set(one["start"]) == {"scratch"} and (one[keys].to_numpy() == seed[keys].to_numpy()).all()
    row = value(one, metric="auroc", split="test", **{"class": "macro"})
    assert row["low"] < row["value"] < row["high"]
    assert (found.manifest.facts["runs"], found.manifest.facts["ensembles"]) == (4, 1)


def test_thresholds_by_every_rule_are_written_and_one_is_used(runs: list[Path], task: Path, tmp_path: Path) -> None:
    tables = {
        rule: judge(runs[:1], task, tmp_path / rule, threshold=rule, sensitivity=0.8).scores
        for rule in ("f1", "youden", "sensitivity")
    }
    sensitivities = {}
    for rule, scores in tables.items():
        of_seed = scores[(scores["seed"] == "0") & (scores["split"] == "validation")]
        chosen = {name: of_seed[of_seed["metric"] == name]["value"].tolist() for name in set(of_seed["metric"])}
        assert len(chosen["threshold"]) == 4 and chosen["threshold"] == chosen[f"threshold_{rule}"]
        assert {"threshold_f1", "threshold_youden", "threshold_sensitivity"} <= set(chosen)
        sensitivities[rule] = value(of_seed, metric="sensitivity", **{"class": "macro"})["value"]
    assert sensitivities["sensitivity"] >= 0.8
    assert len(set(sensitivities.values())) > 1


def test_a_metric_that_does_not_apply_says_why_and_has_no_row(runs: list[Path], task: Path, tmp_path: Path) -> None:
    found = judge(runs, task, tmp_path / "scores", metrics=["cpsc2018_f1", "auroc", "challenge2020", "f2", "ece"])
    assert {"cpsc2018_f1", "challenge2020"}.isdisjoint(found.scores["metric"])
    facts = found.manifest.facts
    assert facts["not_applicable"]["cpsc2018_f1"].startswith("its classes are Normal, AF")
    assert facts["not_applicable"]["challenge2020"] == "4 classes have no code of the Challenge (NORM, MI, RARE, ...)"
    unlabelled = ~read_targets(task).of("test").drop_duplicates("exam_id")[list(CLASSES)].any(axis=1)
    assert facts["left_out"] == {"f2": int(unlabelled.sum())}
    test = found.scores[found.scores["split"] == "test"]
    rows = {name: set(test[test["metric"] == name]["class"]) for name in ("auroc", "f2")}
    assert rows["auroc"] == {*CLASSES, "macro", "macro_frequent", "micro", "weighted"}
    assert rows["f2"] == rows["auroc"] - {"micro"}
    made = dict(zip(found.replicates.metrics, np.isfinite(found.replicates.point[0, :, 0]), strict=True))
    assert {name for name, there in made.items() if there} == {"auroc", "f2", "ece"}


def test_a_class_named_as_an_average_is_refused(tmp_path: Path) -> None:
    ids, matrix = records_of("test", 40, 1)
    task = write_targets(tmp_path / "targets", ids, matrix, ("micro", "a", "b", "c"), settings={}, **PROVENANCE)
    said: dict[str, Any] = {"files": [], "settings": {}, **PROVENANCE}
    leakage = write_manifest(tmp_path, "leakage", **said)
    made = write_prediction_set(tmp_path / "p", [], settings={}, code="c", inputs=[], synthetic=True)
    with pytest.raises(ValueError, match="class micro has the name of an average"):
        evaluate(made, task, leakage, {"evaluation": SETTINGS}, "c", tmp_path / "out")


def test_how_sections_are_brought_together_is_in_the_protocol() -> None:
    said = protocol_of({"protocol": "p"}, "x", "max")["protocol"]
    assert said == "p; preprocessing x; max over sections"
