"""Weights without files: each tensor is a function of its key and shape (shared/parity/README.md, section 2)."""

import hashlib

import numpy as np


def weight_of(key: str, shape: tuple[int, ...]) -> np.ndarray:
    """The tensor with this key and shape under the rule: float32, or int64 for counters of batches."""
    seed = int(hashlib.sha256(key.encode()).hexdigest()[:8], 16)
    normal = np.random.default_rng(seed).standard_normal(int(np.prod(shape, dtype=int))).reshape(shape)
    if key.endswith("num_batches_tracked"):
        return np.zeros(shape, np.int64)
    if key.endswith("running_var"):
        return (0.5 + np.abs(normal)).astype(np.float32)
    if key.endswith("running_mean"):
        return (0.1 * normal).astype(np.float32)
    if len(shape) >= 2:
        return (normal / np.sqrt(np.prod(shape[1:]))).astype(np.float32)
    return (1 + 0.1 * normal if key.endswith("weight") else 0.05 * normal).astype(np.float32)
