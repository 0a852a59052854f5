"""Weights by rule: what the reference numbers of published networks were made with (shared/parity, section 2)."""

import hashlib

import numpy as np


def weight_of(key: str, shape: tuple[int, ...]) -> np.ndarray:
    """The value of a state tensor, from its published key and shape alone; int64 for a count, else float32."""
    if key.endswith("num_batches_tracked"):
        return np.zeros(shape, np.int64)
    seed = int(hashlib.sha256(key.encode()).hexdigest()[:8], 16)
    n = np.random.default_rng(seed).standard_normal(int(np.prod(shape))).reshape(shape)
    if key.endswith("running_var"):
        n = 0.5 + np.abs(n)
    elif key.endswith("running_mean"):
        n = 0.1 * n
    elif len(shape) >= 2:
        n = n / np.sqrt(np.prod(shape[1:]))
    else:
        n = 1 + 0.1 * n if key.endswith("weight") else 0.05 * n
    return n.astype(np.float32)
