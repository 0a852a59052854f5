"""Asks the trained networks of an experiment about the validation and test records of its task."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd

from codeii.artifacts.checkpoint import PUBLISHED, Checkpoint, read_checkpoint
from codeii.artifacts.predictions import write_prediction_set, write_predictions
from codeii.artifacts.targets import Targets, read_targets
from codeii.artifacts.tensor_store import TensorStore, read_tensor_store
from codeii.prediction.aggregate import exam_means
from codeii.prediction.ask import Asking, record_logits
from codeii.schema.amounts import AMOUNT, amount_word
from codeii.schema.progress import progress

if TYPE_CHECKING:
    import torch

SPLITS = ("validation", "test")
RUN = ("experiment", "model", "start", *AMOUNT, "seed")  # what a run is called, in its checkpoint and here


def predict(
    checkpoints: Sequence[Path], tensors: Path, targets: Path, settings: Mapping[str, Any], code: str, folder: Path
) -> None:
    """Write float32 logits of the validation and test splits for every run, and the manifest of the set.

    checkpoints, tensors, targets : manifests; settings : fields of `Asking`
    Raises ValueError when classes or inputs of a checkpoint, tensors and targets differ.
    """
    from codeii.networks.device import prepare

    how = Asking.model_validate(dict(settings))
    store, truth = read_tensor_store(tensors), read_targets(targets)
    device = prepare(how.threads)
    synthetic = store.manifest.synthetic or truth.manifest.synthetic
    below = []
    for path in progress(checkpoints, len(checkpoints), "predict"):
        trained = read_checkpoint(path)
        synthetic |= trained.manifest.synthetic
        run = {name: trained.manifest.settings[name] for name in RUN}
        below.append(f"{run['start']}-{amount_word(run['fraction'], run['per_class'])}/seed{run['seed']}")
        by_record, by_exam = logits_of(trained, store, truth, how, device)
        write_predictions(
            folder / below[-1],
            by_record,
            by_exam,
            settings={"run": run, **how.model_dump()},
            code=code,
            inputs=[path, tensors, targets],
            facts={
                "task": trained.manifest.settings.get("task", ""),
                "trained_on": trained.card.trained_on,
                PUBLISHED: trained.manifest.facts.get(PUBLISHED),
            },
            synthetic=synthetic,
        )
    inputs = [*checkpoints, tensors, targets]
    write_prediction_set(folder, below, settings=settings, code=code, inputs=inputs, synthetic=synthetic)


def logits_of(
    trained: Checkpoint, store: TensorStore, truth: Targets, how: Asking, device: "torch.device"
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Logits of one network by record (mean over its sections) and by exam (mean over its tracings)."""
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
