"""Whether two records are the same recording, judged by the signals where their windows say they lie on each other."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from codeii.leakage.describe import SHORTEST_S, vertex
from codeii.leakage.waveform import BEATS, NOISE, RATE_HZ, SETTLED_S, in_bands, shifted

SAME = 0.996  # correlation over an overlap of at least `LONG_S`: copies reach 0.9977 at worst, strangers 0.94 at best
LONG_S = 5.0
SAME_SHORT = 0.9985  # over less, where a regular rhythm can repeat itself by chance
SAME_PATIENT = 0.9995  # and at least `LONG_S`: beats of one heart are alike, and in one split anyway
# Correlation of what lies between the beats: other tracings of a heart do not share it. Copies keep more than 0.6;
# rounded to steps of 10 uV at 100 Hz, 0.35.
SAME_NOISE = 0.25
QUIET_SHARE, QUIET_S = 0.3, 0.1  # the quietest pieces of the overlap, and their length
SLACK_S = 0.01  # by which the windows may misjudge the lag
ROUGHLY = 0.95  # below this before the fine adjustment of the lag, no adjustment helps


class Waves(NamedTuple):
    """One record as it is compared: (8, sample) float32 at `RATE_HZ`."""

    beats: np.ndarray
    noise: np.ndarray


class Likeness(NamedTuple):
    """How alike two records are at the lag where they are most alike."""

    correlation: float  # of the beats
    noise_correlation: float
    lag_s: float  # the second record starts so much later than the first
    overlap_s: float
    gain: float  # the second is so many times the first; negative: its sign is turned


def waves_of(signal_uv: np.ndarray, rate_hz: int) -> Waves:
    """What `likeness` compares of a record; signal_uv : (12, sample) int16 in `LEADS` order."""
    return Waves(*in_bands(signal_uv, rate_hz, (BEATS, NOISE)))


def is_same(found: Likeness, of_one_patient: bool, shorter_s: float) -> bool:
    """Whether two records are one recording; shorter_s : length of the shorter of the two."""
    least = SAME_PATIENT if of_one_patient else SAME if found.overlap_s >= LONG_S else SAME_SHORT
    enough = bool(found.overlap_s >= enough_overlap_s(of_one_patient, shorter_s))
    return enough and found.correlation >= least and found.noise_correlation >= SAME_NOISE


def enough_overlap_s(of_one_patient: Any, shorter_s: Any) -> Any:
    """Seconds that two records must share to be called one recording; numbers or arrays of them."""
    return np.where(of_one_patient, np.minimum(LONG_S, shorter_s), SHORTEST_S) - 2 * SLACK_S


def likeness(first: Waves, second: Waves, lags_s: Sequence[float], sign: int) -> Likeness | None:
    """Compare two records at each of the lags; None where they are unlike at all of them.

    lags_s : by how much the second starts later than the first; each may be wrong by `SLACK_S`
    sign : -1 where the second has its sign turned
    """
    found = [like for lag in lags_s if (like := _at_lag(first, second, round(lag * RATE_HZ), sign)) is not None]
    return max(found, default=None)


def _at_lag(first: Waves, second: Waves, lag: int, sign: int) -> Likeness | None:
    slack = round(SLACK_S * RATE_HZ)
    margin = round(SETTLED_S * RATE_HZ) + slack
    start = max(0, lag) + margin
    stop = min(first.beats.shape[1], second.beats.shape[1] + lag) - margin
    if (stop - start) < (SHORTEST_S - 3 * SETTLED_S) * RATE_HZ:
        return None
    here = first.beats[:, start:stop]
    tried = sign * _correlations(here, second.beats[:, start - lag - slack : stop - lag + slack])[::-1]
    best = int(np.argmax(tried))
    if tried[best] < ROUGHLY:
        return None
    fine = 0.0
    if 0 < best < 2 * slack:
        fine = float(vertex(*tried[best - 1 : best + 2]))
    whole = lag - slack + best
    there, rest = (shifted(wave, fine)[:, start - whole : stop - whole] * np.float32(sign) for wave in second)
    return Likeness(
        correlation=_correlation(here, there),
        noise_correlation=_between_beats(here, there, first.noise[:, start:stop], rest),
        lag_s=(whole + fine) / RATE_HZ,
        overlap_s=(stop - start + 2 * margin) / RATE_HZ,
        gain=sign * float(np.sqrt(_power(there) / _power(here))),
    )


def _between_beats(here: np.ndarray, there: np.ndarray, noise_here: np.ndarray, noise_there: np.ndarray) -> float:
    """Correlation of the noise in the pieces where the beats of both are smallest."""
    length = round(QUIET_S * RATE_HZ)
    pieces = here.shape[1] // length
    cut = [
        wave[:, : pieces * length].reshape(len(wave), pieces, length) for wave in (here, there, noise_here, noise_there)
    ]
    loud = sum(np.einsum("lpt,lpt->p", wave, wave) / _power(wave) for wave in cut[:2])
    quiet = np.argsort(loud, kind="stable")[: max(3, int(QUIET_SHARE * pieces))]
    return _correlation(cut[2][:, quiet], cut[3][:, quiet])


def _correlations(here: np.ndarray, there: np.ndarray) -> np.ndarray:
    """Correlation of a wave with each stretch of its length of a longer one."""
    length, stretches = here.shape[1], there.shape[1] - here.shape[1] + 1
    power = np.concatenate([[0.0], np.cumsum(np.einsum("lt,lt->t", there, there), dtype=np.float64)])
    products = [float(np.vdot(here, there[:, start : start + length])) for start in range(stretches)]
    found: np.ndarray = np.array(products) / np.sqrt(_power(here) * (power[length:] - power[:-length] + 1e-9))
    return found


def _power(wave: np.ndarray) -> float:
    return float(np.vdot(wave, wave)) + 1e-9


def _correlation(here: np.ndarray, there: np.ndarray) -> float:
    return float(np.vdot(here, there) / np.sqrt(_power(here) * _power(there)))
