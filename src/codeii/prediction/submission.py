"""Writes the predictions file for a test set whose labels are withheld (CODE-II-test)."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from codeii.artifacts.checkpoint import PUBLISHED, Checkpoint, read_checkpoint
from codeii.artifacts.submission import write_submission
from codeii.artifacts.tensor_store import TensorStore, read_tensor_store
from codeii.prediction.aggregate import ensemble_logits, exam_means, probabilities
from codeii.prediction.ask import Asking, record_logits


class SubmitSettings(Asking):
    """What the command line says about one submission."""

    source: str
    experiment: str
    model: str


def submit(checkpoints: Sequence[Path], tensors: Path, settings: Mapping[str, Any], code: str, folder: Path) -> None:
    """Write `predictions.csv` (exam_id, then one float32 probability per class) and its card `submission.json`.

    A probability is the mean over the checkpoints of the sigmoid of the exam's logit, which is the mean over its
    tracings and their sections.
    Raises ValueError when there is no checkpoint or they differ in classes or inputs.
    """
    wanted = SubmitSettings.model_validate(dict(settings))
    trained = [read_checkpoint(path) for path in checkpoints]
    classes = common_classes(trained)
    store = read_tensor_store(tensors)
    exam_ids, mean = _ensemble(trained, store, wanted)
    write_submission(
        folder,
        exam_ids,
        mean,
        classes,
        weights_sha256=[made.manifest.files["weights.safetensors"].sha256 for made in trained],
        settings=settings,
        code=code,
        inputs=[*checkpoints, tensors],
        facts={
            "records": int(store.index["record_id"].nunique()),
            PUBLISHED: trained[0].manifest.facts.get(PUBLISHED),
        },
        synthetic=store.manifest.synthetic or any(made.manifest.synthetic for made in trained),
    )


def common_classes(checkpoints: Sequence[Checkpoint]) -> tuple[str, ...]:
    """The classes all checkpoints answer for, in their order. Raises ValueError when they differ or there is none."""
    found = {tuple(made.card.classes) for made in checkpoints}
    if len(found) != 1:
        raise ValueError(f"{len(checkpoints)} checkpoints with {len(found)} different lists of classes; one is needed")
    return found.pop()


def _ensemble(
    checkpoints: Sequence[Checkpoint], store: TensorStore, wanted: SubmitSettings
) -> tuple[list[str], np.ndarray]:
    """Exams in order of appearance, and (exam, class) float32 probabilities, mean over the checkpoints."""
    from codeii.networks.batches import inputs_of
    from codeii.networks.device import prepare
    from codeii.networks.match import check_card

    device = prepare(wanted.threads)
    index = store.index.drop_duplicates("record_id")
    inputs = inputs_of(store, index["record_id"].tolist())
    each = []
    for made in checkpoints:
        check_card(made.card, store)
        exam_ids, exam_logits = exam_means(index["exam_id"], record_logits(made, inputs, wanted, device))
        each.append(exam_logits)
    return exam_ids, probabilities(ensemble_logits(each)).astype(np.float32)
