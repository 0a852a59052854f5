"""From stored records to tensors, in the order of the CODE group: filters, rate, leads, then length.

Works on stacks of records of equal rate and length. Most filters are linear and act on each lead alone, so only the
eight independent leads go through them; the other four are made from I and II at the end, as the group does. A step
that is not linear, or that sees other leads, comes after the leads are chosen.
`prepare` is the reference, one step after another in SciPy; `preprocess` gives its values, rounded, by `fused.c` where
that can be compiled.
"""

from collections.abc import Sequence
from itertools import pairwise
from typing import NamedTuple

import numpy as np

from codeii.schema.leads import EIGHT, LEAD_SETS, LEADS, derive
from codeii.schema.params import Preprocessing
from codeii.schema.units import to_counts_uv
from codeii.tensors.filter import (
    BAND_EDGE,
    SHORTEST,
    check_band,
    check_baseline,
    check_length,
    check_notch,
    keep_band,
    remove_baseline,
    remove_median,
    remove_powerline,
)
from codeii.tensors.fused import kernel
from codeii.tensors.normalise import by_lead, by_record, still_leads
from codeii.tensors.resample import check_change, check_whole, decimate_joined, resample, resampled_length, zoom
from codeii.tensors.window import place, starts_of

SCALE = 1e-3  # one count of a tensor is a thousandth of its unit
UNITS = {"none": "mV", "record": "sd", "lead": "sd of the lead"}  # by normalisation
CHANGES_OF_RATE = {"polyphase": resample, "zoom": zoom, "decimate_joined": decimate_joined}
BESIDE = 8  # records that SciPy and NumPy take at once: what the cache holds
INDEPENDENT = [LEADS.index(name) for name in EIGHT]


class Tensors(NamedTuple):
    """What `preprocess` makes of a stack of records; one row is one tensor."""

    counts: np.ndarray  # (row, 8 or 12, samples) int16
    clipped: np.ndarray  # (row,) int64, samples that were cut off at +-32,767
    record: np.ndarray  # (row,) int64, place in the stack of the record that a row was cut from; ascending
    flat_leads: np.ndarray  # (record,) int64, leads left at zero for want of variance; 0 where nothing is scaled


def powerline_hz(settings: Preprocessing, mains_hz: int, rate_hz: int) -> int | None:
    """Frequency of the notch for records of `rate_hz`, None for no notch. Raises ValueError where they hold none."""
    if settings.powerline_hz == "none":
        return None
    frequency = mains_hz if settings.powerline_hz == "mains" else settings.powerline_hz
    check_notch(rate_hz, frequency)
    return frequency


def check_stored_rate(settings: Preprocessing, rate_hz: int) -> None:
    """Raise ValueError where the settings cannot take records stored at `rate_hz`."""
    if settings.stored_rate_hz not in (None, rate_hz):
        raise ValueError(
            f"this preprocessing is for records stored at {settings.stored_rate_hz} Hz, found {rate_hz} Hz; take the "
            f"source's copy of that rate (for ptbxl: sources.ptbxl.layout.rate_hz), or another preprocessing"
        )
    if settings.baseline == "elliptic":
        check_baseline(rate_hz)
    if settings.baseline == "bandpass":
        check_band(rate_hz)
    if settings.resampling == "decimate_joined":
        check_whole(rate_hz, settings.rate_hz)


def kept_samples(samples: int, rate_hz: int, settings: Preprocessing) -> int:
    """How many of a record's samples are used: all, or those of the first `keep_seconds`."""
    return samples if settings.keep_seconds is None else min(samples, round(settings.keep_seconds * rate_hz))


def made_length(samples: int, rate_hz: int, settings: Preprocessing) -> int:
    """Samples of a stored record after resampling, before it is cut or padded."""
    kept = kept_samples(samples, rate_hz, settings)
    return resampled_length(kept, rate_hz, settings.rate_hz, settings.resampling)


def row_starts(samples: int, rate_hz: int, settings: Preprocessing) -> tuple[int, ...]:
    """First sample, after resampling, of each tensor made of a stored record; below 0: so much padding before it."""
    return starts_of(made_length(samples, rate_hz, settings), settings.samples, settings.placement)


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
    (row, 8 or 12, samples) float64 in thousandths of the unit: uV, or 1/1000 standard deviation. One row a record;
    with `placement: sections` as many as `row_starts` names, those of one record one after the other.

    Raises
    ------
    ValueError
        The mains frequency is above half the rate, a record is stored at a rate that the settings cannot take, is too
        short to filter, or holds NaN.

    Notes
    -----
    A record is scaled before it is cut or padded, so that padding does not count as signal. What does not vary, and
    so cannot be scaled, becomes zeros.
    Source: antonior92/ecg-preprocessing a940978, `preprocess_ecg`; scaling and sections are ours.
    """
    notch_hz = _check(signals_uv, rate_hz, settings, mains_hz)
    stored = _stored(signals_uv, rate_hz, settings)
    return _finish(_filtered(stored, rate_hz, settings, notch_hz), stored, settings)[0]


def _check(signals_uv: np.ndarray, rate_hz: int, settings: Preprocessing, mains_hz: int) -> int | None:
    if signals_uv.ndim != 3 or signals_uv.shape[1] != len(LEADS):
        raise ValueError(f"signals of shape {signals_uv.shape}, expected (record, {len(LEADS)}, sample)")
    check_stored_rate(settings, rate_hz)
    notch_hz = powerline_hz(settings, mains_hz, rate_hz)
    if settings.baseline != "none" or notch_hz is not None:
        shortest = BAND_EDGE + 1 if settings.baseline == "bandpass" else SHORTEST
        check_length(kept_samples(signals_uv.shape[-1], rate_hz, settings), shortest)
    check_change(signals_uv.shape[-1], rate_hz, settings.rate_hz)
    return notch_hz


def _stored(signals_uv: np.ndarray, rate_hz: int, settings: Preprocessing) -> np.ndarray:
    """(record, 8 or 12, sample) what of a record goes into its tensors; eight also where four are to be computed."""
    rows = slice(None) if settings.limb_leads == "recorded" else INDEPENDENT
    return signals_uv[:, rows, : kept_samples(signals_uv.shape[-1], rate_hz, settings)]


def _filtered(stored: np.ndarray, rate_hz: int, settings: Preprocessing, notch_hz: int | None) -> np.ndarray:
    """(record, 8 or 12, sample) float64 uV at the new rate; eight also where four are to be computed."""
    signal = stored.astype(np.float64)
    if settings.baseline == "elliptic":
        signal = remove_baseline(signal, rate_hz)
    if notch_hz is not None:
        signal = remove_powerline(signal, rate_hz, notch_hz)
    if settings.baseline == "bandpass":
        signal = keep_band(signal, rate_hz)
    if settings.median_baseline_seconds is not None:
        signal = remove_median(_with_leads(signal, settings), rate_hz, settings.median_baseline_seconds)
    if settings.resampling == "decimate_joined":
        signal = _with_leads(signal, settings)
    return CHANGES_OF_RATE[settings.resampling](signal, rate_hz, settings.rate_hz)


def _with_leads(signal: np.ndarray, settings: Preprocessing) -> np.ndarray:
    """The leads of the tensor: as they are where they are there, recorded or made before."""
    there = signal.shape[-2] == len(LEAD_SETS[settings.leads])
    return signal if there else choose_leads(signal, settings.leads)


def _finish(signal: np.ndarray, stored: np.ndarray, settings: Preprocessing) -> tuple[np.ndarray, np.ndarray]:
    """From filtered records at the new rate to rows: leads, scale, length; and how many leads of each are flat."""
    signal = _with_leads(signal, settings)
    flat_leads = np.zeros(len(signal), np.int64)
    if settings.normalisation != "none":
        still = still_leads(stored, len(LEAD_SETS[settings.leads]))
        scaled = by_lead(signal, still) if settings.normalisation == "lead" else by_record(signal, still)
        flat_leads = (~scaled.any(axis=-1)).sum(axis=-1)
        scaled /= SCALE
        signal = scaled
    return place(signal, settings.samples, settings.placement), flat_leads


def preprocess(
    signals_uv: np.ndarray | Sequence[np.ndarray],
    rate_hz: int,
    settings: Preprocessing,
    mains_hz: int,
    out: np.ndarray | None = None,
) -> Tensors:
    """Preprocess a stack of records to int16 counts; `counts * SCALE` is in `UNITS[settings.normalisation]`.

    Arguments and errors as in `prepare`; the stack may also be a list of (12, sample) arrays of one shape, which saves
    a copy. `out` is filled and returned as `counts` where it is given: (row, lead, samples) int16, written whole.
    Rounds once, at the end, halves to the even neighbour; beyond +-32,767 counts a sample is clipped and counted.
    int16 records go through the compiled kernel where there is one. It holds no lock of Python: call from threads.
    """
    stack = signals_uv if isinstance(signals_uv, np.ndarray) else _alike(signals_uv)
    first = stack if isinstance(stack, np.ndarray) else stack[0][np.newaxis]
    notch_hz = _check(first, rate_hz, settings, mains_hz)
    starts = row_starts(first.shape[-1], rate_hz, settings)
    record = np.repeat(np.arange(len(stack)), len(starts))
    counts = _room(out, (len(record), len(LEAD_SETS[settings.leads]), settings.samples))
    compiled = kernel(rate_hz, settings, notch_hz) if first.dtype == np.int16 else None
    if compiled is not None and settings.normalisation == "none":
        kept = kept_samples(first.shape[-1], rate_hz, settings)
        return Tensors(counts, compiled.counts(stack, kept, starts, counts), record, np.zeros(len(stack), np.int64))
    clipped, flat_leads = np.zeros(len(record), np.int64), np.zeros(len(stack), np.int64)
    for first_of, last in pairwise([*range(0, len(stack), BESIDE), len(stack)]):
        stored = _stored(np.asarray(stack[first_of:last]), rate_hz, settings)
        if compiled is None:
            signal = _filtered(stored, rate_hz, settings, notch_hz)
        else:
            signal = compiled.doubles(stack[first_of:last], stored.shape[-1])
        values, flat_leads[first_of:last] = _finish(signal, stored, settings)
        for row, value in enumerate(values, first_of * len(starts)):
            counts[row], clipped[row] = to_counts_uv(value)
    return Tensors(counts, clipped, record, flat_leads)


def _alike(signals_uv: Sequence[np.ndarray]) -> list[np.ndarray] | np.ndarray:
    shapes = {signal.shape for signal in signals_uv}
    if len(shapes) > 1:
        raise ValueError(f"signals of shapes {', '.join(map(str, sorted(shapes)))}; a stack has one")
    stacked = not shapes or {signal.dtype for signal in signals_uv} != {np.dtype(np.int16)}
    return np.stack(signals_uv) if stacked else list(signals_uv)


def _room(out: np.ndarray | None, shape: tuple[int, ...]) -> np.ndarray:
    if out is None:
        return np.empty(shape, np.int16)
    if out.shape != shape or out.dtype != np.int16 or not out.flags.c_contiguous:
        raise ValueError(f"out of shape {out.shape} and {out.dtype}; expected a contiguous {shape} of int16")
    return out
