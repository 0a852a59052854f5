"""Thresholds: best on validation, ties settled, classes that cannot be judged."""

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from codeii.evaluation.thresholds import DEFAULT, RULES, choose_threshold, choose_thresholds


def merit(probability: np.ndarray, target: np.ndarray, threshold: float, rule: str) -> float:
    called = probability >= threshold
    tp, fp = (called & target).sum(), (called & ~target).sum()
    if rule == "sensitivity":
        return float(tp >= np.ceil(0.9 * target.sum() - 1e-9))
    if rule == "f1":
        return float(2 * tp / (target.sum() + called.sum()))
    return float(tp / target.sum() - fp / (~target).sum())


@pytest.mark.parametrize("rule", RULES)
@given(
    probability=arrays(
        np.float32, st.integers(2, 30), elements=st.sampled_from(list(np.linspace(0, 1, 17, dtype="f4")))
    ),
    seed=st.integers(0, 99),
)
@settings(max_examples=60, deadline=None)
def test_no_other_threshold_is_better(rule: str, probability: np.ndarray, seed: int) -> None:
    target = np.random.default_rng(seed).random(len(probability)) < 0.4
    assume(target.any() and not target.all())
    chosen = choose_threshold(probability, target, rule)
    best = max(merit(probability, target, float(other), rule) for other in probability)
    assert chosen in probability.astype(float)
    assert merit(probability, target, chosen, rule) == pytest.approx(best, abs=1e-15)
    higher = probability[probability > chosen]
    assert all(merit(probability, target, float(other), rule) < best - 1e-12 for other in higher)


def test_a_class_without_positives_or_negatives_gets_the_default() -> None:
    probability = np.random.default_rng(0).random((20, 3)).astype(np.float32)
    target = np.zeros((20, 3), bool)
    target[:, 1] = True
    target[:5, 2] = True
    found = choose_thresholds(probability, target)
    assert (found[:, :2] == DEFAULT).all()
    for rule, threshold in zip(RULES, found[:, 2], strict=True):
        assert threshold == choose_threshold(probability[:, 2], target[:, 2], rule)


def test_an_unknown_rule_is_refused() -> None:
    with pytest.raises(ValueError, match="'f2' is not one of f1, youden, sensitivity"):
        choose_threshold(np.array([0.1, 0.9], np.float32), np.array([False, True]), "f2")


@pytest.mark.parametrize(("wanted", "reached"), [(0.5, 50), (0.55, 55), (0.9, 90), (0.901, 91), (1.0, 100)])
def test_the_highest_threshold_that_reaches_a_sensitivity_calls_no_positive_more(wanted: float, reached: int) -> None:
    rng = np.random.default_rng(3)
    probability, target = rng.permutation(300).astype(np.float64) / 300, np.arange(300) < 100
    chosen = choose_threshold(probability, target, "sensitivity", wanted)
    assert ((probability >= chosen) & target).sum() == reached
    assert target[probability == chosen].all()
