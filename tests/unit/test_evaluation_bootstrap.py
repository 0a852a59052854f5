"""Resamples: drawn by patient, the same for everybody, and intervals that cover."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from codeii.evaluation import scoring
from codeii.evaluation.bootstrap import draw_patients, percentile_interval
from codeii.evaluation.metrics import load_metrics
from codeii.evaluation.scoring import rank_classes, score_replicates

METRICS = load_metrics(["auroc", "auprc", "f1", "fmax"])


def test_resamples_are_fixed_by_the_seed_and_their_number() -> None:
    few, many = draw_patients(50, 4, 7), draw_patients(50, 9, 7)
    assert (few == many[:4]).all() and (few.sum(axis=1) == 50).all()
    assert len(np.unique(many, axis=0)) == 9
    assert (draw_patients(50, 4, 8) != few).any()


def test_resamples_never_change() -> None:
    assert draw_patients(8, 2, 0).tolist() == [[3, 0, 2, 0, 1, 1, 1, 0], [0, 1, 1, 0, 2, 0, 1, 3]]


def test_exams_of_a_patient_move_together(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[np.ndarray] = []

    def look(ranked: object, metrics: object, times: np.ndarray) -> np.ndarray:
        seen.append(times)
        return np.zeros((0, 0, len(times)))

    monkeypatch.setattr(scoring, "score_classes", look)
    patient = np.array([0, 1, 0, 2, 3, 1])
    score_replicates([], [], draw_patients(4, 30, 0), patient)
    times = np.concatenate(seen)
    assert (times[:, 0] == times[:, 2]).all() and (times[:, 1] == times[:, 5]).all()
    assert (times[:, [0, 1, 3, 4]] == draw_patients(4, 30, 0)).all()


def test_two_exams_of_every_patient_are_as_uncertain_as_one() -> None:
    rng = np.random.default_rng(1)
    logit, target = rng.standard_normal((80, 1)).astype(np.float32), rng.random((80, 1)) < 0.3
    times = draw_patients(80, 200, 0)
    once = score_replicates(rank_classes(logit, target, np.array([0.5])), METRICS, times, np.arange(80))
    twice = np.repeat(np.arange(80), 2)
    copied = rank_classes(logit[twice], target[twice], np.array([0.5]))
    np.testing.assert_allclose(score_replicates(copied, METRICS, times, twice), once, rtol=0, atol=1e-12)


def test_blocks_of_resamples_change_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(2)
    logit, target = rng.standard_normal((60, 3)).astype(np.float32), rng.random((60, 3)) < 0.2
    ranked, times, patient = rank_classes(logit, target, np.full(3, 0.5)), draw_patients(60, 50, 0), np.arange(60)
    whole = score_replicates(ranked, METRICS, times, patient)
    monkeypatch.setattr(scoring, "BLOCK", 7)
    assert np.array_equal(score_replicates(ranked, METRICS, times, patient), whole, equal_nan=True)


def test_a_resample_without_a_positive_is_undefined_and_left_out() -> None:
    logit, target = np.arange(10, dtype=np.float32)[:, None], np.arange(10)[:, None] == 8
    values = score_replicates(
        rank_classes(logit, target, np.array([0.5])), METRICS, draw_patients(10, 300, 0), np.arange(10)
    )
    without = draw_patients(10, 300, 0)[:, 8] == 0
    assert without.any() and (np.isnan(values[0, 0]) == without).all()
    low, high = percentile_interval(values, 0.9)
    assert np.isfinite(low).all() and (low <= high).all()


@given(
    values=arrays(np.float64, st.tuples(st.integers(1, 3), st.integers(1, 30)), elements=st.floats(0, 1)),
    level=st.floats(0.51, 0.99),
)
@settings(max_examples=60, deadline=None)
def test_percentiles_are_those_of_numpy(values: np.ndarray, level: float) -> None:
    values[0, ::3] = np.nan
    low, high = percentile_interval(values, level)
    for row, left, right in zip(values, low, high, strict=True):
        kept = row[~np.isnan(row)]
        both = np.quantile(kept, [(1 - level) / 2, (1 + level) / 2]) if len(kept) else [np.nan, np.nan]
        np.testing.assert_allclose([left, right], both, rtol=0, atol=1e-14)


def test_no_resamples_give_no_interval() -> None:
    low, high = percentile_interval(np.zeros((2, 3, 0)), 0.95)
    assert low.shape == (2, 3) and np.isnan(low).all() and np.isnan(high).all()


def test_intervals_cover_the_truth_about_as_often_as_they_say() -> None:
    # normal scores one apart: AUROC is Phi(1 / sqrt 2) = 0.7602; each patient has two equal exams, so that an
    # interval that took exams for independent would be too narrow; 1,500 other worlds gave 94 %, and 82 % for that
    rng, inside, worlds = np.random.default_rng(3), 0, 600
    auroc, patient = load_metrics(["auroc"]), np.repeat(np.arange(120), 2)
    times = draw_patients(120, 200, 0)
    for _ in range(worlds):
        target = rng.random((120, 1)) < 0.4
        logit = (rng.standard_normal((120, 1)) + target).astype(np.float32)
        ranked = rank_classes(logit[patient], target[patient], np.array([0.5]))
        low, high = percentile_interval(score_replicates(ranked, auroc, times, patient), 0.95)
        inside += bool(low[0, 0] <= 0.7602 <= high[0, 0])
    assert 0.91 <= inside / worlds <= 0.97  # three standard errors around 0.94
