"""How long a run lasts, its learning rate and when it stops: functions of the recipe and of the epochs so far."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from codeii.networks.batches import cut
from codeii.schema.recipe import Recipe
from codeii.training.augment import UNCHANGED, Changes

PLATEAU_THRESHOLD = 1e-4  # relative fall of the loss that counts as progress, as in PyTorch's ReduceLROnPlateau
# One cycle (Smith 2018) with the numbers of fastai and of PyTorch's OneCycleLR.
RISE, START_DIVISOR, END_DIVISOR, MOMENTUM_ENDS, MOMENTUM_TOP = 0.3, 25.0, 1e4, 0.95, 0.85


@dataclass(frozen=True, slots=True)
class Plan:
    """A run laid out in steps; one step is one batch."""

    seed: int
    learning_rate: float  # at the start
    batches: tuple[slice, ...]  # of one pass over the training records
    passes: int  # in one epoch
    recipe: Recipe
    changes: Changes = UNCHANGED  # of the signals, in each step

    @property
    def steps_per_epoch(self) -> int:
        """Steps between two validations."""
        return len(self.batches) * self.passes

    @property
    def steps(self) -> int:
        """Steps of the whole run when it is not stopped early."""
        return self.steps_per_epoch * self.recipe.epochs

    def records_before(self, step: int) -> int:
        """Records that the steps before this one took."""
        number, slot = divmod(step, len(self.batches))
        return number * int(self.batches[-1].stop) + int(self.batches[slot].start)


@dataclass(frozen=True, slots=True)
class EpochRow:
    """One row of history.csv."""

    epoch: int
    steps: int
    learning_rate: float
    train_loss: float
    validation_loss: float
    validation_auroc: float | None  # None where no class has both positives and negatives


def plan_of(records: int, seed: int, learning_rate: float, recipe: Recipe, changes: Changes = UNCHANGED) -> Plan:
    """Lay out a run. Where `steps_at_least` asks for more steps, an epoch makes several passes over the records.

    Raises ValueError when the warm-up lasts as long as the run.
    """
    batches = tuple(cut(records, recipe.batch_size))
    passes = max(1, math.ceil(recipe.steps_at_least / (recipe.epochs * len(batches))))
    plan = Plan(seed, learning_rate, batches, passes, recipe, changes)
    if recipe.warmup_steps and recipe.warmup_steps >= plan.steps:
        raise ValueError(f"warmup_steps is {recipe.warmup_steps}, but the run has {plan.steps} steps")
    return plan


def learning_rate_of(plan: Plan, step: int, losses: Sequence[float]) -> float:
    """Learning rate of a step, given the validation losses of the epochs before it.

    After a warm-up, cosine and one cycle are laid over the steps that are left; milestones and plateaus count the
    epochs of the whole run.
    """
    recipe, rate, warmup = plan.recipe, plan.learning_rate, plan.recipe.warmup_steps
    if step < warmup:
        return rate * (step + 1) / warmup
    step, steps = step - warmup, plan.steps - warmup
    if recipe.schedule == "plateau":
        return after_plateaus(rate, losses, recipe.plateau_patience, recipe.plateau_factor)
    if recipe.schedule == "cosine":
        return rate * 0.5 * (1 + math.cos(math.pi * step / steps))
    if recipe.schedule == "one_cycle":
        start = rate / START_DIVISOR
        return in_cycle(step, steps, start, rate, start / END_DIVISOR)
    if recipe.schedule == "multistep":
        epochs = (step + warmup) // plan.steps_per_epoch
        return rate * recipe.milestone_factor ** sum(milestone <= epochs for milestone in recipe.milestones)
    return rate


def momentum_of(plan: Plan, step: int) -> float:
    """Momentum of a step: the recipe's, or low where the learning rate of one cycle is high."""
    warmup = plan.recipe.warmup_steps
    if plan.recipe.schedule != "one_cycle":
        return plan.recipe.momentum
    return in_cycle(max(0, step - warmup), plan.steps - warmup, MOMENTUM_ENDS, MOMENTUM_TOP, MOMENTUM_ENDS)


def in_cycle(step: int, steps: int, start: float, top: float, end: float) -> float:
    """Half a cosine from `start` to `top` over the first 0.3 of the steps, another to `end` over the others."""
    last_of_rise = RISE * steps - 1
    if step <= last_of_rise:
        return _half_cosine(start, top, step / last_of_rise if last_of_rise else 1.0)
    return _half_cosine(top, end, (step - last_of_rise) / (steps - 1 - last_of_rise))


def _half_cosine(start: float, end: float, share: float) -> float:
    return end + (start - end) / 2 * (1 + math.cos(math.pi * share))


def after_plateaus(learning_rate: float, losses: Sequence[float], patience: int, factor: float) -> float:
    """Divide the learning rate each time more than `patience` epochs bring no progress.

    The rule of PyTorch's ReduceLROnPlateau with its defaults (relative threshold 1e-4, no cool-down).
    """
    best, waited = math.inf, 0
    for loss in losses:
        progress = loss < best * (1 - PLATEAU_THRESHOLD)
        best, waited = (loss, 0) if progress else (best, waited + 1)
        if waited > patience:
            learning_rate, waited = learning_rate * factor, 0
    return learning_rate


def best_epoch(history: Sequence[EpochRow], select_by: str) -> int:
    """Index of the epoch whose weights are kept: lowest loss or highest AUROC; the earlier one of equals."""
    if select_by == "auroc":
        return max(range(len(history)), key=lambda index: (history[index].validation_auroc or 0.0, -index))
    return min(range(len(history)), key=lambda index: (history[index].validation_loss, index))


def is_over(plan: Plan, step: int, history: Sequence[EpochRow]) -> bool:
    """True after the last step, after `early_stopping_patience` epochs in vain, or below the least learning rate."""
    if step >= plan.steps:
        return True
    if not history or step % plan.steps_per_epoch:
        return False
    recipe = plan.recipe
    waited = len(history) - 1 - best_epoch(history, recipe.select_by)
    losses = [row.validation_loss for row in history]
    rate = after_plateaus(plan.learning_rate, losses, recipe.plateau_patience, recipe.plateau_factor)
    too_slow = recipe.schedule == "plateau" and rate < recipe.minimum_learning_rate  # a warm-up is slow on purpose
    return too_slow or 0 < recipe.early_stopping_patience <= waited
