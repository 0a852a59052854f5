"""Door of the analyses of an experiment and model: calibration, subgroups, and which classes are taken for which."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from codeii.artifacts.atomic import whole_file
from codeii.artifacts.manifest import Manifest, read_manifest, write_manifest

ARM = ("experiment", "model", "start", "fraction", "per_class", "seed")
POOLED = "all classes"  # every evaluable class of every exam as one element
COLUMNS = {
    # bins of equal mass of the test split; `probability` as trained, or divided by the temperature
    "calibration": (
        *(*ARM, "probability", "class", "bin", "n", "n_positives", "mean_probability", "observed", "low", "high"),
    ),
    # one temperature a run, fitted on the validation split; scores of the test split
    "recalibration": (
        *(*ARM, "temperature", "score", "as_trained", "recalibrated", "difference", "low", "high", "n_exams"),
    ),
    # `difference` is to all other exams, over the classes that both can judge
    "subgroups": (
        *(*ARM, "kind", "group", "metric", "class", "value", "low", "high", "n_exams", "n_patients"),
        *("n_positives", "n_classes", "difference", "difference_low", "difference_high", "n_common", "reason"),
    ),
    # exams with class `true` and without class `called`: how many are called it, and how many of those without either
    "confusion": (*ARM, "true", "called", "n", "n_called", "share", "elsewhere_n", "elsewhere_called", "elsewhere"),
}
TEXT = dict.fromkeys(("class", "seed", "true", "called", "group", "kind"), str)
SHARES = {"calibration": ("mean_probability", "observed", "low", "high"), "confusion": ("share", "elsewhere")}


@dataclass(frozen=True, slots=True)
class Analyses:
    """Every table has the columns of `COLUMNS`."""

    manifest: Manifest
    calibration: pd.DataFrame
    recalibration: pd.DataFrame
    subgroups: pd.DataFrame
    confusion: pd.DataFrame


def write_analyses(
    folder: Path,
    tables: Mapping[str, pd.DataFrame],
    *,
    settings: Mapping[str, Any],
    code: str,
    inputs: Iterable[Path],
    facts: Mapping[str, Any],
    synthetic: bool,
) -> Path:
    """Write the tables of `COLUMNS` with full precision. Returns the manifest's path."""
    _check(tables)
    for name, table in tables.items():
        with whole_file(folder / f"{name}.csv") as temporary:
            table.to_csv(temporary, index=False, lineterminator="\n")
    return write_manifest(
        folder,
        "analyses",
        files=[f"{name}.csv" for name in COLUMNS],
        settings=settings,
        code=code,
        inputs=inputs,
        facts=facts,
        synthetic=synthetic,
    )


def read_analyses(manifest_path: Path) -> Analyses:
    """Verify and read the analyses of one experiment and model."""
    manifest = read_manifest(manifest_path, "analyses")
    tables = {
        name: pd.read_csv(
            manifest_path.parent / f"{name}.csv",
            dtype={word: kind for word, kind in TEXT.items() if word in columns},
            keep_default_na=False,
            na_values={column: [""] for column in columns if column != "reason"},
        )
        for name, columns in COLUMNS.items()
    }
    _check(tables)
    return Analyses(manifest, **tables)


def _check(tables: Mapping[str, pd.DataFrame]) -> None:
    if set(tables) != set(COLUMNS):
        raise ValueError(f"analyses are {sorted(tables)}, expected {sorted(COLUMNS)}")
    for name, columns in COLUMNS.items():
        if tuple(tables[name].columns) != columns:
            raise ValueError(f"{name} has columns {list(tables[name].columns)}, expected {list(columns)}")
    for name, shares in SHARES.items():
        values = tables[name][list(shares)].to_numpy(np.float64)
        if ((values < 0) | (values > 1)).any():
            raise ValueError(f"a share of {name} lies outside [0, 1]")
    if (tables["recalibration"]["temperature"] <= 0).any():
        raise ValueError("a temperature is not above 0")
    groups = tables["subgroups"]
    if (groups["value"].isna() & (groups["reason"] == "")).any():
        raise ValueError("a group has no score and no reason why")
