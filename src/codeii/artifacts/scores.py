"""Door of the scores: one row per number, with its interval and what it was counted on."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from codeii.artifacts.atomic import whole_file
from codeii.artifacts.manifest import Manifest, read_manifest, write_manifest

SCORES, REPLICATES = "scores.csv", "replicates.npz"
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
    "low",  # percentile interval of the resamples
    "high",
    "basic_low",  # basic interval: the percentile interval mirrored at the value, cut to [0, 1]
    "basic_high",
    "n_resamples",  # in which the score is defined; 0 where none were drawn
    "n_exams",
    "n_positives",
    "n_classes",
)
ARM_COLUMNS = ("start", "fraction", "per_class", "seed")  # what tells the replicates of one manifest apart
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
    """All scores of one experiment and model, and what they became under each resample."""

    manifest: Manifest
    scores: pd.DataFrame
    replicates: "Replicates"


@dataclass(frozen=True, slots=True)
class Replicates:
    """Averages and groups under the same resamples of the test patients, for the mean over seeds of each arm."""

    arms: pd.DataFrame  # ARM_COLUMNS and n_seeds
    metrics: tuple[str, ...]
    classes: tuple[str, ...]  # averages, then groups
    point: np.ndarray  # (arm, metric, class) as they are
    values: np.ndarray  # (arm, metric, class, replicate)


def write_scores(
    folder: Path,
    scores: pd.DataFrame,
    replicates: Replicates,
    *,
    settings: Mapping[str, Any],
    code: str,
    inputs: Iterable[Path],
    facts: Mapping[str, Any],
    synthetic: bool,
) -> Path:
    """Write scores as CSV with full precision, replicates as arrays. Returns the manifest's path."""
    _check(scores)
    _check_replicates(replicates)
    with whole_file(folder / SCORES) as temporary:
        scores.to_csv(temporary, index=False, lineterminator="\n")
    with whole_file(folder / REPLICATES) as temporary, temporary.open("wb") as file:
        np.savez_compressed(file, allow_pickle=False, **_arrays(replicates))
    return write_manifest(
        folder,
        "scores",
        files=[SCORES, REPLICATES],
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
    _check(scores)
    with np.load(manifest_path.parent / REPLICATES, allow_pickle=False) as kept:
        replicates = Replicates(
            arms=pd.DataFrame({name: kept[name] for name in (*ARM_COLUMNS, "n_seeds")}).astype({"seed": object}),
            metrics=tuple(map(str, kept["metrics"])),
            classes=tuple(map(str, kept["classes"])),
            point=kept["point"],
            values=kept["values"],
        )
    _check_replicates(replicates)
    return Scores(manifest, scores, replicates)


def _arrays(replicates: Replicates) -> dict[str, np.ndarray]:
    """Everything as arrays without objects, so that reading runs no code."""
    arms = {name: replicates.arms[name].to_numpy() for name in (*ARM_COLUMNS, "n_seeds")}
    words = {name: np.array(arms[name], dtype=np.str_) for name in ("start", "seed")}
    names = {"metrics": np.array(replicates.metrics, np.str_), "classes": np.array(replicates.classes, np.str_)}
    return {**arms, **words, **names, "point": replicates.point, "values": replicates.values}


def _check_replicates(replicates: Replicates) -> None:
    expected = (len(replicates.arms), len(replicates.metrics), len(replicates.classes))
    if replicates.point.shape != expected or replicates.values.shape[:-1] != expected:
        found = replicates.point.shape, replicates.values.shape
        raise ValueError(f"replicates have shapes {found}, expected {expected} and a number of resamples")
    if replicates.arms.duplicated(list(ARM_COLUMNS)).any():
        raise ValueError("two rows of replicates are of one arm")


def _check(scores: pd.DataFrame) -> None:
    if tuple(scores.columns) != SCORE_COLUMNS:
        raise ValueError(f"scores have columns {list(scores.columns)}, expected {list(SCORE_COLUMNS)}")
    if ((scores["fraction"] > 0) == (scores["per_class"] > 0)).any():
        raise ValueError("a score is of neither or both of a fraction and a count of records per class")
    bounded = scores[scores["metric"].isin(BOUNDED)]
    values = bounded[["value", "low", "high", "basic_low", "basic_high"]].to_numpy(np.float64)
    if ((values < 0) | (values > 1)).any():
        raise ValueError("a score lies outside [0, 1]")
    judged = bounded.drop(bounded.index[bounded["metric"].isin(NOT_OF_POSITIVES)])
    undefined = judged["value"].isna() & (judged["n_positives"] > 0) & (judged["n_positives"] < judged["n_exams"])
    if (undefined & (judged["class"] != "macro_frequent")).any():
        raise ValueError("a score is undefined although its class has positives and negatives")
