"""Score a blind-test predictions file against the key that only the holders of the labels have."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from codeii.artifacts.submission import EXAM_ID
from codeii.evaluation.bootstrap import draw_patients, percentile_interval
from codeii.evaluation.metrics import load_metrics
from codeii.evaluation.ranking import evaluable, rank
from codeii.evaluation.scoring import macro, score_classes, score_replicates

WORDS = {"auroc": "AUROC", "auprc": "AUPRC", "fmax": "Fmax", "brier": "Brier", "ece": "ECE"}
METRICS = tuple(WORDS)  # what needs no threshold: the file holds none
NO_THRESHOLD = 0.5  # asked for by `rank`; no metric above looks at it
COLUMNS = ("metric", "class", "value", "low", "high", "n_exams", "n_positives", "n_classes")


@dataclass(frozen=True, slots=True)
class Resampling:
    """How intervals are made: patients of a blind test have one exam each, so exams are drawn."""

    replicates: int = 1000
    level: float = 0.95
    seed: int = 0


def read_key(path: Path) -> pd.DataFrame:
    """A key as (exam, class) 0/1, indexed by exam_id.

    Raises ValueError where a column is missing, an exam is given twice or a cell is neither 0 nor 1.
    """
    table = pd.read_csv(path, dtype=str, keep_default_na=False, encoding="utf-8-sig")
    if EXAM_ID not in table:
        raise ValueError(f"{path}: columns are {list(table)[:5]}, expected {EXAM_ID} and one column per class")
    if table[EXAM_ID].duplicated().any():
        raise ValueError(f"{path}: exam {table.loc[table[EXAM_ID].duplicated(), EXAM_ID].iloc[0]!r} is given twice")
    key = table.set_index(EXAM_ID)
    odd = ~key.isin(["0", "1"])
    if odd.any(axis=None):
        row, column = np.argwhere(odd.to_numpy())[0]
        found = f"exam {key.index[row]!r}, class {key.columns[column]!r}: {key.iat[row, column]!r}"
        raise ValueError(f"{path}: {found}; expected 0 or 1")
    return key.astype(np.uint8)


def score_file(predictions: Path, key: Path, classes: Sequence[str], how: Resampling) -> pd.DataFrame:
    """Scores with intervals, rows of `COLUMNS`: the macro of each metric first, then its classes.

    predictions : checked before (`codeii.prediction.check`); rows and classes are matched to the key by name, so that
        their order does not matter.
    Raises ValueError where the key lacks exams or classes of the predictions, or has others.
    """
    truth = read_key(key)
    table = pd.read_csv(predictions, dtype={EXAM_ID: str}, encoding="utf-8-sig").set_index(EXAM_ID)
    _same(key, "exams", truth.index, table.index)
    _same(key, "classes", truth.columns, classes)
    exams = sorted(truth.index)
    target = truth.loc[exams, list(classes)].to_numpy() != 0
    probability = table.loc[exams, list(classes)].to_numpy(np.float32)
    return _rows(target, probability, classes, how)


def _rows(target: np.ndarray, probability: np.ndarray, classes: Sequence[str], how: Resampling) -> pd.DataFrame:
    judged, metrics = evaluable(target), load_metrics(METRICS)
    ranked = [
        rank(probability[:, at], target[:, at], probability[:, at], NO_THRESHOLD) if judged[at] else None
        for at in range(len(classes))
    ]
    point = score_classes(ranked, metrics, np.ones((1, len(target)), np.int32))[:, :, 0]
    exams = np.arange(len(target))
    replicates = score_replicates(ranked, metrics, draw_patients(len(target), how.replicates, how.seed), exams)
    low, high = percentile_interval(replicates, how.level)
    macro_low, macro_high = percentile_interval(macro(replicates, judged), how.level)
    positives, mean = target.sum(axis=0), macro(point, judged)
    rows: list[tuple[object, ...]] = []
    for at, metric in enumerate(METRICS):
        counts = (len(target), int(positives[judged].sum()), int(judged.sum()))
        rows.append((metric, "macro", mean[at], macro_low[at], macro_high[at], *counts))
        for number, name in enumerate(classes):
            counts = (len(target), int(positives[number]), 1)
            rows.append((metric, name, point[at, number], low[at, number], high[at, number], *counts))
    return pd.DataFrame(rows, columns=list(COLUMNS))


def _same(key: Path, word: str, wanted: Sequence[str] | pd.Index, found: Sequence[str] | pd.Index) -> None:
    lacking, unknown = sorted(set(wanted) - set(found)), sorted(set(found) - set(wanted))
    if lacking or unknown:
        said = f"{len(lacking)} only in the key {lacking[:3]}, {len(unknown)} only in the predictions {unknown[:3]}"
        raise ValueError(f"{key}: {word} differ: {said}")


def in_words(scores: pd.DataFrame) -> str:
    """The macros as lines of text, and how many classes could be judged."""
    macros = scores[scores["class"] == "macro"]
    total = scores.loc[scores["metric"] == METRICS[0], "class"].nunique() - 1
    lines = [
        f"macro {WORDS[row['metric']]:<8}{row['value']:.4f} ({row['low']:.4f} to {row['high']:.4f})"
        for _, row in macros.iterrows()
    ]
    first = macros.iloc[0]
    return "\n".join([f"{first['n_exams']:,} exams; {first['n_classes']} of {total} classes can be judged", *lines])
