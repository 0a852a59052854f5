"""Change of the sampling rate."""

from functools import cache
from math import gcd

import numpy as np

from codeii.tensors.filter import finite

HALF_LENGTH, KAISER_BETA = 10, 5.0  # SciPy's own design for resample_poly, kept so that it is made once per rate


@cache
def anti_aliasing(up: int, down: int) -> np.ndarray:
    """Taps of the low-pass between the two rates; `up` and `down` have no common factor."""
    from scipy.signal import firwin

    largest = max(up, down)
    taps: np.ndarray = firwin(2 * HALF_LENGTH * largest + 1, 1.0 / largest, window=("kaiser", KAISER_BETA))
    return taps


def resampled_length(samples: int, rate_hz: int, target_hz: int) -> int:
    """Length after `resample`: ceil(samples * target_hz / rate_hz), in whole numbers."""
    return -(-samples * target_hz // rate_hz)


def resample(signal: np.ndarray, rate_hz: int, target_hz: int) -> np.ndarray:
    """Resample along time with a polyphase anti-aliasing filter; beyond its ends the signal counts as zero.

    signal : (..., sample) array, any unit  ->  (..., ceil(sample * target_hz / rate_hz)) float64, same unit.
    Raises ValueError on a rate <= 0, on no samples, or on NaN (the filter would spread it over its neighbours).
    """
    from scipy.signal import resample_poly

    if rate_hz <= 0 or target_hz <= 0:
        raise ValueError(f"rates of {rate_hz} and {target_hz} Hz; both must be positive")
    if signal.shape[-1] == 0:
        raise ValueError("a signal of no samples cannot be resampled")
    common = gcd(rate_hz, target_hz)
    up, down = target_hz // common, rate_hz // common
    if up == down:
        return finite(signal)
    resampled: np.ndarray = resample_poly(finite(signal), up, down, axis=-1, window=anti_aliasing(up, down))
    return resampled
