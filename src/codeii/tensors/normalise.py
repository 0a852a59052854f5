"""Amplitudes of a record to a common scale. Nothing here is learned from other records.

What does not vary cannot be scaled and becomes zeros. A lead that is stored as one value is still, whatever was made of
it since: a change of the rate leaves steps at its ends, which would be all there is to scale.
"""

import numpy as np

from codeii.tensors.filter import finite

FLAT_UV = 1e-3  # a smaller deviation is rounding of a filter, not signal: records are stored in steps of 1 uV


def by_record(signal_uv: np.ndarray, still: np.ndarray) -> np.ndarray:
    """Zero mean and unit variance over all leads and samples of each record together.

    signal_uv : (record, lead, sample) array; still : (record, lead) bool, as `still_leads`
    Returns a float64 array of the same shape, in standard deviations; zeros where no lead of a record varies.
    Differences between leads survive, as they would not if each lead were scaled on its own. Raises ValueError on NaN.
    """
    none_varies = np.asarray(still.all(axis=-1))
    return _scaled(signal_uv, (-2, -1), none_varies[:, np.newaxis, np.newaxis])


def by_lead(signal_uv: np.ndarray, still: np.ndarray) -> np.ndarray:
    """Zero mean and unit variance of each lead on its own.

    signal_uv : (record, lead, sample) array; still : (record, lead) bool, as `still_leads`
    Returns a float64 array of the same shape, in standard deviations of the lead; zeros where a lead does not vary.
    How large one lead is beside another is lost. Raises ValueError on NaN.
    """
    return _scaled(signal_uv, (-1,), still[:, :, np.newaxis])


def still_leads(stored: np.ndarray, leads: int) -> np.ndarray:
    """(record, leads) bool: which leads of a tensor are made of stored leads of one value.

    stored : (record, 8 or 12, sample) array; where it has eight leads and twelve are asked for, the other limb leads
    are those of I and II.
    """
    constant: np.ndarray = stored.max(axis=-1) == stored.min(axis=-1)
    if constant.shape[1] == leads:
        return constant
    limb = constant[:, :1] & constant[:, 1:2]
    return np.concatenate([constant[:, :2], *[limb] * (leads - constant.shape[1]), constant[:, 2:]], axis=1)


def _scaled(signal_uv: np.ndarray, axes: tuple[int, ...], still: np.ndarray) -> np.ndarray:
    values = finite(signal_uv)
    centred = values - values.mean(axis=axes, keepdims=True)
    deviation = np.sqrt(np.square(centred).mean(axis=axes, keepdims=True))
    centred /= np.where(still | (deviation < FLAT_UV), np.inf, deviation)
    scaled: np.ndarray = centred
    return scaled
