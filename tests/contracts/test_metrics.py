"""Every file of evaluation/metrics keeps the contract of its folder: of one class, or of all classes together."""

from dataclasses import replace
from importlib import import_module
from typing import Any

import numpy as np
import pytest
from pydantic import TypeAdapter

from codeii.evaluation.metrics import load_by_shape, load_metrics, metric_names
from codeii.evaluation.ranking import Curve, curve_of, rank, to_probability
from codeii.evaluation.whole import Whole
from codeii.schema.averages import GROUPS
from codeii.schema.labels import label_set_names, read_label_set
from codeii.schema.params import Name

EXAMS, REPLICATES = 60, 7
OF_CLASS = [name for name in metric_names() if load_by_shape([name])[0]]
OF_ALL = [name for name in metric_names() if name not in OF_CLASS]
SIGNED = ("challenge2020",)  # 0 is as good as a trivial answer; others are 0 to 1


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


def label_set_of(metric: Any) -> tuple[str, ...]:
    """The first label set of the study that it applies to."""
    every = (read_label_set(name).classes for name in label_set_names())
    return next(classes for classes in every if not metric.why_not(classes))


def whole_case(metric: Any, seed: int) -> Whole:
    """Exams with ties among classes, some without a class, some with several."""
    rng, classes = np.random.default_rng(seed), label_set_of(metric)
    probability = rng.integers(1, 64, (EXAMS, len(classes))) / 64
    target = rng.random((EXAMS, len(classes))) < 0.2
    first = np.array([rng.choice(np.flatnonzero(row)) if row.any() else -1 for row in target])
    times = rng.multinomial(EXAMS, np.full(EXAMS, 1 / EXAMS), REPLICATES).astype(np.float64)
    return Whole(classes, target, probability, probability >= 0.7, first, times)


def rearranged(whole: Whole, exams: np.ndarray) -> Whole:
    parts = {name: getattr(whole, name)[exams] for name in ("target", "probability", "called", "first")}
    return replace(whole, **parts, times=whole.times[:, exams])


@pytest.mark.parametrize("name", metric_names())
def test_every_metric_is_a_word_of_the_params_and_says_what_it_is(name: str) -> None:
    module = import_module(f"codeii.evaluation.metrics.{name}")
    function = module.score if name in OF_CLASS else module.score_all
    assert module.__doc__ and function.__doc__
    assert TypeAdapter(Name).validate_python(name) == name


@pytest.mark.parametrize("name", OF_CLASS)
def test_every_metric_gives_one_finite_number_per_resample(name: str) -> None:
    found = load_metrics([name])[0](curve_of_case(0))
    assert found.shape == (REPLICATES,) and found.dtype == np.float64
    assert np.isfinite(found).all() and (found >= 0).all() and (found <= 1).all()


@pytest.mark.parametrize("name", OF_CLASS)
def test_in_every_metric_resamples_do_not_see_each_other(name: str) -> None:
    metric, curve = load_metrics([name])[0], curve_of_case(1)
    alone = [metric(curve_of_case(1, times=curve.times[number : number + 1]))[0] for number in range(REPLICATES)]
    np.testing.assert_allclose(metric(curve), alone, rtol=0, atol=1e-14)


@pytest.mark.parametrize("name", OF_CLASS)
def test_no_metric_depends_on_the_order_of_the_exams(name: str) -> None:
    metric = load_metrics([name])[0]
    shuffled = np.random.default_rng(5).permutation(EXAMS)
    np.testing.assert_allclose(metric(curve_of_case(2)), metric(curve_of_case(2, order=shuffled)), rtol=0, atol=1e-14)


@pytest.mark.parametrize("name", OF_CLASS)
def test_in_every_metric_an_exam_counted_twice_is_two_exams(name: str) -> None:
    metric = load_metrics([name])[0]
    rng = np.random.default_rng(3)
    logit, target = rng.standard_normal(EXAMS).astype(np.float32), rng.random(EXAMS) < 0.4
    times = rng.integers(0, 4, (1, EXAMS), dtype=np.int32)
    counted = metric(curve_of(rank(logit, target, to_probability(logit), 0.4), times))
    logit, target = np.repeat(logit, times[0]), np.repeat(target, times[0])
    copied = curve_of(rank(logit, target, to_probability(logit), 0.4), np.ones((1, len(logit)), np.int32))
    np.testing.assert_allclose(counted, metric(copied), rtol=0, atol=1e-14)


@pytest.mark.parametrize("name", OF_ALL)
def test_a_metric_of_all_classes_scores_what_it_says_it_does(name: str) -> None:
    metric: Any = import_module(f"codeii.evaluation.metrics.{name}")
    whole = whole_case(metric, 0)
    found, rows = metric.score_all(whole), metric.rows(whole.classes)
    assert set(found) == set(rows) and all(set(of) <= set(whole.classes) for of in rows.values())
    assert set(rows) - set(whole.classes) <= set(GROUPS) and not set(GROUPS) & set(whole.classes)
    assert metric.judged(whole.target).shape == (EXAMS,) and metric.judged(whole.target).dtype == bool
    for values in found.values():
        assert values.shape == (REPLICATES,) and values.dtype == np.float64
        defined = values[~np.isnan(values)]
        assert len(defined) and (defined <= 1).all() and (name in SIGNED or (defined >= 0).all())


@pytest.mark.parametrize("name", OF_ALL)
def test_a_metric_of_all_classes_says_why_it_does_not_apply(name: str) -> None:
    metric: Any = import_module(f"codeii.evaluation.metrics.{name}")
    assert not metric.why_not(label_set_of(metric))
    reasons = [metric.why_not(read_label_set(other).classes) for other in label_set_names()]
    assert all(isinstance(reason, str) and not reason.endswith(".") for reason in reasons)


@pytest.mark.parametrize("name", OF_ALL)
def test_a_metric_of_all_classes_does_not_depend_on_order_copies_or_other_resamples(name: str) -> None:
    metric: Any = import_module(f"codeii.evaluation.metrics.{name}")
    whole = whole_case(metric, 1)
    found = metric.score_all(whole)
    shuffled = metric.score_all(rearranged(whole, np.random.default_rng(5).permutation(EXAMS)))
    copied = rearranged(whole, np.repeat(np.arange(EXAMS), whole.times[2].astype(int)))
    copied = metric.score_all(replace(copied, times=np.ones((1, EXAMS))))
    alone = metric.score_all(replace(whole, times=whole.times[2:3]))
    for row, values in found.items():
        np.testing.assert_allclose(shuffled[row], values, rtol=0, atol=1e-13, err_msg=row)
        for other in (copied, alone):
            np.testing.assert_allclose(other[row], values[2:3], rtol=0, atol=1e-13, err_msg=row)


@pytest.mark.parametrize("name", OF_ALL)
def test_a_metric_of_all_classes_is_made_from_the_judged_exams_alone(name: str) -> None:
    metric: Any = import_module(f"codeii.evaluation.metrics.{name}")
    whole = whole_case(metric, 2)
    kept = np.flatnonzero(metric.judged(whole.target))
    found, without = metric.score_all(whole), metric.score_all(rearranged(whole, kept))
    for row, values in found.items():
        np.testing.assert_allclose(without[row], values, rtol=0, atol=1e-13, err_msg=row)


def test_a_metric_without_a_file_is_refused_with_the_names_there_are() -> None:
    with pytest.raises(ValueError, match=r"auc does not exist; there are .*auroc"):
        load_metrics(["auroc", "auc"])


def test_a_metric_of_all_classes_is_not_taken_for_one_of_a_class() -> None:
    with pytest.raises(ValueError, match="f2 is of all classes"):
        load_metrics(["auroc", "f2"])
