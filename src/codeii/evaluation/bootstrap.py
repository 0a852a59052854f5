"""Resamples of patients, and intervals from them. A patient's exams are drawn together or not at all."""

import hashlib

import numpy as np


def draw_patients(patients: int, replicates: int, seed: int) -> np.ndarray:
    """How many times each patient is drawn, with replacement, in each resample.

    Each resample has its own generator, fixed by `seed` and its number: the first ones are the same whatever the
    number of resamples, and the same for every model, start and seed of a run.

    Returns
    -------
    (replicate, patient) uint16; every row sums to `patients`.
    """
    times = np.empty((replicates, patients), np.uint16)
    for number in range(replicates):
        generator = np.random.Generator(np.random.PCG64([seed, number]))
        drawn = generator.integers(0, patients, size=patients, dtype=np.uint32)
        times[number] = np.bincount(drawn, minlength=patients)
    return times


def resamples_sha256(times: np.ndarray) -> str:
    """What two scores must share to be compared resample by resample. times : as `draw_patients` gives them."""
    shape = " ".join(str(length) for length in times.shape)
    return hashlib.sha256(f"{shape} {times.dtype.str} ".encode() + times.tobytes()).hexdigest()


def percentile_interval(values: np.ndarray, level: float) -> tuple[np.ndarray, np.ndarray]:
    """Percentile interval over the last axis, linear between order statistics, undefined (NaN) resamples left out.

    values : (..., replicate)  ->  low and high of shape (...); NaN where no resample is defined.
    """
    if values.shape[-1] == 0:
        return np.full(values.shape[:-1], np.nan), np.full(values.shape[:-1], np.nan)
    rising = np.sort(values, axis=-1)  # NaN goes last
    last = np.maximum((~np.isnan(values)).sum(axis=-1) - 1, 0)
    tail = (1 - level) / 2
    return _order_statistic(rising, last * tail), _order_statistic(rising, last * (1 - tail))


def basic_interval(value: np.ndarray, percentile: tuple[np.ndarray, np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
    """The percentile interval mirrored at the value (Davison and Hinkley 1997, 5.6): what lies below it goes above."""
    low, high = percentile
    return 2 * value - high, 2 * value - low


def two_sided_p(difference: np.ndarray) -> np.ndarray:
    """Of no difference, from paired resamples: twice the smaller tail, each counted one more than was seen.

    difference : (..., replicate), NaN where undefined  ->  (...); never below 2 / (1 + resamples); NaN without any.
    """
    drawn = (~np.isnan(difference)).sum(axis=-1)
    tail = np.minimum((difference <= 0).sum(axis=-1), (difference >= 0).sum(axis=-1))
    return np.where(drawn > 0, np.minimum(2 * (1 + tail) / (1 + drawn), 1.0), np.nan)


def _order_statistic(rising: np.ndarray, position: np.ndarray) -> np.ndarray:
    """Value at a fractional position of the sorted last axis."""
    below = np.floor(position).astype(np.int64)
    lower = np.take_along_axis(rising, below[..., None], axis=-1)[..., 0]
    upper = np.take_along_axis(rising, np.ceil(position).astype(np.int64)[..., None], axis=-1)[..., 0]
    return np.asarray(lower + (upper - lower) * (position - below))
