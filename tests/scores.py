"""Scores and comparisons for tests: what a test says of them, and the rest filled in as the doors ask for it."""

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from codeii.artifacts.analyses import COLUMNS as OF_ANALYSES
from codeii.artifacts.analyses import write_analyses
from codeii.artifacts.comparisons import COLUMNS, write_comparisons
from codeii.artifacts.scores import ARM_COLUMNS, SCORE_COLUMNS, Replicates

FILLED = ("basic_low", "basic_high", "n_resamples")
SAID = [name for name in SCORE_COLUMNS if name not in FILLED]


def score_frame(rows: Iterable[Sequence[Any]]) -> pd.DataFrame:
    """Rows without basic intervals: they get those of the percentiles."""
    frame = pd.DataFrame(list(rows), columns=SAID)
    filled = frame.assign(basic_low=frame["low"], basic_high=frame["high"], n_resamples=200)
    return filled[list(SCORE_COLUMNS)]


def no_replicates(resamples: int = 0) -> Replicates:
    """Of no arm."""
    arms = pd.DataFrame(columns=[*ARM_COLUMNS, "n_seeds"]).astype({"fraction": float, "per_class": int, "n_seeds": int})
    return Replicates(arms, (), (), np.zeros((0, 0, 0)), np.zeros((0, 0, 0, resamples)))


def comparisons(folder: Path, task: str, tables: dict[str, Sequence[Sequence[Any]]] | None = None, **made: Any) -> Path:
    """Manifest of the comparisons of a task; tables that are not given are empty."""
    frames = {
        name: pd.DataFrame((tables or {}).get(name, ()), columns=list(columns)) for name, columns in COLUMNS.items()
    }
    facts = {"task": task, "protocol": "as made up", "replicates": 200, "smallest_p": 0.01}
    return write_comparisons(folder, frames, np.ones((2, 3), np.uint16), settings={}, facts=facts, **made)


def analyses(folder: Path, tables: dict[str, Sequence[Sequence[Any]]] | None = None, **made: Any) -> Path:
    """Manifest of the analyses of an experiment and model; tables that are not given are empty."""
    rows = tables or {}
    frames = {name: pd.DataFrame(rows.get(name, ()), columns=list(columns)) for name, columns in OF_ANALYSES.items()}
    return write_analyses(folder, frames, settings={}, facts={"protocol": "as made up"}, **made)
