"""From stored records to tensors, in the order of the CODE group: filters, rate, leads, then length.

Works on stacks of records of equal rate and length. The filters are linear and act on each lead alone, so only the
eight independent leads go through them; the other four are made from I and II at the end, as the group does.
"""

import numpy as np

from codeii.schema.leads import EIGHT, LEAD_SETS, LEADS, derive
from codeii.schema.params import Preprocessing
from codeii.schema.units import to_counts_uv
from codeii.tensors.filter import check_notch, remove_baseline, remove_powerline
from codeii.tensors.normalise import by_record
from codeii.tensors.resample import resample
from codeii.tensors.window import place

SCALE = 1e-3  # one count of a tensor is a thousandth of its unit
UNITS = {"none": "mV", "record": "sd"}  # by normalisation
INDEPENDENT = [LEADS.index(name) for name in EIGHT]


def powerline_hz(settings: Preprocessing, mains_hz: int, rate_hz: int) -> int | None:
    """Frequency of the notch for records of `rate_hz`, None for no notch. Raises ValueError where they hold none."""
    if settings.powerline_hz == "none":
        return None
    frequency = mains_hz if settings.powerline_hz == "mains" else settings.powerline_hz
    check_notch(rate_hz, frequency)
    return frequency


def choose_leads(signal: np.ndarray, leads: str) -> np.ndarray:
    """Lead set `eight` or `twelve` from the eight independent leads.

    signal : (..., 8, sample) float array in `EIGHT` order, any unit  ->  (..., 8 or 12, sample), same unit.
    Of twelve, III, aVR, aVL and aVF are always computed from I and II, whatever the source recorded.
    """
    if leads not in LEAD_SETS:
        raise ValueError(f"lead set {leads!r} is not one of {', '.join(LEAD_SETS)}")
    if leads == "eight":
        return signal
    lead_i, lead_ii = signal[..., 0, :], signal[..., 1, :]
    limb = [derive(name, lead_i, lead_ii)[..., np.newaxis, :] for name in LEADS[2:6]]
    return np.concatenate([signal[..., :2, :], *limb, signal[..., 2:, :]], axis=-2)


def prepare(signals_uv: np.ndarray, rate_hz: int, settings: Preprocessing, mains_hz: int) -> np.ndarray:
    """Preprocess a stack of records, before rounding.

    signals_uv : (record, 12, sample) int16 or float array in `LEADS` order, uV
    mains_hz : where the source was recorded, for `powerline_hz: mains`

    Returns
    -------
    (record, 8 or 12, samples) float64 in thousandths of the unit: uV, or 1/1000 standard deviation.

    Raises
    ------
    ValueError
        The mains frequency is above half the rate, a record is too short to filter, constant where it is to be
        scaled, or holds NaN.

    Notes
    -----
    A record is scaled before it is cut or padded, so that padding does not count as signal.
    Source: antonior92/ecg-preprocessing a940978, `preprocess_ecg`; scaling is ours.
    """
    if signals_uv.ndim != 3 or signals_uv.shape[1] != len(LEADS):
        raise ValueError(f"signals of shape {signals_uv.shape}, expected (record, {len(LEADS)}, sample)")
    notch_hz = powerline_hz(settings, mains_hz, rate_hz)
    signal = signals_uv[:, INDEPENDENT].astype(np.float64)
    if settings.baseline == "elliptic":
        signal = remove_baseline(signal, rate_hz)
    if notch_hz is not None:
        signal = remove_powerline(signal, rate_hz, notch_hz)
    signal = choose_leads(resample(signal, rate_hz, settings.rate_hz), settings.leads)
    if settings.normalisation == "record":
        signal = by_record(signal) / SCALE
    return place(signal, settings.samples, settings.placement)


def preprocess(signals_uv: np.ndarray, rate_hz: int, settings: Preprocessing, mains_hz: int) -> np.ndarray:
    """Preprocess a stack of records to int16 counts; `counts * SCALE` is in `UNITS[settings.normalisation]`.

    Arguments and errors as in `prepare`. Rounds once, at the end; beyond +-32,767 counts a sample is clipped
    (`prepare` and `to_counts_uv` say how many).
    """
    return to_counts_uv(prepare(signals_uv, rate_hz, settings, mains_hz))[0]
