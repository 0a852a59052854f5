"""From sections to records, from tracings to exams, from seeds to an ensemble: all logits that become one are here."""

from collections.abc import Sequence
from typing import Literal

import numpy as np
import pandas as pd

Sections = Literal["mean", "max"]


def record_logits_of(record: np.ndarray, logits: np.ndarray, sections: Sections = "mean") -> np.ndarray:
    """Bring the sections of each record together.

    record : (input,) ascending, the record that each input is (a section of); logits : (input, class) float32
    sections : mean of the logits, summed in float64, or their max: that of the section most sure of the class
    -> (record, class) float32
    """
    starts = np.flatnonzero(np.diff(record, prepend=-1))
    if sections == "max":
        return np.asarray(np.maximum.reduceat(logits, starts).astype(np.float32))
    counts = np.diff(starts, append=len(record))[:, None]
    return np.asarray((np.add.reduceat(logits.astype(np.float64), starts) / counts).astype(np.float32))


def exam_means(exam_ids: pd.Series, logits: np.ndarray) -> tuple[list[str], np.ndarray]:
    """Mean logit over the tracings of each exam.

    exam_ids : exam of each record; logits : (record, class) float32
    -> the exams in order of first appearance, and (exam, class) float32. Sums are made in float64.
    """
    codes, exams = pd.factorize(exam_ids)
    sums = np.zeros((len(exams), logits.shape[1]), np.float64)
    np.add.at(sums, codes, logits.astype(np.float64))
    counts = np.bincount(codes, minlength=len(exams))[:, None]
    return list(exams), (sums / counts).astype(np.float32)


def ensemble_logits(each: Sequence[np.ndarray]) -> np.ndarray:
    """Logit of the mean probability over the seeds: finite wherever the logits are, however sure the networks are.

    each : logits of one seed each, of one shape  ->  float64 of that shape
    """
    stacked = np.stack([logits.astype(np.float64) for logits in each])
    # log p and log (1 - p): their means are taken where neither is rounded to 0 or 1
    surely, surely_not = (np.logaddexp.reduce(-np.logaddexp(0, side), axis=0) for side in (-stacked, stacked))
    return np.asarray(surely - surely_not)


def probabilities(logits: np.ndarray) -> np.ndarray:
    """Sigmoid of logits, computed in float64 without overflow. Same shape, float64."""
    x = logits.astype(np.float64)
    small = np.exp(-np.abs(x))
    return np.where(x >= 0, 1 / (1 + small), small / (1 + small))
