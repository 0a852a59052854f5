"""From tracings to exams."""

import numpy as np
import pandas as pd


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


def probabilities(logits: np.ndarray) -> np.ndarray:
    """Sigmoid of logits, computed in float64 without overflow. Same shape, float64."""
    x = logits.astype(np.float64)
    small = np.exp(-np.abs(x))
    return np.where(x >= 0, 1 / (1 + small), small / (1 + small))
