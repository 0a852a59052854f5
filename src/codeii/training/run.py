"""Trains one network: from tensors, targets and perhaps a checkpoint to a checkpoint with its history."""

import math
import os
import time
from collections.abc import Mapping
from contextlib import nullcontext
from dataclasses import asdict, astuple, fields
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from codeii.artifacts import events
from codeii.artifacts.checkpoint import (
    PUBLISHED,
    Checkpoint,
    CheckpointCard,
    probe_input,
    read_checkpoint,
    write_checkpoint,
)
from codeii.artifacts.manifest import environment, sha256_of
from codeii.artifacts.targets import read_targets
from codeii.artifacts.tensor_store import TensorStore, read_tensor_store
from codeii.networks.arithmetic import Arithmetic, features_with
from codeii.networks.batches import Inputs
from codeii.networks.device import prepare
from codeii.networks.inference import answers, settle
from codeii.networks.ranks import Ranks, ranks_of, together
from codeii.networks.standardise import Standard
from codeii.schema.leads import LEAD_SETS
from codeii.training import resume
from codeii.training.augment import changes_of
from codeii.training.examples import Examples, drawn_from, examples_of
from codeii.training.initialise import HEAD, initialise, standard_for
from codeii.training.layers import layers_of
from codeii.training.loop import VALIDATION_BATCH, Keeper, fit
from codeii.training.objective import balanced_weights
from codeii.training.schedule import EpochRow, best_epoch, plan_of
from codeii.training.settings import TrainSettings
from codeii.training.watch import faults_told

SMALLEST_SPREAD = 1e-6  # standard deviation below which a feature counts as constant


def train(
    tensors: Path,
    targets: Path,
    init: Path | None,
    settings: Mapping[str, Any],
    code: str,
    folder: Path,
    scratch: Path,
    max_minutes: float | None = None,
) -> None:
    """Train one network and write its checkpoint to `folder`.

    tensors, targets, init : manifests; init is the checkpoint to start from, None for random weights
    settings : fields of `TrainSettings`
    scratch : folder of the unfinished run's state; a killed run continues there and ends with the same bits
    max_minutes : after which the run saves its state and ends with SystemExit(75); None: never

    Where torchrun started several processes, each calls this with the same arguments; the first one writes.

    Raises ValueError when inputs do not fit together or the run diverges; nothing is written then.
    """
    until = time.monotonic() + 60 * max_minutes if max_minutes is not None else math.inf
    wanted = TrainSettings.model_validate(dict(settings))
    ranks = ranks_of(os.environ)
    device = ranks.device(prepare(wanted.recipe.threads))
    inputs = {"tensors": tensors, "targets": targets, **({"init": init} if init else {})}
    made_of = _makings(wanted, code, inputs, device, ranks)
    keeper = Keeper(scratch, made_of, until, ranks)
    with faults_told(scratch) if ranks.first else nullcontext():
        store, truth = read_tensor_store(tensors), read_targets(targets)
        checkpoint = read_checkpoint(init) if init else None
        network = initialise(wanted, store, len(truth.classes), checkpoint).to(device)
        amount = (wanted.fraction, wanted.per_class)
        rows, short = drawn_from(truth.of("train"), truth.classes, amount, wanted.seed)
        splits = {"train": rows, "validation": truth.of("validation")}
        as_stored = {split: examples_of(store, truth, of_split) for split, of_split in splits.items()}
        standard = standard_for(wanted, as_stored["train"].inputs, checkpoint)
        examples = {split: part.standardised(standard) for split, part in as_stored.items()}
        with together(ranks, device):
            history, weights = _trained(wanted, network, examples, store, device, keeper)
        if not ranks.first:
            return
        best = best_epoch(history, wanted.recipe.select_by)
        write_checkpoint(
            folder,
            _card(wanted, truth.classes, store, standard, checkpoint, network, weights, best),
            {name: value.numpy() for name, value in weights.items()},
            history_csv(history),
            settings=settings,
            code=code,
            inputs=inputs.values(),
            facts={**_facts(wanted, truth.classes, examples, history, best, short), "processes": ranks.count}
            | published_origin(checkpoint),
            synthetic=store.manifest.synthetic or truth.manifest.synthetic or _is_synthetic(checkpoint),
        )
    resume.clear(scratch, made_of)
    events.append(scratch, "end")


def _makings(
    wanted: TrainSettings, code: str, inputs: Mapping[str, Path], device: torch.device, ranks: Ranks
) -> dict[str, Any]:
    """What a run is made of: its state belongs to these and to no others."""
    return {
        "settings": wanted.model_dump(mode="json"),
        "code": code,
        "environment": environment(),
        "device": device.type,
        "processes": ranks.count,
        "inputs": {name: sha256_of(path) for name, path in inputs.items()},
    }


def history_csv(history: list[EpochRow]) -> str:
    """History as CSV with the shortest exact decimals; an AUROC that does not exist is an empty cell."""
    lines = [",".join(column.name for column in fields(EpochRow))]
    lines += [",".join("" if value is None else repr(value) for value in astuple(row)) for row in history]
    return "\n".join(lines) + "\n"


def _trained(
    wanted: TrainSettings,
    network: nn.Module,
    examples: Mapping[str, Examples],
    store: TensorStore,
    device: torch.device,
    keeper: Keeper,
) -> tuple[list[EpochRow], dict[str, Tensor]]:
    """History and best weights of the whole network. Stages that stay random get statistics of the training records."""
    recipe, training, validation = wanted.recipe, examples["train"], examples["validation"]
    if wanted.init == "random" and wanted.mode != "full":  # on every rank: statistics divided would be others
        settle(network, training.inputs, VALIDATION_BATCH, device)
    if wanted.mode == "linear_probe":
        return _probed(wanted, network, examples, device, keeper)
    preprocessing = wanted.preprocessing
    unit, deviation = store.manifest.facts["unit"], training.inputs.standard.deviation
    changes = changes_of(recipe.augmentation, preprocessing.rate_hz, preprocessing.samples, unit, deviation)
    plan = plan_of(len(training.inputs), wanted.seed, wanted.learning_rate, recipe, changes)
    layers = layers_of(network, wanted.trained_stages if wanted.mode == "partial" else None, recipe.layer_decay)
    position = fit(network, training, validation, plan, device, keeper, layers)
    return position.history, position.best


def _probed(
    wanted: TrainSettings, network: nn.Module, examples: Mapping[str, Examples], device: torch.device, keeper: Keeper
) -> tuple[list[EpochRow], dict[str, Tensor]]:
    """A linear probe trains the head on features computed once.

    They are standardised by the training records, so that one learning rate suits every encoder.
    """
    plan = plan_of(len(examples["train"].inputs), wanted.seed, wanted.learning_rate, wanted.recipe)
    frozen = {name: value.detach().cpu().clone() for name, value in network.state_dict().items()}
    ask = features_with(Arithmetic(wanted.recipe.precision, wanted.recipe.compile), network, device)
    features = {
        split: answers(network, ask, part.inputs, VALIDATION_BATCH, device, keeper.ranks)
        for split, part in examples.items()
    }
    center, spread = features["train"].mean(axis=0), features["train"].std(axis=0)
    spread[spread < SMALLEST_SPREAD] = 1.0  # a feature that never changes
    of_split = {split: _with(part, (features[split] - center) / spread) for split, part in examples.items()}
    position = fit(network.get_submodule("head"), of_split["train"], of_split["validation"], plan, device, keeper)
    head = _on_plain_features(position.best, center, spread)
    return position.history, {**frozen, **{HEAD + name: value for name, value in head.items()}}


def _with(examples: Examples, features_BC: np.ndarray) -> Examples:
    """The same examples with features in place of the signals."""
    inputs = Inputs(features_BC, np.arange(len(features_BC)), 1.0, examples.inputs.record)
    return Examples(inputs, examples.targets, examples.record_ids, examples.patients)


def _on_plain_features(head: Mapping[str, Tensor], center: np.ndarray, spread: np.ndarray) -> dict[str, Tensor]:
    """A linear head trained on standardised features, rewritten for the features as the network gives them."""
    weight = head["weight"].double() / torch.from_numpy(spread).double()
    bias = head["bias"].double() - weight @ torch.from_numpy(center).double()
    return {"weight": weight.float(), "bias": bias.float()}


def _card(
    wanted: TrainSettings,
    classes: tuple[str, ...],
    store: TensorStore,
    standard: Standard,
    checkpoint: Checkpoint | None,
    network: nn.Module,
    weights: dict[str, Tensor],
    best: int,
) -> CheckpointCard:
    preprocessing = wanted.preprocessing
    leads = list(LEAD_SETS[preprocessing.leads])
    network.cpu().eval().load_state_dict(weights, strict=True)
    with torch.inference_mode():
        probe_logits = network(torch.from_numpy(probe_input(len(leads), preprocessing.samples))).tolist()
    return CheckpointCard(
        model=wanted.model,
        model_settings=wanted.model_settings,
        classes=list(classes),
        leads=leads,
        rate_hz=preprocessing.rate_hz,
        samples=preprocessing.samples,
        unit=store.manifest.facts["unit"],
        input_mean=standard.mean,
        input_deviation=standard.deviation,
        preprocessing=preprocessing.model_dump(),
        parameters=sum(parameter.numel() for parameter in network.parameters()),
        trained_on=list(dict.fromkeys([*(checkpoint.card.trained_on if checkpoint else []), wanted.task])),
        best_epoch=best + 1,
        probe_logits=probe_logits,
    )


def _facts(
    wanted: TrainSettings,
    classes: tuple[str, ...],
    examples: Mapping[str, Examples],
    history: list[EpochRow],
    best: int,
    short: Mapping[str, int],
) -> dict[str, Any]:
    facts: dict[str, Any] = {
        "records": {split: part.records for split, part in examples.items()},
        "patients": {split: part.patients for split, part in examples.items()},
        "epochs": len(history),
        "steps": history[-1].steps,
        "best": asdict(history[best]),
    }
    if wanted.per_class:
        facts["fell_short"] = dict(short)  # class -> its records, where there are fewer than per_class
    if wanted.recipe.loss.positive_weights == "balanced":
        weights = balanced_weights(examples["train"].targets, wanted.recipe.loss.largest_positive_weight)
        facts["positive_weights"] = dict(zip(classes, weights.tolist(), strict=True))
    return facts


def published_origin(checkpoint: Checkpoint | None) -> dict[str, Any]:
    """What a run's manifest says of the weights published by others that it started from; nothing for other starts."""
    facts = checkpoint.manifest.facts if checkpoint else {}
    return {PUBLISHED: facts[PUBLISHED]} if PUBLISHED in facts else {}


def _is_synthetic(checkpoint: Checkpoint | None) -> bool:
    return checkpoint is not None and checkpoint.manifest.synthetic
