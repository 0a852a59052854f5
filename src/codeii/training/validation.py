"""How well a network does on the validation records, for choosing an epoch. The report's scores are made elsewhere."""

import numpy as np

from codeii.networks.batches import Inputs, record_means


def of_records(inputs: Inputs, logits: np.ndarray, targets: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(input, K) logits and targets -> those of the records: logits are averaged over sections, as predictions are."""
    return record_means(inputs, logits), targets[np.flatnonzero(np.diff(inputs.record, prepend=-1))]


def mean_loss(logits: np.ndarray, targets: np.ndarray) -> float:
    """Mean binary cross-entropy over records and classes, in float64: max(x, 0) - x t + log(1 + exp(-|x|))."""
    x = logits.astype(np.float64)
    return float(np.mean(np.maximum(x, 0) - x * targets + np.log1p(np.exp(-np.abs(x)))))


def macro_auroc(logits: np.ndarray, targets: np.ndarray) -> float | None:
    """Mean AUROC over the classes with positives and negatives; None where there is no such class."""
    positives = targets.sum(axis=0)
    evaluable = np.flatnonzero((positives > 0) & (positives < len(targets)))
    values = [auroc(logits[:, column], targets[:, column] > 0) for column in evaluable]
    return float(np.mean(values)) if values else None


def auroc(scores: np.ndarray, positive: np.ndarray) -> float:
    """Share of (positive, negative) pairs in the right order, ties counting half (Mann and Whitney 1947)."""
    _, place, counts = np.unique(scores, return_inverse=True, return_counts=True)
    mid_rank = np.cumsum(counts) - (counts - 1) / 2
    n_positive = int(positive.sum())
    pairs = n_positive * (len(scores) - n_positive)
    return float((mid_rank[place][positive].sum() - n_positive * (n_positive + 1) / 2) / pairs)
