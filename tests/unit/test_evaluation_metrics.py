"""Metrics against scikit-learn on the same exams, with ties and with resamples as sample weights."""

import numpy as np
import pytest
import sklearn.metrics as reference
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from codeii.evaluation.metrics import load_metrics
from codeii.evaluation.ranking import Curve, curve_of, falling_order, rank, to_probability

NAMES = ["auroc", "auprc", "f1", "fmax", "sensitivity", "specificity", "ppv", "brier"]


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
    if name == "ppv":
        return float(reference.precision_score(target, called, sample_weight=times, zero_division=0))
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


def binned_gap(probability: np.ndarray, target: np.ndarray) -> float:
    """Calibration error of ten equal bins of exams already sorted by probability; their number divides by ten."""
    both = (probability.reshape(10, -1), target.reshape(10, -1))
    return float(np.abs(both[0].mean(axis=1) - both[1].mean(axis=1)).mean())


def ece(probability: np.ndarray, target: np.ndarray, times: np.ndarray) -> float:
    curve = curve_of(rank(probability, target, probability, 0.5), np.atleast_2d(times).astype(np.int32))
    return float(load_metrics(["ece"])[0](curve)[0])


def test_bins_of_the_calibration_error_hold_equally_many_exams_of_the_resample() -> None:
    rng = np.random.default_rng(1)
    probability, target = rng.random(200), rng.random(200) < 0.3
    drawn = np.sort(rng.choice(200, 300))
    in_order = drawn[np.argsort(probability[drawn], kind="stable")]
    found = ece(probability, target, np.bincount(drawn, minlength=200))
    assert found == pytest.approx(binned_gap(probability[in_order], target[in_order]), abs=1e-12)


@pytest.mark.parametrize("exams", [7, 40, 203])
def test_bins_of_any_number_of_exams_are_equal_by_sharing_exams_out(exams: int) -> None:
    rng = np.random.default_rng(exams)
    probability, target = rng.random(exams), rng.random(exams) < 0.4
    target[:2] = True, False
    tenfold = np.repeat(np.argsort(probability), 10)  # a tenth of each exam ten times is the exam
    expected = binned_gap(probability[tenfold], target[tenfold])
    assert ece(probability, target, np.ones(exams)) == pytest.approx(expected, abs=1e-12)


def test_exams_of_equal_probability_are_shared_out_alike_whatever_their_order() -> None:
    probability = np.array([0.2] * 15 + [0.6] * 25)
    target = np.arange(40) % 3 == 0
    low, high = target[:15].mean(), target[15:].mean()
    gaps = [abs(0.2 - low)] * 3 + [abs(0.75 * (0.2 - low) + 0.25 * (0.6 - high))] + [abs(0.6 - high)] * 6
    for seed in range(5):
        order = np.random.default_rng(seed).permutation(40)
        assert ece(probability[order], target[order], np.ones(40)) == pytest.approx(np.mean(gaps), abs=1e-12)


@pytest.mark.parametrize(("threshold", "value"), [(0.99, 0.0), (0.7, 1.0), (0.1, 0.5)])
def test_a_decision_that_calls_nobody_has_no_predictive_value(threshold: float, value: float) -> None:
    curve = curve_for(np.array([0, 1], np.float32), np.array([False, True]), np.ones(2, np.int32), threshold)
    assert load_metrics(["ppv"])[0](curve).tolist() == [value]


def test_probabilities_rounded_to_bfloat16_are_thousands_of_ties_and_scored_like_scikit_learn() -> None:
    rng = np.random.default_rng(2)
    target = rng.random(8000) < 0.1
    exact = (rng.standard_normal(8000) + 2 * target).astype(np.float32)
    logit = (exact.view(np.uint32) & np.uint32(0xFFFF0000)).view(np.float32)
    assert len(np.unique(logit)) < 2000
    times = rng.integers(0, 3, 8000, dtype=np.int32)
    curve = curve_for(logit, target, times, 0.7)
    for name, metric in zip(NAMES, load_metrics(NAMES), strict=True):
        if name != "fmax":  # scikit-learn's F1 at each of two thousand thresholds takes a minute
            assert abs(metric(curve)[0] - expected(name, target, logit, 0.7, times)) <= 1e-12, name


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


@given(
    arrays(np.float32, st.integers(0, 60), elements=st.one_of(st.floats(width=32), st.sampled_from([0.0, -0.0, 1.0])))
)
@settings(max_examples=100, deadline=None)
def test_the_falling_order_is_numpys(logit: np.ndarray) -> None:
    assert falling_order(logit).tolist() == np.argsort(-logit, kind="stable").tolist()


@pytest.mark.parametrize("middle", [1.0, -1.0, 2.0**-126, -(2.0**-126), 0.0])
def test_neighbours_among_the_numbers_are_told_apart(middle: float) -> None:
    value = np.float32(middle)
    near = np.array([np.nextafter(value, np.float32(side), dtype=np.float32) for side in (-9, 9)])
    assert falling_order(np.array([near[0], value, near[1]], np.float32)).tolist() == [2, 1, 0]
