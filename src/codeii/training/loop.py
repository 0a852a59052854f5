"""The training loop: one step is one batch, one epoch ends with a validation."""

import math
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from codeii.networks.batches import Inputs, announced, order_of, read, seed_dropout
from codeii.networks.inference import answers
from codeii.schema.progress import progress
from codeii.training import adamw, resume
from codeii.training.examples import Examples
from codeii.training.resume import Position
from codeii.training.schedule import EpochRow, Plan, best_epoch, is_over, learning_rate_of
from codeii.training.signals import noticed
from codeii.training.validation import macro_auroc, mean_loss

SAVE_EVERY_S = 20.0
VALIDATION_BATCH = 256


@dataclass(frozen=True, slots=True)
class Keeper:
    """Where a run's state is kept, and the hash of what the run is made of."""

    folder: Path
    fingerprint: str
    every_s: float = SAVE_EVERY_S


def fit(
    network: nn.Module, training: Examples, validation: Examples, plan: Plan, device: torch.device, keeper: Keeper
) -> Position:
    """Train `network` in place and return its history with the best weights.

    Continues from the keeper's state where there is one; the weights are the same bits as without the interruption.
    Raises ValueError when loss or gradient stop being finite, SystemExit (128 + signal) after SIGINT or SIGTERM.
    """
    network.to(device).train()
    moments = adamw.no_moments(network)
    position = resume.load(keeper.folder, keeper.fingerprint, network, moments)
    saved = time.monotonic()
    with noticed() as received:
        for picks in progress(_batches(plan, position, training.inputs), plan.steps - position.step, "training"):
            _advance(network, moments, training, plan, position, picks)
            if position.step % plan.steps_per_epoch == 0:
                _close_epoch(network, validation, plan, position)
            if received or time.monotonic() - saved > keeper.every_s:
                resume.save(keeper.folder, keeper.fingerprint, position, network, moments)
                saved = time.monotonic()
            if received:
                raise SystemExit(128 + received[0])
    return position


def loss_and_gradients(network: nn.Module, inputs: Tensor, targets_BK: Tensor) -> float:
    """Mean binary cross-entropy of a batch; its gradients replace those of the parameters.

    Raises FloatingPointError when the loss or a gradient is not finite.
    """
    network.zero_grad()
    loss = functional.binary_cross_entropy_with_logits(network(inputs), targets_BK)
    loss.backward()  # type: ignore[no-untyped-call]
    value, norm = loss.item(), adamw.gradient_norm(network)
    if not (math.isfinite(value) and math.isfinite(norm)):
        raise FloatingPointError(f"loss {value}, gradient norm {norm}")
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
    network: nn.Module,
    moments: dict[str, Tensor],
    training: Examples,
    plan: Plan,
    position: Position,
    picks: np.ndarray,
) -> None:
    """One step: the weights change, and the position with them."""
    device = next(network.parameters()).device
    targets_BK = torch.from_numpy(training.targets[picks]).to(device)
    seed_dropout(plan.seed, position.step)
    try:
        position.loss_sum += loss_and_gradients(network, read(training.inputs, picks, device), targets_BK)
    except FloatingPointError as error:
        epoch = position.step // plan.steps_per_epoch + 1
        named = ", ".join(training.record_ids[pick] for pick in picks)
        raise ValueError(f"epoch {epoch}, step {position.step + 1}: {error}; records of the batch: {named}") from error
    learning_rate = _learning_rate(plan, position, position.step)
    position.step += 1
    adamw.update(network, moments, position.step, learning_rate, plan.recipe.weight_decay)


def _close_epoch(network: nn.Module, validation: Examples, plan: Plan, position: Position) -> None:
    """Validate, add a row to the history, and keep the weights if they are the best so far."""
    device = next(network.parameters()).device
    logits = answers(network, network, validation.inputs, VALIDATION_BATCH, device)
    loss, auroc = mean_loss(logits, validation.targets), macro_auroc(logits, validation.targets)
    epoch = position.step // plan.steps_per_epoch
    if not math.isfinite(loss):
        raise ValueError(f"epoch {epoch}: the validation loss is {loss}; the run diverged and nothing of it is kept")
    if auroc is None and plan.recipe.select_by == "auroc":
        raise ValueError("select_by is 'auroc', but no class has positives and negatives in validation; use 'loss'")
    rate = _learning_rate(plan, position, position.step - 1)
    train_loss = position.loss_sum / plan.steps_per_epoch
    position.history.append(EpochRow(epoch, position.step, rate, train_loss, loss, auroc))
    position.loss_sum = 0.0
    if best_epoch(position.history, plan.recipe.select_by) == len(position.history) - 1:
        position.best = {name: value.detach().cpu().clone() for name, value in network.state_dict().items()}


def _learning_rate(plan: Plan, position: Position, step: int) -> float:
    return learning_rate_of(plan, step, [row.validation_loss for row in position.history])
