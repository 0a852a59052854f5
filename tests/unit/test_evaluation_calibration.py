"""Bins, intervals and the temperature: against scikit-learn, and against what made the data."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from sklearn.calibration import calibration_curve

from codeii.evaluation.calibration import bins_of, expected_error, fit_temperature, log_loss, wilson

probabilities = arrays(np.float64, st.integers(1, 60), elements=st.sampled_from([0.0, 0.1, 0.25, 0.5, 0.9, 1.0]))


def sigmoid(logit: np.ndarray) -> np.ndarray:
    return 1 / (1 + np.exp(-logit))


def test_bins_without_ties_are_scikit_learns() -> None:
    rng = np.random.default_rng(0)
    probability = rng.random(1000)
    target = rng.random(1000) < probability**2
    found = bins_of(probability, target, 10)
    observed, mean = calibration_curve(target, probability, n_bins=10, strategy="quantile")
    np.testing.assert_allclose(found.observed, observed, atol=1e-12)
    np.testing.assert_allclose(found.mean, mean, atol=1e-12)
    assert (found.n == 100).all()


@given(probabilities, st.integers(2, 12), st.randoms())
def test_bins_hold_every_exam_once_whatever_the_order(probability: np.ndarray, bins: int, random: object) -> None:
    target = np.arange(len(probability)) % 3 == 0
    found = bins_of(probability, target, bins)
    assert found.n.sum() == len(probability) and found.n_positives.sum() == target.sum() and (found.n > 0).all()
    assert (np.diff(found.mean) > 0).all()
    order = np.random.default_rng(1).permutation(len(probability))
    again = bins_of(probability[order], target[order], bins)
    np.testing.assert_allclose(again.mean, found.mean)
    assert (again.n_positives == found.n_positives).all()


@given(st.integers(1, 500), st.floats(0, 1))
def test_an_interval_of_a_share_holds_it_and_is_never_empty(n: int, share: float) -> None:
    positives = np.array([round(share * n)])
    low, high = wilson(positives, np.array([n]), 0.95)
    assert 0 <= low[0] <= positives[0] / n + 1e-12 and positives[0] / n - 1e-12 <= high[0] <= 1 and low[0] < high[0]


def test_the_interval_of_four_in_ten_is_the_published_one() -> None:
    low, high = wilson(np.array([4]), np.array([10]), 0.95)  # by hand from the formula of 1927
    assert (low[0], high[0]) == (pytest.approx(0.1682, abs=1e-4), pytest.approx(0.6873, abs=1e-4))


@pytest.mark.parametrize("temperature", [0.3, 1.0, 4.0])
def test_the_temperature_that_made_the_logits_is_found(temperature: float) -> None:
    rng = np.random.default_rng(3)
    logit = rng.normal(-1, 2, 40_000)
    target = rng.random(40_000) < sigmoid(logit)
    assert fit_temperature(logit * temperature, target) == pytest.approx(temperature, rel=0.03)


def test_no_other_temperature_loses_less() -> None:
    rng = np.random.default_rng(4)
    logit, target = rng.normal(0, 3, 500), rng.random(500) < 0.3
    best = fit_temperature(logit, target)
    least = log_loss(logit / best, target).mean()
    assert all(log_loss(logit / other, target).mean() >= least - 1e-12 for other in np.geomspace(0.05, 50, 200))


def test_classes_told_apart_without_a_fault_end_at_the_edge_of_what_is_searched() -> None:
    found = fit_temperature(np.array([-1.0, 1.0]), np.array([False, True]))
    assert found == pytest.approx(np.exp(-4), rel=1e-3) and np.isfinite(found)


def test_logits_as_large_as_they_come_lose_no_number() -> None:
    assert np.isfinite(log_loss(np.array([800.0, -800.0]), np.array([False, True]))).all()


def test_probabilities_that_come_true_have_no_error() -> None:
    probability = np.repeat([0.25, 0.75], 400)
    target = np.concatenate([np.arange(400) < 100, np.arange(400) < 300])
    assert expected_error(bins_of(probability, target, 2)) == pytest.approx(0, abs=1e-12)
    assert expected_error(bins_of(probability * 0.8, target, 2)) == pytest.approx(0.1, abs=1e-12)
