"""The filters, in float64 and with no phase shift, at the rate the record was stored at.

High-pass and notch: behaviour of `ecgprep/preprocess.py` of antonior92/ecg-preprocessing (commit a940978). Band-pass
and running median: of `filter_bandpass` of PKUDigitalHealth/ECGFounder (04edac7). Rebuilt from their description.
"""

from functools import cache

import numpy as np

CUTOFF_HZ, STOP_HZ = 0.8, 0.2  # pass band edge and rejection band edge of the high-pass
RIPPLE_DB, ATTENUATION_DB = 0.5, 40.0
NOTCH_QUALITY = 30.0
SHORTEST = 16  # samples: high-pass and notch extend a record at its ends by up to 15
BAND_HZ, BAND_ORDER = (0.67, 40.0), 4
BAND_EDGE = 27  # samples by which the band-pass extends a record at its ends: thrice the 9 taps of its polynomials


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


@cache
def band_pass_sos(rate_hz: int) -> np.ndarray:
    """(4, 6) Butterworth band-pass of 0.67 to 40 Hz as second-order sections."""
    from scipy.signal import butter

    sos: np.ndarray = butter(BAND_ORDER, BAND_HZ, "bandpass", fs=rate_hz, output="sos")
    return sos


def keep_band(signal: np.ndarray, rate_hz: int) -> np.ndarray:
    """Band-pass of 0.67 to 40 Hz along time, forwards and backwards, ends reflected.

    signal : (..., sample) array, any unit  ->  float64 array, same shape and unit.

    ECGFounder computes it from polynomials of eighth degree, whose rounding reaches 5e-6 of a standard deviation at
    500 Hz and 0.2 to 0.4 % at 1000 Hz; second-order sections, taken here, keep their digits.
    Raises ValueError on NaN, on a rate that does not hold 40 Hz, or on fewer than 28 samples.
    """
    from scipy.signal import sosfiltfilt

    check_band(rate_hz)
    check_length(signal.shape[-1], BAND_EDGE + 1)
    filtered: np.ndarray = sosfiltfilt(band_pass_sos(rate_hz), finite(signal), padlen=BAND_EDGE)
    return filtered


def median_window(rate_hz: int, seconds: float) -> int:
    """Samples of the running median: the next odd number above `seconds`, 201 for 0.4 s at 500 Hz."""
    return (int(seconds * rate_hz) + 1) | 1


def remove_median(signal: np.ndarray, rate_hz: int, seconds: float) -> np.ndarray:
    """Subtract the running median along time; beyond its ends the signal counts as zero.

    signal : (..., sample) array, any unit  ->  float64 array, same shape and unit. Raises ValueError on NaN.

    Not linear: the median of a sum is not the sum of the medians, so each lead of the tensor goes through it. What
    lasts longer than half the window is taken for baseline, an elevated ST segment with its T wave among it.
    """
    from scipy.ndimage import median_filter

    values, window = finite(signal), median_window(rate_hz, seconds)
    leads = values.reshape(-1, values.shape[-1])  # one by one: SciPy's median of one axis is 25 times faster
    baseline = np.stack([median_filter(lead, window, mode="constant") for lead in leads])
    left: np.ndarray = values - baseline.reshape(values.shape)
    return left


def check_band(rate_hz: int) -> None:
    """Raise ValueError where records of `rate_hz` hold no band-pass up to 40 Hz."""
    if rate_hz <= 2 * BAND_HZ[1]:
        raise ValueError(f"rate_hz {rate_hz} is too low for a band-pass up to {BAND_HZ[1]:g} Hz; set another baseline")


def check_baseline(rate_hz: int) -> None:
    """Raise ValueError where records of `rate_hz` hold no high-pass of 0.8 Hz."""
    if rate_hz <= 2 * CUTOFF_HZ:
        raise ValueError(f"rate_hz {rate_hz} is too low for a high-pass of {CUTOFF_HZ} Hz")


def check_length(samples: int, shortest: int = SHORTEST) -> None:
    """Raise ValueError where a record is too short for a filter."""
    if samples < shortest:
        raise ValueError(f"{samples} samples are too few to filter; at least {shortest} are needed")
