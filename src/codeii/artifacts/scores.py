"""Door of the scores: one row per number, with its interval and what it was counted on."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from codeii.artifacts.atomic import whole_file
from codeii.artifacts.manifest import Manifest, read_manifest, write_manifest

SCORES, COMPARISONS = "scores.csv", "comparisons.csv"
SCORE_COLUMNS = (
    "experiment",
    "model",
    "start",
    "fraction",  # of the training patients, or 0
    "per_class",  # records of each class, or 0
    "seed",  # a number, "mean" over the seeds, or their "ensemble"
    "split",
    "metric",
    "class",  # a class, or a name of codeii.schema.averages (macro_frequent: classes with enough test positives)
    "value",
    "low",
    "high",
    "n_exams",
    "n_positives",
    "n_classes",
)
# start minus the experiment's first start, on the same exams and resamples, seeds averaged
COMPARISON_COLUMNS = (
    "experiment",
    "model",
    "start",
    "versus",
    "fraction",
    "per_class",
    "metric",
    "class",
    "difference",
    "low",
    "high",
    "n_exams",
    "n_seeds",
)
BOUNDED = (
    "auroc",
    "auprc",
    "f1",
    "fmax",
    "sensitivity",
    "specificity",
    "ppv",
    "brier",
    "ece",
    "f2",
    "g2",
    "cpsc2018_f1",
)
# A class can stand second in every record that has it: then the contest's score of it is no number.
NOT_OF_POSITIVES = ("cpsc2018_f1",)


@dataclass(frozen=True, slots=True)
class Scores:
    """All scores of one experiment and model, and the paired differences between its starts."""

    manifest: Manifest
    scores: pd.DataFrame
    comparisons: pd.DataFrame


def write_scores(
    folder: Path,
    scores: pd.DataFrame,
    comparisons: pd.DataFrame,
    *,
    settings: Mapping[str, Any],
    code: str,
    inputs: Iterable[Path],
    facts: Mapping[str, Any],
    synthetic: bool,
) -> Path:
    """Write scores and comparisons as CSV with full precision. Returns the manifest's path."""
    _check(scores, comparisons)
    for name, table in ((SCORES, scores), (COMPARISONS, comparisons)):
        with whole_file(folder / name) as temporary:
            table.to_csv(temporary, index=False, lineterminator="\n")
    return write_manifest(
        folder,
        "scores",
        files=[SCORES, COMPARISONS],
        settings=settings,
        code=code,
        inputs=inputs,
        facts=facts,
        synthetic=synthetic,
    )


def read_scores(manifest_path: Path) -> Scores:
    """Verify and read the scores of one experiment and model."""
    manifest = read_manifest(manifest_path, "scores")
    text = {"seed": str, "class": str}
    scores = pd.read_csv(manifest_path.parent / SCORES, dtype=text, keep_default_na=False, na_values=[""])
    comparisons = pd.read_csv(
        manifest_path.parent / COMPARISONS, dtype={"class": str}, keep_default_na=False, na_values=[""]
    )
    _check(scores, comparisons)
    return Scores(manifest, scores, comparisons)


def _check(scores: pd.DataFrame, comparisons: pd.DataFrame) -> None:
    if tuple(scores.columns) != SCORE_COLUMNS:
        raise ValueError(f"scores have columns {list(scores.columns)}, expected {list(SCORE_COLUMNS)}")
    if tuple(comparisons.columns) != COMPARISON_COLUMNS:
        raise ValueError(f"comparisons have columns {list(comparisons.columns)}, expected {list(COMPARISON_COLUMNS)}")
    for table in (scores, comparisons):
        if ((table["fraction"] > 0) == (table["per_class"] > 0)).any():
            raise ValueError("a score is of neither or both of a fraction and a count of records per class")
    bounded = scores[scores["metric"].isin(BOUNDED)]
    values = bounded[["value", "low", "high"]].to_numpy(np.float64)
    if ((values < 0) | (values > 1)).any():
        raise ValueError("a score lies outside [0, 1]")
    judged = bounded.drop(bounded.index[bounded["metric"].isin(NOT_OF_POSITIVES)])
    undefined = judged["value"].isna() & (judged["n_positives"] > 0) & (judged["n_positives"] < judged["n_exams"])
    if (undefined & (judged["class"] != "macro_frequent")).any():
        raise ValueError("a score is undefined although its class has positives and negatives")
