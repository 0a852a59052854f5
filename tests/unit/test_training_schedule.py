"""Length, learning rate and end of a run."""

import math
import warnings
from collections.abc import Callable

import pytest
import torch
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from codeii.schema.recipe import Recipe
from codeii.training.schedule import (
    EpochRow,
    after_plateaus,
    best_epoch,
    is_over,
    learning_rate_of,
    momentum_of,
    plan_of,
)

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


def rates_of_torch(
    scheduler_of: Callable[[torch.optim.Optimizer], torch.optim.lr_scheduler.LRScheduler], steps: int
) -> tuple[list[float], list[float]]:
    """Learning rate and momentum of each step under one of torch's schedulers."""
    optimiser = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=0.1, momentum=0.9)
    scheduler = scheduler_of(optimiser)
    rates, momenta = [], []
    for step in range(steps):
        rates.append(optimiser.param_groups[0]["lr"])
        momenta.append(optimiser.param_groups[0]["momentum"])
        optimiser.step()
        if step < steps - 1:
            scheduler.step()
    return rates, momenta


@hypothesis_settings(deadline=None, max_examples=30)
@given(steps=st.integers(2, 90).filter(lambda steps: steps != 10))
def test_one_cycle_is_pytorchs_with_its_momentum(steps: int) -> None:
    plan = plan_of(4, 0, 0.1, recipe(schedule="one_cycle", epochs=steps))
    rates, momenta = rates_of_torch(
        lambda optimiser: torch.optim.lr_scheduler.OneCycleLR(optimiser, 0.1, total_steps=steps), steps
    )
    assert [learning_rate_of(plan, step, []) for step in range(steps)] == pytest.approx(rates, rel=1e-9)
    assert [momentum_of(plan, step) for step in range(steps)] == pytest.approx(momenta, rel=1e-9)


@hypothesis_settings(deadline=None, max_examples=30)
@given(milestones=st.sets(st.integers(1, 12), min_size=1), passes=st.integers(1, 4))
def test_milestones_are_pytorchs(milestones: set[int], passes: int) -> None:
    plan = plan_of(
        4 * passes, 0, 0.1, recipe(schedule="multistep", milestones=sorted(milestones), milestone_factor=0.2)
    )
    rates, _ = rates_of_torch(
        lambda optimiser: torch.optim.lr_scheduler.MultiStepLR(optimiser, sorted(milestones), 0.2), 10
    )
    found = [learning_rate_of(plan, step, []) for step in range(plan.steps)]
    assert found == pytest.approx([rate for rate in rates for _ in range(passes)], rel=1e-9)


@hypothesis_settings(deadline=None, max_examples=30)
@given(warmup=st.integers(1, 19), schedule=st.sampled_from(["constant", "cosine"]))
def test_a_warm_up_is_pytorchs_linear_one_before_the_schedule(warmup: int, schedule: str) -> None:
    plan = plan_of(8, 0, 0.1, recipe(schedule=schedule, warmup_steps=warmup))
    schedulers = torch.optim.lr_scheduler

    def of_torch(optimiser: torch.optim.Optimizer) -> torch.optim.lr_scheduler.LRScheduler:
        rise = schedulers.LambdaLR(optimiser, lambda step: (step + 1) / warmup)
        rest = (
            schedulers.CosineAnnealingLR(optimiser, plan.steps - warmup)
            if schedule == "cosine"
            else schedulers.ConstantLR(optimiser, 1.0)
        )
        with warnings.catch_warnings():  # SequentialLR steps its parts in a way that they warn of
            warnings.simplefilter("ignore")
            return schedulers.SequentialLR(optimiser, [rise, rest], [warmup])

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        rates, _ = rates_of_torch(of_torch, plan.steps)
    assert [learning_rate_of(plan, step, []) for step in range(plan.steps)] == pytest.approx(rates, rel=1e-9)


def test_milestones_and_plateaus_count_the_epochs_of_the_whole_run() -> None:
    plan = plan_of(8, 0, 0.1, recipe(schedule="multistep", milestones=[2], warmup_steps=3))
    rates = [learning_rate_of(plan, step, []) for step in range(6)]
    assert rates == pytest.approx([0.1 / 3, 0.2 / 3, 0.1, 0.1, 0.01, 0.01])
    slow = plan_of(8, 0, 0.1, recipe(schedule="plateau", warmup_steps=15, minimum_learning_rate=0.05))
    assert not is_over(slow, 2, history([0.5]))  # slow on purpose


def test_a_warm_up_as_long_as_the_run_is_refused() -> None:
    with pytest.raises(ValueError, match="warmup_steps is 20, but the run has 20 steps"):
        plan_of(8, 0, 0.1, recipe(warmup_steps=20))


def test_without_one_cycle_the_momentum_is_the_recipes() -> None:
    plan = plan_of(8, 0, 0.1, recipe(momentum=0.8))
    assert {momentum_of(plan, step) for step in range(plan.steps)} == {0.8}


def test_records_are_counted_over_passes_of_unequal_batches() -> None:
    plan = plan_of(10, 0, 0.1, recipe(epochs=3))  # batches of 4, 4 and 2
    assert [plan.records_before(step) for step in (0, 1, 2, 3, 4, 9)] == [0, 4, 8, 10, 14, 30]
