"""Door of the comparisons of a task: differences between arms, tests, and curves over the amount of training data."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from codeii.artifacts.atomic import whole_file
from codeii.artifacts.manifest import Manifest, read_manifest, write_manifest

RESAMPLES = "resamples.npz"  # (replicate, patient) how many times each test patient is drawn
ARM = ("experiment", "model", "start")
VERSUS = ("versus_experiment", "versus_model", "versus")
AMOUNT = ("fraction", "per_class")
COLUMNS = {
    # the arm minus the other one, on the same exams and resamples, seeds averaged
    "comparisons": (
        *(*ARM, *VERSUS, *AMOUNT, "metric", "class", "difference", "low", "high", "basic_low", "basic_high"),
        *("p", "p_holm", "n_family", "n_exams", "n_seeds", "versus_n_seeds"),
    ),
    # AUROC of single runs or ensembles, class by class; p_holm over the classes of a pair
    "delong": (
        *(*ARM, *VERSUS, *AMOUNT, "seed", "class", "auroc", "versus_auroc", "difference", "low", "high"),
        *("z", "p", "p_holm", "n_family", "n_exams", "n_positives", "n_patients"),
    ),
    # each arm as a point of a curve; test_sd is of the resampled test patients, seed_sd of repeated trainings
    "curves": (
        *(*ARM, *AMOUNT, "metric", "class", "value", "low", "high", "test_sd", "seed_sd", "n_seeds", "n_exams"),
    ),
    # what is fitted to a curve: `form`, one of its parameters, or why there is none
    "fits": (
        *("experiments", "model", "start", "by", "metric", "class", "form", "parameter"),
        *("value", "low", "high", "n_points", "reason"),
    ),
    # how many times the other start needs the data to score the same; `bound` where its curve ends before
    "efficiency": (
        *("model", "start", "versus", *AMOUNT, "metric", "class", "times", "low", "high"),
        *("bound", "low_bound", "high_bound", "n_points"),
    ),
}
TEXT = dict.fromkeys(("class", "seed"), str)
WORDS = ("form", "parameter", "reason", "bound", "low_bound", "high_bound")  # empty where there is nothing to say


@dataclass(frozen=True, slots=True)
class Comparisons:
    """What is compared in one task; every table has the columns of `COLUMNS`."""

    manifest: Manifest
    comparisons: pd.DataFrame
    delong: pd.DataFrame
    curves: pd.DataFrame
    fits: pd.DataFrame
    efficiency: pd.DataFrame


def write_comparisons(
    folder: Path,
    tables: Mapping[str, pd.DataFrame],
    resamples: np.ndarray,
    *,
    settings: Mapping[str, Any],
    code: str,
    inputs: Iterable[Path],
    facts: Mapping[str, Any],
    synthetic: bool,
) -> Path:
    """Write the tables of `COLUMNS` with full precision, and the resamples. Returns the manifest's path."""
    _check(tables)
    for name, table in tables.items():
        with whole_file(folder / f"{name}.csv") as temporary:
            table.to_csv(temporary, index=False, lineterminator="\n")
    with whole_file(folder / RESAMPLES) as temporary, temporary.open("wb") as file:
        np.savez_compressed(file, times=resamples)
    return write_manifest(
        folder,
        "comparisons",
        files=[*(f"{name}.csv" for name in COLUMNS), RESAMPLES],
        settings=settings,
        code=code,
        inputs=inputs,
        facts=facts,
        synthetic=synthetic,
    )


def read_comparisons(manifest_path: Path) -> Comparisons:
    """Verify and read the comparisons of one task."""
    manifest = read_manifest(manifest_path, "comparisons")
    tables = {
        name: pd.read_csv(
            manifest_path.parent / f"{name}.csv",
            dtype={word: kind for word, kind in TEXT.items() if word in columns},
            keep_default_na=False,
            na_values={column: [""] for column in columns if column not in WORDS},
        )
        for name, columns in COLUMNS.items()
    }
    _check(tables)
    return Comparisons(manifest, **tables)


def read_resamples(manifest_path: Path) -> np.ndarray:
    """(replicate, patient) how many times each test patient, in order of patient_id, is drawn; verified."""
    read_manifest(manifest_path, "comparisons")
    with np.load(manifest_path.parent / RESAMPLES, allow_pickle=False) as kept:
        times: np.ndarray = kept["times"]
    return times


def _check(tables: Mapping[str, pd.DataFrame]) -> None:
    if set(tables) != set(COLUMNS):
        raise ValueError(f"comparisons are {sorted(tables)}, expected {sorted(COLUMNS)}")
    for name, columns in COLUMNS.items():
        if tuple(tables[name].columns) != columns:
            raise ValueError(f"{name} have columns {list(tables[name].columns)}, expected {list(columns)}")
    for name in ("comparisons", "delong"):
        tests = tables[name][["p", "p_holm"]].to_numpy(np.float64)
        if ((tests < 0) | (tests > 1)).any():
            raise ValueError(f"a p value of {name} lies outside [0, 1]")
        if (tests[:, 1] < tests[:, 0] - 1e-12).any():
            raise ValueError(f"a corrected p value of {name} is smaller than the one it corrects")
    apart = tables["comparisons"]
    alike = apart[list(ARM)].to_numpy(str) == apart[list(VERSUS)].to_numpy(str)
    if alike.all(axis=1).any():
        raise ValueError("an arm is compared with itself")
