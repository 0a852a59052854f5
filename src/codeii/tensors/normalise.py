"""Amplitudes of a record to a common scale. Nothing here is learned from other records."""

import numpy as np

from codeii.tensors.filter import finite

FLAT_UV = 1e-3  # a smaller deviation is rounding of a filter, not signal: records are stored in steps of 1 uV


def by_record(signal_uv: np.ndarray) -> np.ndarray:
    """Zero mean and unit variance over all leads and samples of each record together; zeros where nothing varies.

    signal_uv : (..., lead, sample) array  ->  float64 array of the same shape, in standard deviations.
    Raises ValueError on NaN.
    Differences between leads survive, as they would not if each lead were scaled on its own.
    """
    return _scaled(signal_uv, (-2, -1))


def by_lead(signal_uv: np.ndarray) -> np.ndarray:
    """Zero mean and unit variance of each lead on its own; a lead that does not vary becomes zeros.

    signal_uv : (..., lead, sample) array  ->  float64 array of the same shape, in standard deviations of the lead.
    Raises ValueError on NaN.
    How large one lead is beside another is lost.
    """
    return _scaled(signal_uv, (-1,))


def _scaled(signal_uv: np.ndarray, axes: tuple[int, ...]) -> np.ndarray:
    values = finite(signal_uv)
    centred = values - values.mean(axis=axes, keepdims=True)
    deviation = centred.std(axis=axes, keepdims=True)
    centred /= np.where(deviation < FLAT_UV, np.inf, deviation)
    scaled: np.ndarray = centred
    return scaled
