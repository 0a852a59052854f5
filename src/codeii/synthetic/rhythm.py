"""When things happen: P waves, QRS complexes and pacing spikes of one tracing, from the numbers of a heart."""

from dataclasses import dataclass

import numpy as np

from codeii.synthetic.heart import Heart

LEAD_IN_S = 2.0  # beats start before the tracing, so that its first sample lies anywhere in a cycle
SHORTEST_S = 0.24
RETROGRADE = -0.8


@dataclass(frozen=True, slots=True)
class Beats:
    """Events of one tracing, seconds from its first sample; some lie before it or after its end."""

    p_s: np.ndarray  # onset of each P wave
    p_gain: np.ndarray  # its size relative to the heart's usual P; negative when it spreads upwards
    qrs_s: np.ndarray  # onset of each QRS
    ectopic: np.ndarray  # True where the QRS starts in the ventricle out of turn
    rr_s: np.ndarray  # interval before each QRS
    rr_mean_s: np.ndarray  # smoothed interval, to which QT adapts
    pr_s: np.ndarray  # PR of each QRS, NaN where no P wave leads to it


def draw_beats(rng: np.random.Generator, heart: Heart, duration_s: float) -> Beats:
    """Draw the events of one tracing of `duration_s`."""
    interval, tachycardia = _intervals(rng, heart, duration_s)
    at = np.cumsum(interval) - LEAD_IN_S - interval[0] * rng.random()
    early = _premature_atrial(rng, heart, at, duration_s)
    at = at - 0.34 * interval * early
    p_gain = np.where(early, 0.65, 1.0) + heart.p_wander * rng.standard_normal(len(at))
    p_gain[tachycardia] = 0.0
    pr = _pr(heart, interval, at, rng)
    if heart.dissociated:
        return _dissociated(rng, heart, at, p_gain, duration_s)
    conducted = ~np.isnan(pr)
    ectopic = _premature_ventricular(rng, heart, at, duration_s) & conducted
    qrs = np.where(ectopic, at + pr - 0.36 * interval, at + pr)
    p_gain = np.where(ectopic, 0.0, p_gain)
    has_p = (p_gain != 0) & (heart.p_gain != 0)
    leads_to = np.where(has_p & ~ectopic, pr, np.nan)
    return _beats(at[has_p], p_gain[has_p], qrs[conducted], ectopic[conducted], leads_to[conducted])


def _intervals(rng: np.random.Generator, heart: Heart, duration_s: float) -> tuple[np.ndarray, np.ndarray]:
    """Atrial intervals over the tracing and its margins, and which of them are in paroxysm."""
    fastest = max(heart.bpm, heart.tachycardia_bpm, 40.0) * (2.0 if heart.irregular else 1.3)
    count = int((duration_s + 2 * LEAD_IN_S) * fastest / 60) + 4
    mean = 60 / heart.bpm
    phase = 2 * np.pi * (heart.breath_hz * mean * np.arange(count) + rng.random())
    interval = mean * (1 + heart.rsa * np.sin(phase) + heart.jitter * rng.standard_normal(count))
    if heart.irregular:
        shape = heart.irregular**-2
        interval = np.maximum(mean * rng.gamma(shape, 1 / shape, count), 0.32)
    if heart.flutter_ratio:
        interval = _flutter_intervals(rng, heart, count)
    if heart.pause_s:
        interval[_index_within(rng, interval, duration_s)] += heart.pause_s
    tachycardia = np.zeros(count, bool)
    if heart.tachycardia_bpm:
        start = LEAD_IN_S + duration_s * (1 - heart.tachycardia_share)
        tachycardia = np.cumsum(interval) > start
        interval[tachycardia] = 60 / heart.tachycardia_bpm * (1 + 0.004 * rng.standard_normal(int(tachycardia.sum())))
    return np.maximum(interval, SHORTEST_S), tachycardia


def _flutter_intervals(rng: np.random.Generator, heart: Heart, count: int) -> np.ndarray:
    ratio = np.full(count, round(heart.flutter_ratio))
    change = rng.random(count) < heart.flutter_vary
    ratio[change] = rng.choice([2, 3, 4], int(change.sum()))
    return np.asarray(ratio * 60 / heart.flutter_bpm)


def _index_within(rng: np.random.Generator, interval: np.ndarray, duration_s: float) -> int:
    """Index of an interval that surely lies inside the tracing."""
    end = np.cumsum(interval) - LEAD_IN_S
    inside = np.flatnonzero((end > 0.25 * duration_s) & (end < 0.6 * duration_s))
    return int(rng.choice(inside)) if len(inside) else len(interval) // 2


def _some(rng: np.random.Generator, share: float, at: np.ndarray, duration_s: float) -> np.ndarray:
    """Choose a share of the events, never two in a row, at least one of them well inside the tracing."""
    chosen = rng.random(len(at)) < share
    inside = np.flatnonzero((at > 0.15 * duration_s) & (at < 0.85 * duration_s))
    if len(inside) and not chosen[inside].any():
        chosen[rng.choice(inside)] = True
    chosen[1:] &= ~chosen[:-1]
    return chosen


def _premature_atrial(rng: np.random.Generator, heart: Heart, at: np.ndarray, duration_s: float) -> np.ndarray:
    return _some(rng, heart.pac, at, duration_s) if heart.pac else np.zeros(len(at), bool)


def _premature_ventricular(rng: np.random.Generator, heart: Heart, at: np.ndarray, duration_s: float) -> np.ndarray:
    if heart.pvc_every:
        every = round(heart.pvc_every)
        return np.asarray(np.arange(len(at)) % every == rng.integers(every))
    return _some(rng, heart.pvc, at, duration_s) if heart.pvc else np.zeros(len(at), bool)


def _pr(heart: Heart, interval: np.ndarray, at: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """PR interval of each P wave, NaN where it is dropped. It shortens a little with rate."""
    usual = heart.pr_ms - 0.20 * (min(60 / float(np.median(interval)), 110.0) - 70) * (heart.pr_ms > 100)
    pr = usual / 1000 + 0.002 * rng.standard_normal(len(at)) + 0.012 * heart.p_wander * rng.standard_normal(len(at))
    if heart.drop_every:
        every = round(heart.drop_every)
        place = (np.arange(len(at)) + rng.integers(every)) % every
        pr = np.where(place == every - 1, np.nan, pr + heart.pr_growth_ms / 1000 * np.sqrt(place))
    return pr


def _dissociated(
    rng: np.random.Generator, heart: Heart, p_s: np.ndarray, p_gain: np.ndarray, duration_s: float
) -> Beats:
    """Complete block: the P waves go their way, an escape rhythm makes the QRS complexes."""
    count = int((duration_s + 2 * LEAD_IN_S) * heart.escape_bpm / 60) + 4
    interval = 60 / heart.escape_bpm * (1 + 0.01 * rng.standard_normal(count))
    qrs = np.cumsum(interval) - LEAD_IN_S - interval[0] * rng.random()
    seen = np.full(len(p_s), heart.p_gain != 0)
    return _beats(p_s[seen], p_gain[seen], qrs, np.zeros(count, bool), np.full(count, np.nan))


def _beats(p_s: np.ndarray, p_gain: np.ndarray, qrs_s: np.ndarray, ectopic: np.ndarray, pr_s: np.ndarray) -> Beats:
    rr = np.diff(qrs_s, prepend=2 * qrs_s[0] - qrs_s[1])
    padded = np.concatenate(([rr[0], rr[0]], rr))
    smooth = 0.5 * padded[2:] + 0.3 * padded[1:-1] + 0.2 * padded[:-2]
    return Beats(p_s, p_gain, qrs_s, ectopic, rr, smooth, pr_s)
