"""Length, learning rate and end of a run."""

import math

import pytest
import torch
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from codeii.schema.recipe import Recipe
from codeii.training.schedule import EpochRow, after_plateaus, best_epoch, is_over, learning_rate_of, plan_of

LOSSES = st.lists(st.floats(0.01, 2.0), max_size=40)


def recipe(**changed: object) -> Recipe:
    given_ = {"epochs": 10, "batch_size": 4, "learning_rate": 0.1, "head_learning_rate": 0.1, "schedule": "constant"}
    return Recipe.model_validate({**given_, **changed})


def history(losses: list[float], aurocs: list[float | None] | None = None) -> list[EpochRow]:
    pairs = zip(losses, aurocs or [None] * len(losses), strict=True)
    return [EpochRow(index + 1, index + 1, 0.1, loss, loss, auroc) for index, (loss, auroc) in enumerate(pairs)]


@hypothesis_settings(deadline=None)
@given(losses=LOSSES, patience=st.integers(1, 5))
def test_the_plateau_rule_is_pytorchs(losses: list[float], patience: int) -> None:
    optimiser = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=0.1)
    scheduler = torch.optim.lr_scheduler.ReduceLROnPlateau(optimiser, factor=0.1, patience=patience, eps=0)
    for loss in losses:
        scheduler.step(loss)
    assert after_plateaus(0.1, losses, patience, 0.1) == pytest.approx(optimiser.param_groups[0]["lr"], rel=1e-12)


def test_cosine_falls_from_the_learning_rate_to_nearly_nothing() -> None:
    plan = plan_of(8, 0, 0.1, recipe(schedule="cosine"))
    rates = [learning_rate_of(plan, step, []) for step in range(plan.steps)]
    assert rates[0] == 0.1
    assert rates == sorted(rates, reverse=True)
    assert 0 < rates[-1] < 0.001
    assert rates[10] == pytest.approx(0.05 * (1 + math.cos(math.pi / 2)))


def test_few_records_are_passed_over_more_often_in_an_epoch() -> None:
    plan = plan_of(5, 0, 0.1, recipe(steps_at_least=100))
    assert len(plan.batches) == 1  # five records at batch size four: the fifth joins the first four
    assert (plan.passes, plan.steps_per_epoch, plan.steps) == (10, 10, 100)
    assert plan_of(400, 0, 0.1, recipe(steps_at_least=100)).passes == 1


@pytest.mark.parametrize(
    ("select_by", "expected"),
    [("loss", 1), ("auroc", 2)],
)
def test_the_best_epoch_is_the_first_of_equals(select_by: str, expected: int) -> None:
    rows = history([0.5, 0.4, 0.4, 0.6], [None, 0.7, 0.8, 0.8])
    assert best_epoch(rows, select_by) == expected


def test_a_run_stops_after_its_patience_and_not_before() -> None:
    plan = plan_of(4, 0, 0.1, recipe(early_stopping_patience=2))
    assert not is_over(plan, 2, history([0.5, 0.6]))
    assert is_over(plan, 3, history([0.5, 0.6, 0.6]))
    assert not is_over(plan, 3, history([0.5, 0.6, 0.4]))
    assert not is_over(plan_of(4, 0, 0.1, recipe()), 9, history([0.5] * 9))
    assert is_over(plan, plan.steps, [])


def test_a_plateau_run_stops_below_the_least_learning_rate() -> None:
    plan = plan_of(4, 0, 0.1, recipe(schedule="plateau", plateau_patience=1, minimum_learning_rate=0.05))
    assert not is_over(plan, 2, history([0.5, 0.5]))
    assert is_over(plan, 3, history([0.5, 0.5, 0.5]))
