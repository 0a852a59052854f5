"""Amplitudes of a record to a common scale. Nothing here is learned from other records."""

import numpy as np


def by_record(signal: np.ndarray) -> np.ndarray:
    """Zero mean and unit variance over all leads and samples of each record together.

    signal : (..., lead, sample) array, any unit  ->  float64 array of the same shape, in standard deviations.
    Differences between leads survive, as they would not if each lead were scaled on its own.
    Raises ValueError on a constant record: its variance is zero.
    """
    values = np.asarray(signal, np.float64)
    centred = values - values.mean(axis=(-2, -1), keepdims=True)
    deviation = centred.std(axis=(-2, -1), keepdims=True)
    if not (deviation > 0).all():
        raise ValueError(f"{int((~(deviation > 0)).sum())} records are constant and cannot be scaled to unit variance")
    scaled: np.ndarray = centred / deviation
    return scaled
