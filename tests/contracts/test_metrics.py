"""Every file of evaluation/metrics keeps the contract of its folder."""

from importlib import import_module

import numpy as np
import pytest
from pydantic import TypeAdapter

from codeii.evaluation.metrics import load_metrics, metric_names
from codeii.evaluation.ranking import Curve, curve_of, rank, to_probability
from codeii.schema.params import Name

EXAMS, REPLICATES = 60, 7


def curve_of_case(seed: int, order: np.ndarray | None = None, times: np.ndarray | None = None) -> Curve:
    rng = np.random.default_rng(seed)
    logit = rng.integers(-6, 6, EXAMS).astype(np.float32) / 4  # many ties
    target = rng.random(EXAMS) < 0.3
    target[:2] = True, False
    drawn = rng.multinomial(EXAMS, np.full(EXAMS, 1 / EXAMS), REPLICATES).astype(np.int32)
    drawn[:, :2] += 1
    times = drawn if times is None else times
    order = np.arange(EXAMS) if order is None else order
    logit, target, times = logit[order], target[order], times[:, order]
    return curve_of(rank(logit, target, to_probability(logit), 0.55), times)


@pytest.mark.parametrize("name", metric_names())
def test_every_metric_gives_one_finite_number_per_resample(name: str) -> None:
    found = load_metrics([name])[0](curve_of_case(0))
    assert found.shape == (REPLICATES,) and found.dtype == np.float64
    assert np.isfinite(found).all() and (found >= 0).all() and (found <= 1).all()


@pytest.mark.parametrize("name", metric_names())
def test_every_metric_is_a_word_of_the_params_and_says_what_it_is(name: str) -> None:
    module = import_module(f"codeii.evaluation.metrics.{name}")
    assert module.__doc__ and module.score.__doc__
    assert TypeAdapter(Name).validate_python(name) == name


@pytest.mark.parametrize("name", metric_names())
def test_in_every_metric_resamples_do_not_see_each_other(name: str) -> None:
    metric, curve = load_metrics([name])[0], curve_of_case(1)
    alone = [metric(curve_of_case(1, times=curve.times[number : number + 1]))[0] for number in range(REPLICATES)]
    np.testing.assert_allclose(metric(curve), alone, rtol=0, atol=1e-14)


@pytest.mark.parametrize("name", metric_names())
def test_no_metric_depends_on_the_order_of_the_exams(name: str) -> None:
    metric = load_metrics([name])[0]
    shuffled = np.random.default_rng(5).permutation(EXAMS)
    np.testing.assert_allclose(metric(curve_of_case(2)), metric(curve_of_case(2, order=shuffled)), rtol=0, atol=1e-14)


@pytest.mark.parametrize("name", metric_names())
def test_in_every_metric_an_exam_counted_twice_is_two_exams(name: str) -> None:
    metric = load_metrics([name])[0]
    rng = np.random.default_rng(3)
    logit, target = rng.standard_normal(EXAMS).astype(np.float32), rng.random(EXAMS) < 0.4
    times = rng.integers(0, 4, (1, EXAMS), dtype=np.int32)
    counted = metric(curve_of(rank(logit, target, to_probability(logit), 0.4), times))
    logit, target = np.repeat(logit, times[0]), np.repeat(target, times[0])
    copied = curve_of(rank(logit, target, to_probability(logit), 0.4), np.ones((1, len(logit)), np.int32))
    np.testing.assert_allclose(counted, metric(copied), rtol=0, atol=1e-14)


def test_a_metric_without_a_file_is_refused_with_the_names_there_are() -> None:
    with pytest.raises(ValueError, match=r"auc does not exist; there are .*auroc"):
        load_metrics(["auroc", "auc"])
