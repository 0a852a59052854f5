"""Recordings and copies of them, for the tests and the benchmark of the search for duplicates."""

from collections.abc import Callable
from math import gcd

import numpy as np
import pandas as pd
from scipy.signal import resample_poly

from codeii.leakage.build import sha256_of_signal
from codeii.leakage.describe import describe
from codeii.leakage.search import Searched
from codeii.schema.units import to_counts_uv
from codeii.synthetic.population import population
from codeii.tensors.filter import remove_baseline

Signal = tuple[np.ndarray, int]  # (12, sample) int16 in uV, rate in Hz
RATES = (100, 125, 128, 250, 257, 400, 500, 1000)


def twins(source: str, count: int, seed: int) -> list[tuple[str, str, Signal]]:
    """record id, patient id and signal of every tracing of a synthetic population."""
    return [
        (f"{exam.exam_id}_{number}", exam.patient_id, (to_counts_uv(tracing * 1000)[0], exam.rate_hz))
        for exam in population(source, count, seed)
        for number, tracing in enumerate(exam.tracings_mv, start=1)
    ]


def cut(signal: Signal, start_s: float, seconds: float) -> Signal:
    wave, rate_hz = signal
    start = round(start_s * rate_hz)
    return wave[:, start : start + int(np.ceil(seconds * rate_hz))], rate_hz


def resampled(signal: Signal, rate_hz: int) -> Signal:
    common = gcd(rate_hz, signal[1])
    return _counts(resample_poly(signal[0].astype(float), rate_hz // common, signal[1] // common, axis=1)), rate_hz


def without_baseline(signal: Signal) -> Signal:
    return _counts(remove_baseline(signal[0], signal[1])), signal[1]


def scaled(signal: Signal, factor: float) -> Signal:
    return _counts(signal[0] * factor), signal[1]


def coarse(signal: Signal, step_uv: float) -> Signal:
    """As stored at another gain: a whole number of steps."""
    return _counts(np.rint(signal[0] / step_uv) * step_uv), signal[1]


def disguised(rng: np.random.Generator, signal: Signal) -> tuple[Signal, list[str]]:
    """A copy that went through several hands, and what was done to it."""
    seconds = signal[0].shape[1] / signal[1]
    done: list[str] = []

    def maybe(share: float, name: str, change: Callable[[Signal], Signal]) -> None:
        nonlocal signal
        if rng.random() < share:
            signal = change(signal)
            done.append(name)

    kept = 2.5 if rng.random() < 0.5 else rng.uniform(2.5, seconds)
    start = rng.choice([0.0, seconds - kept, rng.uniform(0, seconds - kept)])
    rate_hz, step_uv, factor = int(rng.choice(RATES)), rng.choice([2.5, 4.88, 10.0]), rng.choice([0.3, 0.5, 2.0, 3.0])
    maybe(0.85, f"cut to {kept:.1f} s from {start:.2f}", lambda of: cut(of, start, kept))
    maybe(0.4, "without baseline", without_baseline)
    maybe(0.6, f"at {rate_hz} Hz", lambda of: resampled(of, rate_hz))
    maybe(0.5, f"in steps of {step_uv} uV", lambda of: coarse(of, step_uv))
    maybe(0.5, f"times {factor}", lambda of: scaled(of, factor))
    maybe(0.3, "turned", lambda of: scaled(of, -1))
    return signal, done


def searched(recordings: list[tuple[str, str, str, Signal]]) -> Searched:
    """What `search` takes, of (source, record id, patient id, signal)."""
    rows, vectors, seconds = [], [], []
    for source, record, patient, (wave, rate_hz) in recordings:
        found = describe(wave, rate_hz)
        rows.append((source, record, patient, rate_hz, wave.shape[1], sha256_of_signal(wave), len(found.seconds)))
        vectors.append(found.vectors)
        seconds.append(found.seconds)
    columns = ["source", "record_id", "patient_id", "rate_hz", "samples", "signal_sha256", "windows"]
    return Searched(pd.DataFrame(rows, columns=columns), np.concatenate(vectors), np.concatenate(seconds))


def _counts(wave: np.ndarray) -> np.ndarray:
    return to_counts_uv(wave)[0]
