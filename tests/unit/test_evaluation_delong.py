"""DeLong's variance by ranks, against counting every pair, and what patients with several exams change."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from codeii.evaluation.delong import compare, components
from codeii.evaluation.holm import holm


def pairwise(logit: np.ndarray, target: np.ndarray) -> np.ndarray:
    """(positive, negative) 1 where the positive stands above, 0.5 where both stand alike."""
    apart = logit[target][:, None] - logit[~target]
    return (apart > 0) + 0.5 * (apart == 0)


exams = st.integers(4, 40).flatmap(
    lambda n: st.tuples(
        arrays(np.float32, n, elements=st.integers(-5, 5).map(float)),
        arrays(np.float32, n, elements=st.integers(-5, 5).map(float)),
        arrays(bool, n),
    ).filter(lambda drawn: 2 <= drawn[2].sum() <= len(drawn[2]) - 2)
)


@given(exams)
@settings(deadline=None, max_examples=100)
def test_ranks_give_what_counting_pairs_gives(drawn: tuple[np.ndarray, ...]) -> None:
    first, second, target = drawn
    found = [components(logit, target) for logit in (first, second)]
    counted = [pairwise(logit, target) for logit in (first, second)]
    rows = {True: [each.mean(axis=1) for each in counted], False: [each.mean(axis=0) for each in counted]}
    for one, pairs in zip(found, counted, strict=True):
        assert one.auroc == pytest.approx(pairs.mean(), abs=1e-12)
        np.testing.assert_allclose(one.of_exam[target], pairs.mean(axis=1), atol=1e-12)
        np.testing.assert_allclose(one.of_exam[~target], pairs.mean(axis=0), atol=1e-12)
    expected = sum(np.cov(rows[kind]) / len(rows[kind][0]) for kind in (True, False))
    gap, of_patients = compare(*found, target), compare(*found, target, np.arange(len(target)))
    np.testing.assert_allclose(gap.covariance, of_patients.covariance, atol=1e-15)
    np.testing.assert_allclose(gap.covariance, expected, atol=1e-12)


@given(exams)
@settings(deadline=None, max_examples=50)
def test_changing_sides_changes_the_sign_alone(drawn: tuple[np.ndarray, ...]) -> None:
    first, second, target = drawn
    one, other = components(first, target), components(second, target)
    patient = np.arange(len(target))
    there, back = compare(one, other, target, patient), compare(other, one, target, patient)
    assert there.difference == -back.difference
    np.testing.assert_equal((there.error, there.p), (back.error, back.p))
    assert compare(one, one, target, patient).p == 1.0


def test_exams_that_repeat_a_patient_add_nothing() -> None:
    """Each exam twice under its patient's number: the variance stays near that of the patients, not half of it."""
    rng = np.random.default_rng(0)
    target = rng.random(300) < 0.4
    logits = [(rng.standard_normal(300) + target).astype(np.float32) for _ in range(2)]
    once = compare(*(components(logit, target) for logit in logits), target, np.arange(300))
    doubled = [components(np.repeat(logit, 2), np.repeat(target, 2)) for logit in logits]
    of_patients = compare(*doubled, np.repeat(target, 2), np.repeat(np.arange(300), 2))
    of_exams = compare(*doubled, np.repeat(target, 2), np.arange(600))
    assert of_patients.error == pytest.approx(once.error, rel=1e-9)
    assert of_exams.error == pytest.approx(once.error / np.sqrt(2), rel=0.01)


def test_a_class_with_one_positive_has_no_variance() -> None:
    target = np.array([True, False, False, False])
    first, second = (components(np.array(logit, np.float32), target) for logit in ([3, 2, 1, 0], [1, 2, 3, 0]))
    gap = compare(first, second, target, np.arange(4))
    assert gap.difference == pytest.approx(2 / 3) and np.isnan([gap.error, gap.p]).all()


def test_one_patient_with_both_kinds_of_exams_counts_as_one() -> None:
    rng = np.random.default_rng(1)
    target = np.arange(200) % 2 == 0
    shared = np.repeat(rng.standard_normal(100), 2)
    logits = [(shared + rng.standard_normal(200) * 0.1 + target * shift).astype(np.float32) for shift in (0.3, 0.0)]
    both = [components(logit, target) for logit in logits]
    within, apart = compare(*both, target, np.arange(200) // 2), compare(*both, target, np.arange(200))
    assert within.covariance[0, 0] < apart.covariance[0, 0]  # what raises a positive raises its own negative too


def test_holm_leaves_out_what_is_no_test_and_never_exceeds_one() -> None:
    found = holm(np.array([0.9, np.nan, 0.01, 0.04, 0.7]))
    np.testing.assert_allclose(found, [1.0, np.nan, 0.04, 0.12, 1.0])
    assert holm(np.array([])).shape == (0,)
