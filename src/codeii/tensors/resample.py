"""Change of the sampling rate."""

from functools import cache
from math import gcd

import numpy as np

from codeii.tensors.filter import finite

SHORTEST_JOINED = 28  # samples of all leads together: the low-pass extends them at their ends by 27
HALF_LENGTH, KAISER_BETA = 10, 5.0  # SciPy's own design for resample_poly, kept so that it is made once per rate


@cache
def anti_aliasing(up: int, down: int) -> np.ndarray:
    """Taps of the low-pass between the two rates; `up` and `down` have no common factor."""
    from scipy.signal import firwin

    largest = max(up, down)
    taps: np.ndarray = firwin(2 * HALF_LENGTH * largest + 1, 1.0 / largest, window=("kaiser", KAISER_BETA))
    return taps


def ratio(rate_hz: int, target_hz: int) -> tuple[int, int]:
    """The two rates without their common factor: by how much up, then by how much down."""
    common = gcd(rate_hz, target_hz)
    return target_hz // common, rate_hz // common


def resampled_length(samples: int, rate_hz: int, target_hz: int, resampling: str = "polyphase") -> int:
    """Length after resampling: ceil(samples * target_hz / rate_hz), in whole numbers; after `zoom` the nearest."""
    if resampling == "zoom":
        return round(samples * (target_hz / rate_hz))
    return -(-samples * target_hz // rate_hz)


def resample(signal: np.ndarray, rate_hz: int, target_hz: int) -> np.ndarray:
    """Resample along time with a polyphase anti-aliasing filter; beyond its ends the signal counts as zero.

    signal : (..., sample) array, any unit  ->  (..., ceil(sample * target_hz / rate_hz)) float64, same unit.
    Raises ValueError on a rate <= 0, on no samples, or on NaN (the filter would spread it over its neighbours).
    """
    from scipy.signal import resample_poly

    check_change(signal.shape[-1], rate_hz, target_hz)
    up, down = ratio(rate_hz, target_hz)
    if up == down:
        return finite(signal)
    resampled: np.ndarray = resample_poly(finite(signal), up, down, axis=-1, window=anti_aliasing(up, down))
    return resampled


def zoom(signal: np.ndarray, rate_hz: int, target_hz: int) -> np.ndarray:
    """Resample along time as the PTB-XL benchmark converted CPSC 2018: a cubic spline, and no low-pass before it.

    signal : (..., sample) array, any unit  ->  (..., round(sample * target_hz / rate_hz)) float64, same unit.

    What lies above half the new rate comes back as a slower wave of the same size, and as the first and the last
    sample stay first and last, time is stretched by up to one sample. Kept so that published numbers can be met.
    Raises ValueError as `resample` does, and where no sample is left.
    Source: helme/ecg_ptbxl_benchmarking cdbf4e6, `convert_ICBEB.py`: scipy.ndimage.zoom(lead, .2).
    """
    from scipy.ndimage import zoom as spline

    check_change(signal.shape[-1], rate_hz, target_hz)
    if resampled_length(signal.shape[-1], rate_hz, target_hz, "zoom") == 0:
        raise ValueError(f"{signal.shape[-1]} samples of {rate_hz} Hz leave none at {target_hz} Hz")
    leads = finite(signal).reshape(-1, signal.shape[-1])  # one by one: several axes at once would change last digits
    resampled = np.stack([spline(lead, target_hz / rate_hz) for lead in leads])
    return resampled.reshape(*signal.shape[:-1], -1)


@cache
def decimation(factor: int) -> np.ndarray:
    """(4, 6) low-pass of SciPy's `decimate` as second-order sections: Chebyshev, order 8, 0.05 dB of ripple."""
    from scipy.signal import cheby1

    sos: np.ndarray = cheby1(8, 0.05, 0.8 / factor, output="sos")
    return sos


def decimate_joined(signal: np.ndarray, rate_hz: int, target_hz: int) -> np.ndarray:
    """Keep every n-th sample after a low-pass that runs over all leads of a record, joined end to end.

    signal : (..., lead, sample) array, any unit
    Returns (..., lead, ceil(sample * target_hz / rate_hz)) float64 in the same unit.

    The low-pass (Chebyshev, order 8, both ways) knows no border between leads: the end of each and the beginning of
    the next ring into one another. A lead whose length the factor does not divide is filled up with zeros (ours).
    Kept so that an encoder sees what it was trained on.
    Raises ValueError as `resample` does, on rates of no whole ratio, or on fewer than 28 samples of all leads.
    Source: Edoar-do/HuBERT-ECG affe1f9: scipy.signal.decimate by 5 over the joined leads.
    """
    from scipy.signal import sosfiltfilt

    check_change(signal.shape[-1], rate_hz, target_hz)
    check_whole(rate_hz, target_hz)
    values, factor = finite(signal), rate_hz // target_hz
    if factor == 1:
        return values
    missing = -values.shape[-1] % factor
    filled = np.concatenate([values, np.zeros((*values.shape[:-1], missing))], axis=-1)
    joined = filled.reshape(*filled.shape[:-2], -1)
    if joined.shape[-1] < SHORTEST_JOINED:
        raise ValueError(f"{joined.shape[-1]} samples of all leads are too few; at least {SHORTEST_JOINED} are needed")
    decimated: np.ndarray = sosfiltfilt(decimation(factor), joined)[..., ::factor]
    return decimated.reshape(*filled.shape[:-1], -1)


def check_whole(rate_hz: int, target_hz: int) -> None:
    """Raise ValueError where `rate_hz` is not a whole multiple of `target_hz`."""
    if rate_hz % target_hz:
        raise ValueError(
            f"decimate_joined leaves every n-th sample: records of {rate_hz} Hz give no {target_hz} Hz; "
            f"set resampling: polyphase, or stored_rate_hz to a multiple of {target_hz}"
        )


def check_change(samples: int, rate_hz: int, target_hz: int) -> None:
    """Raise ValueError on a rate <= 0 or on no samples."""
    if rate_hz <= 0 or target_hz <= 0:
        raise ValueError(f"rates of {rate_hz} and {target_hz} Hz; both must be positive")
    if samples == 0:
        raise ValueError("a signal of no samples cannot be resampled")
