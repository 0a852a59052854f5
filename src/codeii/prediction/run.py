"""Asks a trained network about the validation and test records of its task."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pandas as pd
from pydantic import BaseModel, ConfigDict, Field

from codeii.artifacts.checkpoint import Checkpoint, read_checkpoint
from codeii.artifacts.predictions import write_predictions
from codeii.artifacts.targets import Targets, read_targets
from codeii.artifacts.tensor_store import read_tensor_store
from codeii.prediction.aggregate import exam_means

SPLITS = ("validation", "test")


class PredictSettings(BaseModel):
    """What the command line says about one run's predictions."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    run: dict[str, Any] = Field(default_factory=dict, description="experiment, model, start, fraction, seed")
    threads: int = Field(1, gt=0)
    batch_size: int = Field(256, gt=0)


def predict(
    checkpoint: Path, tensors: Path, targets: Path, settings: Mapping[str, Any], code: str, folder: Path
) -> None:
    """Write float32 logits of the validation and test splits, by record and by exam (mean over its tracings).

    checkpoint, tensors, targets : manifests; settings : fields of `PredictSettings`
    Raises ValueError when classes or inputs of checkpoint, tensors and targets differ.
    """
    from codeii.models import rebuild
    from codeii.networks.batches import inputs_of
    from codeii.networks.device import prepare
    from codeii.networks.inference import answers
    from codeii.networks.match import check_card

    wanted = PredictSettings.model_validate(dict(settings))
    trained, store, truth = read_checkpoint(checkpoint), read_tensor_store(tensors), read_targets(targets)
    check_card(trained.card, store)
    check_classes(trained, truth)
    device = prepare(wanted.threads)
    network = rebuild(trained).to(device)
    rows = truth.table[truth.table["split"].isin(SPLITS)].reset_index(drop=True)
    logits = answers(network, network, inputs_of(store, rows["record_id"].tolist()), wanted.batch_size, device)
    by_record = pd.DataFrame(logits, columns=trained.card.classes)
    exam_ids, exam_logits = exam_means(rows["exam_id"], logits)
    by_exam = pd.DataFrame(exam_logits, columns=trained.card.classes)
    by_exam.insert(0, "exam_id", exam_ids)
    by_exam.insert(1, "split", rows.drop_duplicates("exam_id")["split"].tolist())
    write_predictions(
        folder,
        pd.concat([rows[["record_id", "exam_id", "split"]], by_record], axis=1),
        by_exam,
        settings=settings,
        code=code,
        inputs=[checkpoint, tensors, targets],
        facts={"task": trained.manifest.settings.get("task", ""), "trained_on": trained.card.trained_on},
        synthetic=any(made.manifest.synthetic for made in (trained, store, truth)),
    )


def check_classes(checkpoint: Checkpoint, targets: Targets) -> None:
    """Raise ValueError when the network's outputs are not the task's classes in the task's order."""
    if list(targets.classes) != checkpoint.card.classes:
        raise ValueError(f"checkpoint answers for {checkpoint.card.classes}, the targets are {list(targets.classes)}")
