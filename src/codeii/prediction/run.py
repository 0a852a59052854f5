"""Asks the trained networks of an experiment about the validation and test records of its task."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from codeii.artifacts.checkpoint import PUBLISHED, Checkpoint, read_checkpoint
from codeii.artifacts.predictions import (
    ENSEMBLE,
    EXAM_COLUMNS,
    RECORD_COLUMNS,
    write_prediction_set,
    write_predictions,
)
from codeii.artifacts.targets import Targets, read_targets
from codeii.artifacts.tensor_store import TensorStore, read_tensor_store
from codeii.prediction.aggregate import ensemble_logits, exam_means
from codeii.prediction.ask import Asking, record_logits
from codeii.schema.amounts import AMOUNT, amount_word
from codeii.schema.progress import progress

if TYPE_CHECKING:
    import torch

SPLITS = ("validation", "test")
RUN = ("experiment", "model", "start", *AMOUNT, "seed")  # what a run is called, in its checkpoint and here


@dataclass(frozen=True, slots=True)
class Told:
    """What one run, or an ensemble of runs, tells of a task, and what stands in its manifest."""

    run: dict[str, Any]
    by_record: pd.DataFrame
    by_exam: pd.DataFrame
    inputs: list[Path]
    facts: dict[str, Any]
    synthetic: bool

    @property
    def arm(self) -> str:
        """Start and amount of training data as one word of a path."""
        return f"{self.run['start']}-{amount_word(self.run['fraction'], self.run['per_class'])}"

    @property
    def below(self) -> str:
        """Its folder in that of the set."""
        seed = self.run["seed"]
        return f"{self.arm}/{seed if seed == ENSEMBLE else f'seed{seed}'}"


def predict(
    checkpoints: Sequence[Path], tensors: Path, targets: Path, settings: Mapping[str, Any], code: str, folder: Path
) -> None:
    """Write float32 logits of the validation and test splits for every run, and the manifest of the set.

    Runs that differ in nothing but the seed are also written as one, the ensemble of their mean probability.

    checkpoints, tensors, targets : manifests; settings : fields of `Asking`
    Raises ValueError when classes or inputs of a checkpoint, tensors and targets differ.
    """
    from codeii.networks.device import prepare

    how = Asking.model_validate(dict(settings))
    store, truth = read_tensor_store(tensors), read_targets(targets)
    device = prepare(how.threads)
    arms: dict[str, list[Told]] = {}
    below = []
    for path in progress(checkpoints, len(checkpoints), "predict"):
        trained = read_checkpoint(path)
        told = Told(
            {name: trained.manifest.settings[name] for name in RUN},
            *logits_of(trained, store, truth, how, device),
            inputs=[path, tensors, targets],
            facts={
                "task": trained.manifest.settings.get("task", ""),
                "trained_on": trained.card.trained_on,
                PUBLISHED: trained.manifest.facts.get(PUBLISHED),
            },
            synthetic=any(made.synthetic for made in (store.manifest, truth.manifest, trained.manifest)),
        )
        _write(folder, told, how, code)
        arms.setdefault(told.arm, []).append(told)
        below.append(told.below)
    ensembles = [ensemble_of(seeds) for seeds in arms.values() if len(seeds) > 1]
    for ensemble in ensembles:
        _write(folder, ensemble, how, code)
    write_prediction_set(
        folder,
        below,
        settings=settings,
        code=code,
        inputs=[*checkpoints, tensors, targets],
        synthetic=any(told.synthetic for seeds in arms.values() for told in seeds),
        ensembles=[ensemble.below for ensemble in ensembles],
    )


def ensemble_of(seeds: Sequence[Told]) -> Told:
    """Runs that differ in nothing but the seed as one: by record and by exam the logit of their mean probability."""
    return Told(
        run=seeds[0].run | {"seed": ENSEMBLE},
        by_record=_together([seed.by_record for seed in seeds], len(RECORD_COLUMNS)),
        by_exam=_together([seed.by_exam for seed in seeds], len(EXAM_COLUMNS)),
        inputs=list(dict.fromkeys(path for seed in seeds for path in seed.inputs)),
        facts=seeds[0].facts | {"seeds": [seed.run["seed"] for seed in seeds]},
        synthetic=any(seed.synthetic for seed in seeds),
    )


def _write(folder: Path, told: Told, how: Asking, code: str) -> None:
    write_predictions(
        folder / told.below,
        told.by_record,
        told.by_exam,
        settings={"run": told.run, **how.model_dump()},
        code=code,
        inputs=told.inputs,
        facts=told.facts,
        synthetic=told.synthetic,
    )


def _together(tables: Sequence[pd.DataFrame], ids: int) -> pd.DataFrame:
    """One table of several with the same rows; the first `ids` columns are no logits."""
    first = tables[0]
    logits = ensemble_logits([table.iloc[:, ids:].to_numpy() for table in tables]).astype(np.float32)
    return pd.concat([first.iloc[:, :ids], pd.DataFrame(logits, columns=first.columns[ids:])], axis=1)


def logits_of(
    trained: Checkpoint, store: TensorStore, truth: Targets, how: Asking, device: "torch.device"
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Logits of one network by record (its sections brought together) and by exam (mean over its tracings)."""
    from codeii.networks.batches import inputs_of
    from codeii.networks.match import check_card

    check_card(trained.card, store)
    check_classes(trained, truth)
    rows = truth.table[truth.table["split"].isin(SPLITS)].reset_index(drop=True)
    inputs = inputs_of(store, rows["record_id"].tolist())
    logits = record_logits(trained, inputs, how, device)
    by_record = pd.DataFrame(logits, columns=trained.card.classes)
    exam_ids, exam_logits = exam_means(rows["exam_id"], logits)
    by_exam = pd.DataFrame(exam_logits, columns=trained.card.classes)
    by_exam.insert(0, "exam_id", exam_ids)
    by_exam.insert(1, "split", rows.drop_duplicates("exam_id")["split"].tolist())
    return pd.concat([rows[["record_id", "exam_id", "split"]], by_record], axis=1), by_exam


def check_classes(checkpoint: Checkpoint, targets: Targets) -> None:
    """Raise ValueError when the network's outputs are not the task's classes in the task's order."""
    if list(targets.classes) != checkpoint.card.classes:
        raise ValueError(f"checkpoint answers for {checkpoint.card.classes}, the targets are {list(targets.classes)}")
