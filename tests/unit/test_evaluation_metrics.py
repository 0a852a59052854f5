"""Metrics against scikit-learn on the same exams, with ties and with resamples as sample weights."""

import numpy as np
import pytest
import sklearn.metrics as reference
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from codeii.evaluation.metrics import load_metrics
from codeii.evaluation.ranking import Curve, curve_of, rank, to_probability

NAMES = ["auroc", "auprc", "f1", "fmax", "sensitivity", "specificity", "brier"]


def expected(name: str, target: np.ndarray, logit: np.ndarray, threshold: float, times: np.ndarray) -> float:
    """The same score by scikit-learn's own functions."""
    probability = to_probability(logit).astype(np.float64)
    called = probability >= threshold
    if name == "auroc":
        return float(reference.roc_auc_score(target, logit, sample_weight=times))
    if name == "auprc":
        return float(reference.average_precision_score(target, logit, sample_weight=times))
    if name == "brier":
        return float(reference.brier_score_loss(target, probability, sample_weight=times))
    if name == "fmax":
        cuts = np.unique(logit)
        return max(float(reference.f1_score(target, logit >= cut, sample_weight=times)) for cut in cuts)
    if name == "f1":
        return float(reference.f1_score(target, called, sample_weight=times))
    side = {"sensitivity": 1, "specificity": 0}[name]
    return float(reference.recall_score(target, called, sample_weight=times, pos_label=side))


@st.composite
def cases(draw: st.DrawFn) -> tuple[np.ndarray, np.ndarray, np.ndarray, float]:
    size = draw(st.integers(2, 40))
    levels = draw(st.sampled_from([2, 5, 1000]))  # 2 and 5: nearly everything is tied
    logit = draw(arrays(np.float32, size, elements=st.integers(-levels, levels).map(lambda n: np.float32(n / 64))))
    target = draw(arrays(np.bool_, size))
    times = draw(arrays(np.int32, size, elements=st.integers(0, 5)))
    assume((times[target] > 0).any() and (times[~target] > 0).any())
    threshold = draw(st.one_of(st.sampled_from(to_probability(logit).astype(float).tolist()), st.floats(0, 1)))
    return logit, target, times, threshold


def curve_for(logit: np.ndarray, target: np.ndarray, times: np.ndarray, threshold: float) -> Curve:
    return curve_of(rank(logit, target, to_probability(logit), threshold), np.atleast_2d(times))


@given(case=cases())
@settings(max_examples=60, deadline=None)
def test_metrics_equal_scikit_learn_with_ties_and_weights(
    case: tuple[np.ndarray, np.ndarray, np.ndarray, float],
) -> None:
    logit, target, times, threshold = case
    curve = curve_for(logit, target, times, threshold)
    for name, metric in zip(NAMES, load_metrics(NAMES), strict=True):
        assert abs(metric(curve)[0] - expected(name, target, logit, threshold, times)) <= 1e-12, name


@pytest.mark.parametrize("place", [0, 17, 49])
def test_a_single_positive_is_scored_like_scikit_learn(place: int) -> None:
    logit = np.random.default_rng(0).standard_normal(50).astype(np.float32)
    target = np.zeros(50, bool)
    target[place] = True
    times = np.ones(50, np.int32)
    curve = curve_for(logit, target, times, 0.5)
    for name, metric in zip(NAMES, load_metrics(NAMES), strict=True):
        assert abs(metric(curve)[0] - expected(name, target, logit, 0.5, times)) <= 1e-12, name


def test_calibration_error_is_the_weighted_gap_of_ten_bins() -> None:
    rng = np.random.default_rng(1)
    logit, target = rng.standard_normal(300).astype(np.float32) * 2, rng.random(300) < 0.3
    times = rng.integers(0, 3, 300, dtype=np.int32)
    probability = to_probability(logit).astype(np.float64)
    gaps = []
    for number in range(10):
        inside = (probability > number / 10) & (probability <= (number + 1) / 10)
        weight = times[inside].sum()
        mean = [np.average(values[inside], weights=times[inside]) for values in (probability, target)]
        gaps.append(weight * abs(mean[0] - mean[1]) / times.sum())
    found = load_metrics(["ece"])[0](curve_for(logit, target, times, 0.5))
    assert found.tolist() == pytest.approx([sum(gaps)], abs=1e-12)


def test_only_the_turns_of_the_curve_are_kept() -> None:
    logit = np.arange(1000, dtype=np.float32)
    target = logit == 500
    ranked = rank(logit, target, to_probability(logit - 500), 0.5)
    assert ranked.cuts.tolist() == [0, 499, 500, 1000]


def test_probabilities_are_float32_and_survive_extreme_logits() -> None:
    logit = np.array([-200, -88, -1, 0, 1, 88, 200], np.float32)
    found = to_probability(logit)
    exact = 1 / (1 + np.exp(-logit.astype(np.float128)))
    assert found.dtype == np.float32
    np.testing.assert_array_equal(found, exact.astype(np.float64).astype(np.float32))


def test_the_same_logits_with_other_signs_of_zero_tie() -> None:
    logit, target = np.array([0.0, -0.0], np.float32), np.array([True, False])
    assert load_metrics(["auroc"])[0](curve_for(logit, target, np.ones(2, np.int32), 0.5)).tolist() == [0.5]
