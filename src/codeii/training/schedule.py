"""How long a run lasts, its learning rate and when it stops: functions of the recipe and of the epochs so far."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from codeii.networks.batches import cut
from codeii.schema.params import Recipe

PLATEAU_THRESHOLD = 1e-4  # relative fall of the loss that counts as progress, as in PyTorch's ReduceLROnPlateau


@dataclass(frozen=True, slots=True)
class Plan:
    """A run laid out in steps; one step is one batch."""

    seed: int
    learning_rate: float  # at the start
    batches: tuple[slice, ...]  # of one pass over the training records
    passes: int  # in one epoch
    recipe: Recipe

    @property
    def steps_per_epoch(self) -> int:
        """Steps between two validations."""
        return len(self.batches) * self.passes

    @property
    def steps(self) -> int:
        """Steps of the whole run when it is not stopped early."""
        return self.steps_per_epoch * self.recipe.epochs


@dataclass(frozen=True, slots=True)
class EpochRow:
    """One row of history.csv."""

    epoch: int
    steps: int
    learning_rate: float
    train_loss: float
    validation_loss: float
    validation_auroc: float | None  # None where no class has both positives and negatives


def plan_of(records: int, seed: int, learning_rate: float, recipe: Recipe) -> Plan:
    """Lay out a run. Where `steps_at_least` asks for more steps, an epoch makes several passes over the records."""
    batches = tuple(cut(records, recipe.batch_size))
    passes = max(1, math.ceil(recipe.steps_at_least / (recipe.epochs * len(batches))))
    return Plan(seed, learning_rate, batches, passes, recipe)


def learning_rate_of(plan: Plan, step: int, losses: Sequence[float]) -> float:
    """Learning rate of a step, given the validation losses of the epochs before it."""
    if plan.recipe.schedule == "plateau":
        return after_plateaus(plan.learning_rate, losses, plan.recipe.plateau_patience, plan.recipe.plateau_factor)
    if plan.recipe.schedule == "cosine":
        return plan.learning_rate * 0.5 * (1 + math.cos(math.pi * step / plan.steps))
    return plan.learning_rate


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
    too_slow = recipe.schedule == "plateau" and learning_rate_of(plan, step, losses) < recipe.minimum_learning_rate
    return too_slow or 0 < recipe.early_stopping_patience <= waited
