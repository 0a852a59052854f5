"""The training loop: one step is one batch, one epoch ends with a validation.

Several ranks divide each batch and each validation among them and keep the same weights; the first writes and speaks.
"""

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
from codeii.networks.batches import Inputs, order_of, seed_dropout
from codeii.networks.inference import answers
from codeii.networks.prefetch import prefetched
from codeii.networks.ranks import ALONE, Ranks
from codeii.networks.shared_norm import share_norms
from codeii.schema.progress import progress
from codeii.training import resume
from codeii.training.augment import at_hand, augmented
from codeii.training.average import wearing
from codeii.training.examples import Examples
from codeii.training.gradients import loss_and_gradients
from codeii.training.layers import Layers, to_train
from codeii.training.learner import Learner, learner_of
from codeii.training.resume import Parts, Position
from codeii.training.schedule import EpochRow, Plan, best_epoch, is_over, learning_rate_of
from codeii.training.share import Share, share_of
from codeii.training.signals import noticed
from codeii.training.validation import macro_auroc, mean_loss, of_records
from codeii.training.watch import Watch, words

SAVE_EVERY_S = 20.0
VALIDATION_BATCH = 256
OUT_OF_TIME = 75  # EX_TEMPFAIL of sysexits.h: try again


@dataclass(frozen=True, slots=True)
class Keeper:
    """Where a run's state is kept, what the run is made of, how long it may take, and who runs it."""

    scratch: Path
    made_of: Mapping[str, Any]
    until: float = math.inf  # of time.monotonic
    ranks: Ranks = ALONE
    every_s: float = SAVE_EVERY_S

    def load(self) -> tuple[Position, Parts]:
        """Where the run goes on. All ranks read the state, once the first has removed what is torn.

        Raises ValueError where they do not find the same, or are not made of the same.
        """
        ranks, makings = self.ranks, int(resume.folder_of(self.scratch, self.made_of).name[:12], 16)
        found = resume.load(self.scratch, self.made_of) if ranks.first else None
        ranks.meet()
        position, parts = found or resume.load_again(self.scratch, self.made_of)
        steps, makers = ranks.each(position.step, makings).T
        if len(set(makers)) > 1:
            raise ValueError("the processes of this training differ in settings, inputs, code or environment")
        if len(set(steps)) > 1:
            told = f"the processes find states of different steps in {self.scratch}: {[int(step) for step in steps]}"
            raise ValueError(f"{told}; the folder must be the same on every machine")
        return position, parts

    def save(self, position: Position, parts: Parts) -> None:
        """Write the state of the run, if this process is the one that writes."""
        if self.ranks.first:
            resume.save(self.scratch, self.made_of, position, parts)

    def tell(self, event: str, **facts: object) -> None:
        """Add to the run's events, if this process is the one that writes."""
        if self.ranks.first:
            events.append(self.scratch, event, **facts)


@dataclass(frozen=True, slots=True)
class Batch:
    """What one step learns from, and this rank's share of it."""

    picks: np.ndarray  # inputs of the step, by number; of all ranks
    share: Share
    mine: np.ndarray  # those of them that this rank holds
    signals: Tensor  # theirs

    def __len__(self) -> int:
        """Number of inputs of the step."""
        return len(self.picks)


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
    ranks = keeper.ranks
    share_norms(network, ranks)
    learner = learner_of(network, layers or Layers(), plan, training.targets, device)
    position, parts = keeper.load()
    learner.restore(parts)
    settings = keeper.made_of.get("settings")
    state = resume.folder_of(keeper.scratch, keeper.made_of).name
    whose = {**events.this_process(), "processes": ranks.count, "state": state}
    keeper.tell("start", **whose, settings=settings, resumed_from_step=position.step)
    watch, saved = Watch(), time.monotonic()
    left = plan.records_before(plan.steps) - plan.records_before(position.step)
    with noticed() as received:
        batches = _batches(plan, position, training.inputs, device, ranks, watch)
        shown = progress(batches, left, lambda: words(plan, position), len) if ranks.first else batches
        for batch in shown:
            _advance(learner, training, plan, position, batch, ranks)
            if position.step % plan.steps_per_epoch == 0:
                _close_epoch(learner, validation, plan, position, ranks)
                _tell_epoch(keeper, position.history[-1], watch)
            late = time.monotonic() >= keeper.until and not is_over(plan, position.step, position.history)
            signaled, late = _agreed(received, late, ranks)
            if signaled or late or time.monotonic() - saved > keeper.every_s:
                keeper.save(position, learner.parts())
                saved = time.monotonic()
            if signaled or late:
                _stop(keeper, plan, position, signaled)
    return position


def _batches(
    plan: Plan, position: Position, inputs: Inputs, device: torch.device, ranks: Ranks, watch: Watch
) -> Iterator[Batch]:
    """What each step learns from, from `position` until the run is over; `position` moves under it.

    Picks are the same on all ranks; each reads its own share, ahead of time.
    """
    while not is_over(plan, position.step, position.history):
        number, slot = divmod(position.step, len(plan.batches))
        order = order_of(plan.seed, number, len(inputs))
        picked = [order[batch] for batch in plan.batches[slot:]]
        shares = [share_of(len(picks), plan.recipe.accumulate, ranks) for picks in picked]
        steps = range(position.step, position.step + len(picked))
        places = [at_hand(plan.changes, plan.seed, step, share) for step, share in zip(steps, shares, strict=True)]
        coming = prefetched(inputs, [picks[mine] for picks, mine in zip(picked, places, strict=True)], device)
        for picks, share in zip(picked, shares, strict=True):
            if is_over(plan, position.step, position.history):
                return
            with watch.waiting(len(picks)):
                mine, signals = next(coming)
            yield Batch(picks, share, mine, signals)


def _advance(learner: Learner, training: Examples, plan: Plan, position: Position, batch: Batch, ranks: Ranks) -> None:
    """One step: augment, loss and gradients, update; the weights change, and the position with them.

    The update is the same on all ranks, as the gradients are.
    """
    device, share, mine = batch.signals.device, batch.share, batch.mine
    targets_BK = torch.from_numpy(training.targets[mine]).to(device)
    inputs, targets_BK = augmented(plan.changes, plan.seed, position.step, batch.signals, targets_BK, share)
    seed_dropout(plan.seed, position.step, ranks.rank)
    try:
        position.loss_sum += loss_and_gradients(
            learner.network, inputs, targets_BK, learner.objective, share, ranks, learner.ask
        )
    except FloatingPointError as error:
        epoch = position.step // plan.steps_per_epoch + 1
        named = ", ".join(training.record_ids[pick] for pick in batch.picks)
        raise ValueError(f"epoch {epoch}, step {position.step + 1}: {error}; records of the batch: {named}") from error
    except torch.OutOfMemoryError as error:
        found = f"{len(share.places)} records in {plan.recipe.accumulate} parts do not fit into the memory of {device}"
        advice = "raise `accumulate` of the recipe; but for batch norms, which see the parts, the step stays as it is"
        raise ValueError(f"{found}; {advice}") from error
    learner.step(plan, position.step, [row.validation_loss for row in position.history])
    position.step += 1


def _close_epoch(learner: Learner, validation: Examples, plan: Plan, position: Position, ranks: Ranks) -> None:
    """Validate, add a row to the history, and keep the weights if they are the best so far."""
    network, epoch = learner.network, position.step // plan.steps_per_epoch
    with wearing(network, learner.average):
        loss, auroc = _validated(learner, validation, ranks)
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


def _validated(learner: Learner, validation: Examples, ranks: Ranks) -> tuple[float, float | None]:
    """Loss and macro AUROC over the validation records."""
    device = next(learner.network.parameters()).device
    logits = answers(learner.network, learner.ask, validation.inputs, VALIDATION_BATCH, device, ranks)
    of_record, targets = of_records(validation.inputs, logits, validation.targets)
    auroc = macro_auroc(of_record, targets)
    # The first rank's numbers for all: other processors may give other last bits, and rate and end hang on them.
    said = ranks.each(mean_loss(of_record, targets), math.nan if auroc is None else auroc)[0].tolist()
    return said[0], None if math.isnan(said[1]) else said[1]


def _agreed(received: list[int], late: bool, ranks: Ranks) -> tuple[int, bool]:
    """Signal (0: none) and time limit, if one rank has it: all of them stop after the same step."""
    signaled = received[0] if received else int(signal.SIGHUP) if ranks.orphaned else 0
    said = ranks.each(signaled, late).max(axis=0)
    return int(said[0]), bool(said[1])


def _tell_epoch(keeper: Keeper, row: EpochRow, watch: Watch) -> None:
    told = asdict(row)
    keeper.tell("epoch", step=told.pop("steps"), **told, **watch.lap())


def _stop(keeper: Keeper, plan: Plan, position: Position, signaled: int) -> NoReturn:
    """End the process, its state being saved: with the code of the signal, or with that of a time limit."""
    reason = signal.Signals(signaled).name if signaled else "time limit"
    keeper.tell("stopped", reason=reason)
    if keeper.ranks.first:
        told = f"training stopped ({reason}) at step {position.step} of {plan.steps}; its state is in {keeper.scratch}"
        print(f"{told}; run the same again to go on", file=sys.stderr, flush=True)
    keeper.ranks.meet()  # torchrun ends all processes as soon as one has ended: not before the state is written
    raise SystemExit(128 + signaled if signaled else OUT_OF_TIME)
