"""What is compared of a recording: its eight independent leads in narrow bands, at one rate whatever it was stored at.

Below a band lies what a baseline filter changes, above it what is lost at low rates. Band-pass and change of rate are
one multiplication in the frequency domain; both slopes are Gaussian, so that a sample depends on less than `SETTLED_S`
of signal on either side and nothing rings.
"""

from typing import NamedTuple

import numpy as np

from codeii.schema.leads import EIGHT, LEADS

RATE_HZ = 200
SETTLED_S = 0.2  # further than this from the ends of a record, the ends have no part in a sample
INDEPENDENT = [LEADS.index(name) for name in EIGHT]


class Band(NamedTuple):
    """Half-widths of the two Gaussian slopes."""

    low_hz: float
    high_hz: float


BEATS = Band(4.0, 15.0)  # where P, QRS and T differ between hearts
NOISE = Band(12.0, 20.0)  # where, between beats, only electrodes and muscle are left, and no mains


def in_bands(signal_uv: np.ndarray, rate_hz: int, bands: tuple[Band, ...]) -> list[np.ndarray]:
    """Eight leads of one record in each band, at `RATE_HZ`.

    signal_uv : (12, sample) int16 in `LEADS` order  ->  one (8, sample * RATE_HZ // rate_hz) float32 per band, uV.
    """
    from scipy.fft import irfft, rfft

    eight = signal_uv[INDEPENDENT].astype(np.float32)
    eight -= eight.mean(axis=1, keepdims=True)
    samples = eight.shape[1]
    # whole seconds, so that both rates have whole numbers of samples; zeros enough to keep the ends apart
    seconds = int(np.ceil(samples / rate_hz + 2 * SETTLED_S))
    spectrum = rfft(eight, n=seconds * rate_hz, axis=1)
    kept = min(spectrum.shape[1], seconds * RATE_HZ // 2 + 1)
    out = []
    for band in bands:
        passed = spectrum[:, :kept] * _response(band, seconds, kept)
        wave = irfft(passed, n=seconds * RATE_HZ, axis=1) * np.float32(RATE_HZ / rate_hz)
        out.append(wave[:, : samples * RATE_HZ // rate_hz])
    return out


def _response(band: Band, seconds: int, kept: int) -> np.ndarray:
    frequency = np.arange(kept) / seconds
    low, high = np.exp(-0.5 * (frequency / band.low_hz) ** 2), np.exp(-0.5 * (frequency / band.high_hz) ** 2)
    response: np.ndarray = ((1 - low) * high).astype(np.float32)
    return response


def shifted(wave: np.ndarray, samples: float) -> np.ndarray:
    """A (lead, sample) wave moved to later times by a fraction of a sample; what moves in at the ends is zero."""
    from scipy.fft import irfft, next_fast_len, rfft

    length = wave.shape[1]
    padded = next_fast_len(length + 8, real=True)
    spectrum = rfft(wave, padded, axis=1)
    turn = np.exp(-2j * np.pi * np.arange(spectrum.shape[1]) / padded * samples).astype(np.complex64)
    moved: np.ndarray = irfft(spectrum * turn, padded, axis=1)[:, :length]
    return moved
