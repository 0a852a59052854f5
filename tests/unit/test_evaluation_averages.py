"""Macro, micro and weighted averages against scikit-learn, with ties, and under resamples as repeated exams."""

import warnings

import numpy as np
import pytest
import sklearn.metrics as reference

from codeii.evaluation import pooled
from codeii.evaluation.bootstrap import draw_patients
from codeii.evaluation.exams import Truth
from codeii.evaluation.ranking import to_probability
from codeii.evaluation.rows import tally_of
from codeii.evaluation.table import make_ready, rows_made, score_all_rows, score_as_they_are, wanted_for
from codeii.schema.averages import AVERAGES

NAMES = ("auroc", "auprc", "f1", "sensitivity", "ppv", "brier", "fmax", "specificity", "ece")
CLASSES = ("a", "b", "c", "d", "never", "always")
EXAMS = 90
THRESHOLDS = np.array([0.3, 0.5, 0.7, 0.6, 0.5, 0.5])


def case(seed: int, levels: int) -> tuple[np.ndarray, Truth]:
    """Logits and truth; few levels: nearly everything is tied, within classes and across them."""
    rng = np.random.default_rng(seed)
    target = rng.random((EXAMS, 6)) < [0.5, 0.3, 0.1, 0.02, 0, 1]
    target[:2, 3] = True
    logit = (np.round((rng.standard_normal((EXAMS, 6)) + target) * levels) / levels).astype(np.float32)
    return logit, Truth(np.arange(EXAMS), np.arange(EXAMS), target, np.full(EXAMS, -1))


def by_scikit_learn(name: str, average: str, target: np.ndarray, logit: np.ndarray, thresholds: np.ndarray) -> float:
    """The same average by scikit-learn's own, over the columns given."""
    called = to_probability(logit) >= thresholds
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        if name == "auroc":
            return float(reference.roc_auc_score(target, logit, average=average))
        if name == "auprc":
            return float(reference.average_precision_score(target, logit, average=average))
        functions = {"f1": "f1_score", "sensitivity": "recall_score", "ppv": "precision_score"}
        return float(getattr(reference, functions[name])(target, called, average=average, zero_division=0))


@pytest.mark.parametrize("levels", [1, 2, 1000])
def test_averages_are_those_of_scikit_learn_over_the_evaluable_classes(levels: int) -> None:
    logit, truth = case(levels, levels)
    wanted, tally = wanted_for(NAMES, CLASSES), tally_of(truth, CLASSES, 10)
    ready = make_ready(logit, truth, CLASSES, THRESHOLDS)
    found = score_as_they_are(ready, wanted, tally)[:, tally.averages]
    members = {name: np.arange(4) for name in AVERAGES} | {"macro_frequent": np.flatnonzero(truth.positives[:4] >= 10)}
    assert len(members["macro_frequent"]) < 4
    for at, average in enumerate(AVERAGES):
        columns = members[average]
        parts = (truth.target[:, columns], logit[:, columns], THRESHOLDS[columns])
        for place, name in enumerate(NAMES[:5]):
            expected = by_scikit_learn(name, average.removesuffix("_frequent"), *parts)
            assert abs(found[place, at] - expected) <= 1e-12, (name, average)


def test_averages_under_resamples_are_those_of_the_repeated_exams() -> None:
    logit, truth = case(0, 4)
    times = draw_patients(EXAMS, 40, 0)
    wanted, tally = wanted_for(NAMES, CLASSES), tally_of(truth, CLASSES, 10)
    ready = make_ready(logit, truth, CLASSES, THRESHOLDS)
    found = score_all_rows(ready, wanted, tally, times, truth.patient)[:, tally.averages]
    undefined = 0
    for replicate, counts in enumerate(times):
        drawn = np.repeat(np.arange(EXAMS), counts)
        target = truth.target[drawn]
        there = np.flatnonzero(target[:, :4].any(axis=0))  # a class without a positive has no score of its own
        undefined += 4 - len(there)
        for average in ("macro", "weighted", "micro"):
            columns = np.arange(4) if average == "micro" else there
            parts = (target[:, columns], logit[drawn][:, columns], THRESHOLDS[columns])
            for place, name in enumerate(NAMES[:5]):
                expected = by_scikit_learn(name, average, *parts)
                assert abs(found[place, AVERAGES.index(average), replicate] - expected) <= 1e-12, (name, average)
    assert undefined


def test_the_micro_average_of_a_probability_score_is_that_of_all_pairs_of_exam_and_class() -> None:
    logit, truth = case(3, 8)
    wanted, tally = wanted_for(["brier", "ece", "fmax"], CLASSES), tally_of(truth, CLASSES, 10)
    ready = make_ready(logit, truth, CLASSES, THRESHOLDS)
    found = score_as_they_are(ready, wanted, tally)[:, tally.averages.start + AVERAGES.index("micro")]
    target, probability = truth.target[:, :4].ravel(), to_probability(logit)[:, :4].ravel().astype(np.float64)
    best = max(float(reference.f1_score(target, probability >= cut)) for cut in np.unique(probability))
    assert found[[0, 2]].tolist() == pytest.approx(
        [float(reference.brier_score_loss(target, probability)), best], abs=1e-12
    )
    one = Truth(np.arange(len(target)), np.arange(len(target)), target[:, None], np.full(len(target), -1))
    alone = make_ready(logit[:, :4].reshape(-1, 1), one, ("x",), np.array([0.5]))
    expected = score_as_they_are(alone, wanted_for(["ece"], ("x",)), tally_of(one, ("x",), 10))[0, 0]
    assert found[1] == pytest.approx(expected, abs=1e-12)


def test_pools_are_counted_alike_whole_or_in_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    logit, truth = case(4, 4)
    wanted, tally, times = wanted_for(NAMES, CLASSES), tally_of(truth, CLASSES, 10), draw_patients(EXAMS, 20, 0)
    ready = make_ready(logit, truth, CLASSES, THRESHOLDS)
    whole = score_all_rows(ready, wanted, tally, times, truth.patient)
    monkeypatch.setattr(pooled, "AT_ONCE", 3 * 4 * EXAMS)
    parts = score_all_rows(ready, wanted, tally, times, truth.patient)
    np.testing.assert_allclose(parts, whole, rtol=0, atol=1e-14)


def test_scores_as_they_are_are_those_of_every_exam_drawn_once() -> None:
    logit, truth = case(5, 4)
    wanted, tally = wanted_for([*NAMES, "f2", "g2"], CLASSES), tally_of(truth, CLASSES, 10)
    ready = make_ready(logit, truth, CLASSES, THRESHOLDS)
    ones = score_all_rows(ready, wanted, tally, np.ones((3, EXAMS), np.uint16), truth.patient)
    point = score_as_they_are(ready, wanted, tally)
    np.testing.assert_allclose(ones, point[:, :, None].repeat(3, 2), rtol=0, atol=1e-15)
    made = rows_made(wanted, tally)
    assert made.shape == point.shape and np.isnan(point[~made]).all()
    assert np.isfinite(point[:, tally.averages][made[:, tally.averages]]).all()
    assert np.isnan(point[:, 4:6]).all()  # a class without a positive, one without a negative


def test_without_an_evaluable_class_every_average_is_undefined() -> None:
    target = np.zeros((5, 2), bool)
    truth = Truth(np.arange(5), np.arange(5), target, np.full(5, -1))
    wanted, tally = wanted_for(["auroc", "f2"], ("a", "b")), tally_of(truth, ("a", "b"), 1)
    ready = make_ready(np.zeros((5, 2), np.float32), truth, ("a", "b"), np.full(2, 0.5))
    assert np.isnan(score_as_they_are(ready, wanted, tally)).all()
    assert np.isnan(score_all_rows(ready, wanted, tally, draw_patients(5, 3, 0), truth.patient)).all()
