"""What evaluation makes of predictions and targets that are wrong, or right but awkward."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import average_precision_score, roc_auc_score

from codeii.artifacts.manifest import write_manifest
from codeii.artifacts.predictions import write_prediction_set, write_predictions
from codeii.artifacts.scores import read_scores
from codeii.artifacts.targets import write_targets
from codeii.evaluation.run import evaluate

CLASSES = ("Normal", "AF", "I-AVB", "LBBB", "RBBB", "PAC", "PVC", "STD", "STE")
METRICS = [
    "auroc",
    "auprc",
    "f1",
    "fmax",
    "sensitivity",
    "specificity",
    "ppv",
    "brier",
    "ece",
    "f2",
    "g2",
    "cpsc2018_f1",
    "challenge2020",
]
MADE: dict[str, Any] = {"settings": {}, "code": "c", "inputs": [], "facts": {}, "synthetic": True}
EXAMS = 120


def truth(positives: int) -> np.ndarray:
    """(exam, class) 0/1 of both splits, validation first; the test split has so many exams with the last class."""
    rng = np.random.default_rng(0)
    matrix = np.zeros((2 * EXAMS, 9), np.uint8)
    matrix[np.arange(2 * EXAMS), rng.integers(0, 8, 2 * EXAMS)] = 1
    matrix[rng.random(2 * EXAMS) < 0.1, 1] = 1
    matrix[:3, 8] = 1
    matrix[EXAMS : EXAMS + positives, 8] = 1
    return matrix


def tables(logits: np.ndarray, matrix: np.ndarray) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Targets' ids, and predictions by record, of one record per exam."""
    names = [f"r{number:03d}" for number in range(2 * EXAMS)]
    split = np.repeat(["validation", "test"], EXAMS)
    ids = pd.DataFrame({"record_id": names, "exam_id": names, "patient_id": names, "split": split})
    first = [CLASSES[int(np.flatnonzero(row)[-1])] for row in matrix]
    ids = ids.assign(age_years=50.0, sex="female", first=first)
    predictions = pd.DataFrame(logits.astype(np.float32), columns=list(CLASSES))
    return ids, pd.concat([ids[["record_id", "exam_id", "split"]], predictions], axis=1)


def scored(folder: Path, ids: pd.DataFrame, predictions: pd.DataFrame, matrix: np.ndarray) -> pd.DataFrame:
    targets = write_targets(folder / "t", ids, matrix, CLASSES, first_class=ids["first"], **MADE)
    run = {"experiment": "x", "model": "m", "start": "s", "fraction": 1.0, "per_class": 0, "seed": 0}
    exams = predictions.drop(columns="record_id")
    write_predictions(folder / "p/r", predictions, exams, **(MADE | {"settings": {"run": run}}))
    made = write_prediction_set(folder / "p", ["r"], settings={}, code="c", inputs=[], synthetic=True)
    leakage = write_manifest(folder / "l", "leakage", files=[], **MADE)
    settings = {"evaluation": {"metrics": METRICS, "replicates": 50}}
    evaluate(made, targets, leakage, settings, "c", folder / "scores")
    return read_scores(folder / "scores/manifest.json").scores


def logits_for(matrix: np.ndarray) -> np.ndarray:
    found: np.ndarray = np.random.default_rng(1).standard_normal(matrix.shape) + 2 * matrix
    return found


def of_run(scores: pd.DataFrame) -> pd.DataFrame:
    return scores[(scores["seed"] == "0") & (scores["split"] == "test")].set_index(["metric", "class"])


@pytest.mark.parametrize("positives", [0, 1])
def test_a_class_with_no_positive_or_one_is_bounded_and_honest(tmp_path: Path, positives: int) -> None:
    matrix = truth(positives)
    rows = of_run(scored(tmp_path, *tables(logits_for(matrix), matrix), matrix))
    own = rows[rows.index.get_level_values("class") == "STE"]
    assert len(own) == 12 and (own["n_positives"] == positives).all()
    assert own[["value", "low", "high"]].notna().all(axis=None) == (positives == 1)
    assert own["value"].isna().all() == (positives == 0)
    averages = rows.loc[[("auroc", name) for name in ("macro", "macro_frequent", "micro", "weighted")]]
    assert averages["n_classes"].tolist() == [8 + positives, 8, 8 + positives, 8 + positives]
    assert averages[["value", "low", "high"]].notna().all(axis=None)
    bounded = rows.drop(index=[("challenge2020", "all")])[["value", "low", "high"]].to_numpy()
    assert (bounded[~np.isnan(bounded)] >= 0).all() and (bounded[~np.isnan(bounded)] <= 1).all()


def test_logits_that_are_nearly_all_tied_are_scored_like_scikit_learn(tmp_path: Path) -> None:
    matrix = truth(5)
    logits = np.round(logits_for(matrix))
    rows = of_run(scored(tmp_path, *tables(logits, matrix), matrix))
    for number, name in enumerate(CLASSES):
        pair = matrix[EXAMS:, number], logits[EXAMS:, number]
        assert rows.loc[("auroc", name), "value"] == pytest.approx(roc_auc_score(*pair), abs=1e-12)
        assert rows.loc[("auprc", name), "value"] == pytest.approx(average_precision_score(*pair), abs=1e-12)


def test_logits_that_are_all_equal_know_nothing(tmp_path: Path) -> None:
    matrix = truth(5)
    rows = of_run(scored(tmp_path, *tables(np.zeros(matrix.shape), matrix), matrix))
    auroc = rows.loc["auroc"]
    assert (auroc[["value", "low", "high"]] == 0.5).all(axis=None)
    assert (rows.loc["sensitivity", "value"] == 1).all() and (rows.loc["specificity", "value"] == 0).all()


def test_a_logit_that_is_no_number_is_refused_by_record_and_class(tmp_path: Path) -> None:
    matrix = truth(5)
    for value in (np.nan, np.inf):
        logits = logits_for(matrix)
        logits[7, 3] = value
        with pytest.raises(ValueError, match=rf"the first is {value} of record_id 'r007', class 'LBBB'"):
            scored(tmp_path, *tables(logits, matrix), matrix)


def test_records_in_another_order_have_the_same_scores(tmp_path: Path) -> None:
    matrix = truth(5)
    ids, predictions = tables(logits_for(matrix), matrix)
    plain = scored(tmp_path / "a", ids, predictions, matrix)
    for number in range(2):
        order = np.random.default_rng(number).permutation(len(ids))
        mixed = predictions.sample(frac=1, random_state=number)
        other = scored(tmp_path / f"b{number}", ids.iloc[order], mixed, matrix[order])
        pd.testing.assert_frame_equal(other, plain, check_exact=True)


def test_swapped_class_columns_are_refused(tmp_path: Path) -> None:
    matrix = truth(5)
    ids, predictions = tables(logits_for(matrix), matrix)
    swapped = predictions[[*predictions.columns[:3], "AF", "Normal", *CLASSES[2:]]]
    with pytest.raises(ValueError, match="class 0 of the predictions is 'AF', of the targets 'Normal'"):
        scored(tmp_path, ids, swapped, matrix)


def test_an_exam_given_twice_is_refused(tmp_path: Path) -> None:
    matrix = truth(5)
    ids, predictions = tables(logits_for(matrix), matrix)
    twice = pd.concat([predictions, predictions.iloc[:1].assign(record_id="copy")], ignore_index=True)
    with pytest.raises(ValueError, match="'r000' occurs twice"):
        scored(tmp_path, ids, twice, matrix)


def test_the_challenge_is_scored_with_the_first_class_of_each_exam(tmp_path: Path) -> None:
    matrix = truth(5)
    rows = of_run(scored(tmp_path, *tables(logits_for(matrix), matrix), matrix))
    found = rows.loc["cpsc2018_f1"]
    assert set(found.index) == {*CLASSES, "macro", "macro_frequent", "weighted", "F_AF", "F_Block", "F_PC", "F_ST"}
    assert found.loc["F_AF", "value"] == found.loc["AF", "value"]
    assert found.loc["macro", "value"] == pytest.approx(found.loc[list(CLASSES), "value"].mean(), abs=1e-15)
    assert (found.loc["F_Block", "n_classes"], rows.loc[("challenge2020", "all"), "n_classes"]) == (3, 6)
    assert found["low"].notna().all() and list(rows.loc["challenge2020"].index) == ["all"]
