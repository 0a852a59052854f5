"""The training loop: one step is one batch, one epoch ends with a validation."""

import math
import signal
import sys
import time
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, NoReturn

import numpy as np
import torch
from torch import Tensor, nn

from codeii.artifacts import events
from codeii.networks.batches import Inputs, announced, order_of, read, seed_dropout
from codeii.networks.inference import answers
from codeii.schema.progress import progress
from codeii.training import adamw, resume
from codeii.training.augment import augmented
from codeii.training.average import wearing
from codeii.training.examples import Examples
from codeii.training.layers import Layers, to_train
from codeii.training.learner import Learner, learner_of
from codeii.training.objective import PLAIN, Objective, shorten
from codeii.training.resume import Position
from codeii.training.schedule import EpochRow, Plan, best_epoch, is_over, learning_rate_of
from codeii.training.signals import noticed
from codeii.training.validation import macro_auroc, mean_loss, of_records
from codeii.training.watch import Watch, words

SAVE_EVERY_S = 20.0
VALIDATION_BATCH = 256
OUT_OF_TIME = 75  # EX_TEMPFAIL of sysexits.h: try again


@dataclass(frozen=True, slots=True)
class Keeper:
    """Where a run's state is kept, what the run is made of, and how long it may take."""

    scratch: Path
    made_of: Mapping[str, Any]
    until: float = math.inf  # of time.monotonic
    every_s: float = SAVE_EVERY_S


def fit(
    network: nn.Module,
    training: Examples,
    validation: Examples,
    plan: Plan,
    device: torch.device,
    keeper: Keeper,
    layers: Layers | None = None,
) -> Position:
    """Train `network` in place and return its history with the best weights.

    Continues from the keeper's state where there is one; the weights are the same bits as without the interruption.
    Raises ValueError when loss or gradient stop being finite, SystemExit (128 + signal, or `OUT_OF_TIME`) when it is
    stopped.
    """
    learner = learner_of(network, layers or Layers(), plan, training.targets, device)
    position, parts = resume.load(keeper.scratch, keeper.made_of)
    learner.restore(parts)
    settings = keeper.made_of.get("settings")
    events.append(keeper.scratch, "start", **events.this_process(), settings=settings, resumed_from_step=position.step)
    watch, saved = Watch(), time.monotonic()
    left = plan.records_before(plan.steps) - plan.records_before(position.step)
    with noticed() as received:
        batches = _batches(plan, position, training.inputs)
        for picks in progress(batches, left, lambda: words(plan, position), len):
            _advance(learner, training, plan, position, picks, watch)
            if position.step % plan.steps_per_epoch == 0:
                _close_epoch(learner, validation, plan, position)
                _tell_epoch(keeper.scratch, position.history[-1], watch)
            late = time.monotonic() >= keeper.until and not is_over(plan, position.step, position.history)
            if received or late or time.monotonic() - saved > keeper.every_s:
                resume.save(keeper.scratch, keeper.made_of, position, learner.parts())
                saved = time.monotonic()
            if received or late:
                _stop(keeper.scratch, plan, position, received)
    return position


def loss_and_gradients(network: nn.Module, inputs: Tensor, targets_BK: Tensor, objective: Objective = PLAIN) -> float:
    """Loss of a batch, by default the mean binary cross-entropy; its gradients replace those of the parameters.

    Raises FloatingPointError when the loss or a gradient is not finite.
    """
    network.zero_grad()
    size, losses = math.ceil(len(inputs) / objective.parts), []
    for part, targets in zip(torch.split(inputs, size), torch.split(targets_BK, size), strict=True):
        loss = objective.loss(network(part), targets) * (len(part) / len(inputs))
        loss.backward()  # type: ignore[no-untyped-call]
        losses.append(loss.detach())
    value, norm = torch.stack(losses).sum().item(), adamw.gradient_norm(network)
    if not (math.isfinite(value) and math.isfinite(norm)):
        raise FloatingPointError(f"loss {value}, gradient norm {norm}")
    if objective.largest_norm:
        shorten(network, norm, objective.largest_norm)
    return value


def _batches(plan: Plan, position: Position, inputs: Inputs) -> Iterator[np.ndarray]:
    """Which inputs each step takes, from `position` until the run is over; `position` moves under it."""
    while not is_over(plan, position.step, position.history):
        number, slot = divmod(position.step, len(plan.batches))
        order = order_of(plan.seed, number, len(inputs))
        for picks in announced(inputs, [order[batch] for batch in plan.batches[slot:]]):
            if is_over(plan, position.step, position.history):
                return
            yield picks


def _advance(
    learner: Learner, training: Examples, plan: Plan, position: Position, picks: np.ndarray, watch: Watch
) -> None:
    """One step: read, augment, loss and gradients, update; the weights change, and the position with them."""
    device = next(learner.network.parameters()).device
    with watch.waiting(len(picks)):
        inputs = read(training.inputs, picks, device)
    targets_BK = torch.from_numpy(training.targets[picks]).to(device)
    inputs, targets_BK = augmented(plan.changes, plan.seed, position.step, inputs, targets_BK)
    seed_dropout(plan.seed, position.step)
    try:
        position.loss_sum += loss_and_gradients(learner.network, inputs, targets_BK, learner.objective)
    except FloatingPointError as error:
        epoch = position.step // plan.steps_per_epoch + 1
        named = ", ".join(training.record_ids[pick] for pick in picks)
        raise ValueError(f"epoch {epoch}, step {position.step + 1}: {error}; records of the batch: {named}") from error
    except torch.OutOfMemoryError as error:
        found = f"{len(picks)} records in {plan.recipe.accumulate} parts do not fit into the memory of {device}"
        raise ValueError(f"{found}; raise `accumulate` of the recipe, which keeps the step as it is") from error
    learner.step(plan, position.step, [row.validation_loss for row in position.history])
    position.step += 1


def _close_epoch(learner: Learner, validation: Examples, plan: Plan, position: Position) -> None:
    """Validate, add a row to the history, and keep the weights if they are the best so far."""
    network, epoch = learner.network, position.step // plan.steps_per_epoch
    with wearing(network, learner.average):
        loss, auroc = _validated(network, validation)
        if not math.isfinite(loss):
            raise ValueError(f"epoch {epoch}: the validation loss is {loss}; the run diverged, nothing of it is kept")
        if auroc is None and plan.recipe.select_by == "auroc":
            raise ValueError("select_by is 'auroc', but no class has positives and negatives in validation; use 'loss'")
        rate = learning_rate_of(plan, position.step - 1, [row.validation_loss for row in position.history])
        train_loss = position.loss_sum / plan.steps_per_epoch
        position.history.append(EpochRow(epoch, position.step, rate, train_loss, loss, auroc))
        position.loss_sum = 0.0
        if best_epoch(position.history, plan.recipe.select_by) == len(position.history) - 1:
            position.best = {name: value.detach().cpu().clone() for name, value in network.state_dict().items()}
    to_train(network, learner.layers)


def _validated(network: nn.Module, validation: Examples) -> tuple[float, float | None]:
    """Loss and macro AUROC over the validation records."""
    device = next(network.parameters()).device
    logits = answers(network, network, validation.inputs, VALIDATION_BATCH, device)
    of_record, targets = of_records(validation.inputs, logits, validation.targets)
    return mean_loss(of_record, targets), macro_auroc(of_record, targets)


def _tell_epoch(scratch: Path, row: EpochRow, watch: Watch) -> None:
    told = asdict(row)
    events.append(scratch, "epoch", step=told.pop("steps"), **told, **watch.lap())


def _stop(scratch: Path, plan: Plan, position: Position, received: list[int]) -> NoReturn:
    """End the process, its state being saved: with the code of the signal, or with that of a time limit."""
    reason = signal.Signals(received[0]).name if received else "time limit"
    events.append(scratch, "stopped", reason=reason)
    told = f"training stopped ({reason}) at step {position.step} of {plan.steps}; its state is in {scratch}"
    print(f"{told}; run the same again to go on", file=sys.stderr, flush=True)
    raise SystemExit(128 + received[0] if received else OUT_OF_TIME)
