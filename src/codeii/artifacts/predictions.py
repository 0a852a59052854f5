"""Door of the predictions: one float32 logit per record (or exam) and class.

The predictions of a run are one artefact; those of an experiment and model are a set, made by one job, whose manifest
lists the manifests of its runs, and of the ensembles of those that differ in nothing but the seed.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from codeii.artifacts.atomic import whole_file
from codeii.artifacts.manifest import NAME, Manifest, read_manifest, write_manifest
from codeii.schema.labels import classes_hash

RECORDS, EXAMS = "records.parquet", "exams.parquet"
RECORD_COLUMNS = ("record_id", "exam_id", "split")
EXAM_COLUMNS = ("exam_id", "split")
ENSEMBLE = "ensemble"  # what an ensemble says instead of a seed


@dataclass(frozen=True, slots=True)
class Predictions:
    """Logits of one run on its validation and test splits, by record and by exam."""

    manifest: Manifest
    records: pd.DataFrame
    exams: pd.DataFrame

    @property
    def classes(self) -> tuple[str, ...]:
        """Class names in the checkpoint's order."""
        return tuple(self.records.columns[len(RECORD_COLUMNS) :])

    def exam_logits(self, split: str) -> pd.DataFrame:
        """Logits of one split, indexed by exam_id, one float32 column per class."""
        rows = self.exams[self.exams["split"] == split]
        return rows.set_index("exam_id")[list(self.classes)]


def write_predictions(
    folder: Path,
    records: pd.DataFrame,
    exams: pd.DataFrame,
    *,
    settings: Mapping[str, Any],
    code: str,
    inputs: Iterable[Path],
    facts: Mapping[str, Any],
    synthetic: bool,
) -> Path:
    """Write logits by record (`RECORD_COLUMNS`, then classes) and by exam. Returns the manifest's path."""
    classes = list(records.columns[len(RECORD_COLUMNS) :])
    _check(records, exams, classes)
    for name, table in ((RECORDS, records), (EXAMS, exams)):
        with whole_file(folder / name) as temporary:
            table.to_parquet(temporary, index=False)
    made = {"classes_hash": classes_hash(classes), "records": len(records), "exams": len(exams)}
    return write_manifest(
        folder,
        "predictions",
        files=[RECORDS, EXAMS],
        settings=settings,
        code=code,
        inputs=inputs,
        facts={**facts, **made},
        synthetic=synthetic,
    )


def read_predictions(manifest_path: Path) -> Predictions:
    """Verify and read the predictions of a run."""
    manifest = read_manifest(manifest_path, "predictions")
    records = pd.read_parquet(manifest_path.parent / RECORDS)
    exams = pd.read_parquet(manifest_path.parent / EXAMS)
    predictions = Predictions(manifest, records, exams)
    _check(records, exams, list(predictions.classes))
    if classes_hash(predictions.classes) != manifest.facts["classes_hash"]:
        raise ValueError(f"{manifest_path.parent}: class columns are not in the checkpoint's order")
    return predictions


def write_prediction_set(
    folder: Path,
    runs: Iterable[str],
    *,
    settings: Mapping[str, Any],
    code: str,
    inputs: Iterable[Path],
    synthetic: bool,
    ensembles: Iterable[str] = (),
) -> Path:
    """Write the manifest of a set; `runs` and `ensembles` are the folders of its predictions below `folder`."""
    facts = {"runs": list(runs), "ensembles": list(ensembles)}  # in their order; the manifest sorts its files
    return write_manifest(
        folder,
        "prediction_set",
        files=[f"{run}/{NAME}" for run in (*facts["runs"], *facts["ensembles"])],
        settings=settings,
        code=code,
        inputs=inputs,
        facts=facts,
        synthetic=synthetic,
    )


def runs_of_set(manifest_path: Path) -> list[Path]:
    """Manifests of the predictions of single runs in a set, in its order; the set's own manifest is verified."""
    return [manifest_path.parent / run / NAME for run in read_manifest(manifest_path, "prediction_set").facts["runs"]]


def ensembles_of_set(manifest_path: Path) -> list[Path]:
    """Manifests of the predictions of ensembles in a set, in its order; the set's own manifest is verified."""
    made = read_manifest(manifest_path, "prediction_set").facts["ensembles"]
    return [manifest_path.parent / ensemble / NAME for ensemble in made]


def _check(records: pd.DataFrame, exams: pd.DataFrame, classes: list[str]) -> None:
    if tuple(records.columns) != (*RECORD_COLUMNS, *classes) or tuple(exams.columns) != (*EXAM_COLUMNS, *classes):
        raise ValueError("prediction columns are not the ids followed by the same classes in both tables")
    for table, name in ((records, "record_id"), (exams, "exam_id")):
        twice = table[name][table[name].duplicated()]
        if len(twice):
            raise ValueError(f"{name} {twice.iat[0]!r} occurs twice in the predictions")
    if set(records["exam_id"]) != set(exams["exam_id"]):
        raise ValueError("predictions by record and by exam name different exams")
    for table in (records, exams):
        _check_logits(table, classes)


def _check_logits(table: pd.DataFrame, classes: list[str]) -> None:
    logits = table[classes]
    if not (logits.dtypes == np.float32).all():
        raise ValueError("logits are not float32")
    values = logits.to_numpy()
    odd = np.argwhere(~np.isfinite(values))
    if len(odd):
        row, column = odd[0]
        named = f"{table.columns[0]} {table.iloc[row, 0]!r}, class {classes[column]!r}"
        raise ValueError(f"{len(odd)} logits are not finite; the first is {values[row, column]} of {named}")
