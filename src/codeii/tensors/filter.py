"""The two filters of the CODE group, in float64 and with no phase shift, at the rate the record was stored at.

Behaviour of `ecgprep/preprocess.py` of antonior92/ecg-preprocessing (commit a940978), rebuilt from its description.
"""

from functools import cache

import numpy as np

CUTOFF_HZ, STOP_HZ = 0.8, 0.2  # pass band edge and rejection band edge of the high-pass
RIPPLE_DB, ATTENUATION_DB = 0.5, 40.0
NOTCH_QUALITY = 30.0
SHORTEST = 16  # samples: both filters extend a record at its ends by up to 15


def finite(signal: np.ndarray) -> np.ndarray:
    """The signal as float64. Raises ValueError on NaN or infinity, which a filter would spread over the record."""
    values = np.asarray(signal, np.float64)
    if not np.isfinite(values).all():
        raise ValueError(f"{int((~np.isfinite(values)).sum())} samples are not finite; a filter would spread them")
    return values


@cache
def baseline_sos(rate_hz: int) -> np.ndarray:
    """(section, 6) elliptic high-pass of 0.8 Hz as second-order sections; 3rd order at 100 to 1000 Hz."""
    from scipy.signal import ellip, ellipord

    order, edge_hz = ellipord(CUTOFF_HZ, STOP_HZ, RIPPLE_DB, ATTENUATION_DB, fs=rate_hz)
    sos: np.ndarray = ellip(order, RIPPLE_DB, ATTENUATION_DB, edge_hz, "highpass", output="sos", fs=rate_hz)
    return sos


@cache
def notch(rate_hz: int, mains_hz: int) -> tuple[np.ndarray, np.ndarray]:
    """Numerator and denominator of a second-order notch with quality factor 30."""
    from scipy.signal import iirnotch

    check_notch(rate_hz, mains_hz)
    numerator, denominator = iirnotch(mains_hz, NOTCH_QUALITY, fs=rate_hz)
    return numerator, denominator


def check_notch(rate_hz: int, mains_hz: int) -> None:
    """Raise ValueError where a record of `rate_hz` holds no `mains_hz`. At exactly half the rate the notch exists."""
    if not 0 < 2 * mains_hz <= rate_hz:
        raise ValueError(
            f"a notch at {mains_hz} Hz needs records of at least {2 * max(mains_hz, 1)} Hz, found {rate_hz} Hz; "
            f"set powerline_hz to none or to at most {rate_hz // 2}"
        )


def remove_baseline(signal: np.ndarray, rate_hz: int) -> np.ndarray:
    """High-pass along time: removes the baseline's drift, forwards and backwards, ends held constant.

    signal : (..., sample) array, any unit  ->  float64 array, same shape and unit.
    Raises ValueError on NaN, on a rate too low for 0.8 Hz, or on fewer than `SHORTEST` samples.
    """
    from scipy.signal import sosfiltfilt

    check_baseline(rate_hz)
    check_length(signal.shape[-1])
    filtered: np.ndarray = sosfiltfilt(baseline_sos(rate_hz), finite(signal), padtype="constant")
    return filtered


def remove_powerline(signal: np.ndarray, rate_hz: int, mains_hz: int) -> np.ndarray:
    """Notch along time at the mains frequency, forwards and backwards, ends reflected.

    signal : (..., sample) array, any unit  ->  float64 array, same shape and unit.
    Raises ValueError on NaN, on mains above half the rate, or on fewer than `SHORTEST` samples.
    """
    from scipy.signal import filtfilt

    numerator, denominator = notch(rate_hz, mains_hz)
    check_length(signal.shape[-1])
    filtered: np.ndarray = filtfilt(numerator, denominator, finite(signal))
    return filtered


def check_baseline(rate_hz: int) -> None:
    """Raise ValueError where records of `rate_hz` hold no high-pass of 0.8 Hz."""
    if rate_hz <= 2 * CUTOFF_HZ:
        raise ValueError(f"rate_hz {rate_hz} is too low for a high-pass of {CUTOFF_HZ} Hz")


def check_length(samples: int) -> None:
    """Raise ValueError where a record is too short for either filter."""
    if samples < SHORTEST:
        raise ValueError(f"{samples} samples are too few to filter; at least {SHORTEST} are needed")
