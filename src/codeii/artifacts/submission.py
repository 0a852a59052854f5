"""Door of a submission: a plain predictions file for a blind test, and a card that says what it is.

The card holds the hash of the predictions, of the class order and of the weights; the hash of the card is what a
paper quotes.
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pandas as pd
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from codeii.artifacts.atomic import whole_file, write_json
from codeii.artifacts.manifest import IntegrityError, sha256_of, write_manifest
from codeii.schema.labels import classes_hash

PREDICTIONS, CARD = "predictions.csv", "submission.json"
EXAM_ID = "exam_id"
SHA256 = r"^[0-9a-f]{64}$"


class SubmissionCard(BaseModel):
    """What a predictions file says of itself."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    format: Literal["codeii blind test 1"] = "codeii blind test 1"
    source: str  # the test set, as params.yaml names it
    experiment: str
    model: str
    classes: list[str] = Field(min_length=1)
    classes_hash: str  # of the class names in their order
    exams: int = Field(gt=0)
    weights_sha256: list[str] = Field(min_length=1)  # of each network whose probabilities were averaged
    predictions_sha256: str = Field(pattern=SHA256)
    synthetic: bool
    use: str = "for research only"

    @model_validator(mode="after")
    def _hash_is_that_of_the_classes(self) -> "SubmissionCard":
        if classes_hash(self.classes) != self.classes_hash:
            raise ValueError(f"classes_hash is {self.classes_hash}, of these classes {classes_hash(self.classes)}")
        return self


def write_submission(
    folder: Path,
    exam_ids: Sequence[str],
    probabilities: np.ndarray,
    classes: Sequence[str],
    *,
    weights_sha256: Sequence[str],
    settings: Mapping[str, Any],
    code: str,
    inputs: Iterable[Path],
    facts: Mapping[str, Any],
    synthetic: bool,
) -> Path:
    """Write `predictions.csv` (exam_id, one probability per class, sorted by exam_id), its card and the manifest.

    probabilities : (exam, class) float32 within [0, 1]; settings : name source, experiment and model.
    Raises ValueError where an exam is given twice or a number is no probability.
    """
    table = pd.DataFrame(probabilities, columns=list(classes))
    table.insert(0, EXAM_ID, list(exam_ids))
    if table[EXAM_ID].duplicated().any():
        raise ValueError(f"exam {table.loc[table[EXAM_ID].duplicated(), EXAM_ID].iloc[0]!r} is predicted twice")
    if not ((probabilities >= 0) & (probabilities <= 1)).all():
        raise ValueError("a prediction is no probability: it is not within [0, 1]")
    with whole_file(folder / PREDICTIONS) as temporary:
        table.sort_values(EXAM_ID).to_csv(temporary, index=False, lineterminator="\n")
    card = SubmissionCard(
        **{name: settings[name] for name in ("source", "experiment", "model")},
        classes=list(classes),
        classes_hash=classes_hash(classes),
        exams=len(table),
        weights_sha256=list(weights_sha256),
        predictions_sha256=sha256_of(folder / PREDICTIONS),
        synthetic=synthetic,
    )
    write_json(folder / CARD, card.model_dump())
    return write_manifest(
        folder,
        "submission",
        files=[PREDICTIONS, CARD],
        settings=settings,
        code=code,
        inputs=inputs,
        facts={**facts, **card.model_dump(include={"exams", "classes", "classes_hash", "weights_sha256", "source"})},
        synthetic=synthetic,
    )


def read_card(path: Path) -> SubmissionCard:
    """Read a card. Raises IntegrityError where it is absent or not one, with what is wrong."""
    if not path.is_file():
        raise IntegrityError(f"{path}: there is no card; it is written beside the predictions and belongs to them")
    try:
        return SubmissionCard.model_validate(json.loads(path.read_text(encoding="utf-8")))
    except ValidationError as error:
        first = error.errors()[0]
        field = ".".join(str(part) for part in first["loc"]) or "card"
        raise IntegrityError(f"{path}: {field}: {first['msg']}, found {str(first['input'])[:80]}") from None
    except ValueError as error:
        raise IntegrityError(f"{path}: not a JSON file ({error})") from None
