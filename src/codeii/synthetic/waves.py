"""From events and shapes to voltages: only the window around each event is computed."""

import numpy as np

from codeii.synthetic.heart import Heart
from codeii.synthetic.morphology import BeatShape, PShape, ectopic_shape, main_shape, p_shape
from codeii.synthetic.read_tables import patterns
from codeii.synthetic.rhythm import Beats

MARGIN_S = 1.2  # events this far outside the tracing are still drawn into its buffer
QT_EXPONENT = 1 / 3  # Fridericia: QT = QTc * RR^(1/3)


def render(heart: Heart, beats: Beats, samples: int, rate_hz: int, rng: np.random.Generator) -> np.ndarray:
    """(8, sample) float32 mV: what the heart alone would give in the eight leads, free of noise."""
    margin = int(MARGIN_S * rate_hz)
    signal = np.zeros((8, samples + 2 * margin), np.float32)
    usual = ~beats.ectopic
    main = main_shape(heart)
    gain = 1 + 0.025 * np.sin(2 * np.pi * heart.breath_hz * beats.qrs_s)
    gain *= 1 - heart.alternans * (np.arange(len(gain)) % 2)
    _add_p_waves(signal, p_shape(heart), beats, rate_hz, margin)
    _add_beats(signal, main, beats.qrs_s[usual], beats.rr_mean_s[usual], gain[usual], rate_hz, margin)
    if beats.ectopic.any():
        wide, at = ectopic_shape(heart), beats.ectopic
        _add_beats(signal, wide, beats.qrs_s[at], beats.rr_mean_s[at], gain[at], rate_hz, margin)
    _add_spikes(signal, heart, beats, rate_hz, margin)
    out = signal[:, margin : margin + samples]
    if heart.f_mv:
        out += _fibrillation(rng, heart, samples, rate_hz)
    if heart.flutter_mv:
        out += _flutter(heart, beats, samples, rate_hz)
    return out


def _grid(at_s: np.ndarray, before_s: float, length_s: float, rate_hz: int) -> tuple[np.ndarray, np.ndarray]:
    """First sample number of each event's window, and (event, sample) float32 seconds relative to the event."""
    first = np.floor((at_s - before_s) * rate_hz).astype(np.int64)
    offset = (first / rate_hz - at_s).astype(np.float32)
    return first, offset[:, None] + (np.arange(int(length_s * rate_hz), dtype=np.float32) / np.float32(rate_hz))


def _add(signal: np.ndarray, waves: np.ndarray, first: np.ndarray, margin: int) -> None:
    """Add (event, 8, sample) windows into the buffer; windows that do not lie wholly in it are left out."""
    length = waves.shape[2]
    for wave, start in zip(waves, (first + margin).tolist(), strict=True):
        if 0 <= start <= signal.shape[1] - length:
            signal[:, start : start + length] += wave


def _gaussians(time: np.ndarray, peak: np.ndarray, width: np.ndarray) -> np.ndarray:
    """(event, part, sample) unit Gaussians at `time` (event, sample)."""
    scaled = (time[:, None, :] - peak[:, None].astype(np.float32)) / (np.sqrt(2) * width[:, None]).astype(np.float32)
    return np.asarray(np.exp(-np.square(scaled)))


def _add_p_waves(signal: np.ndarray, shape: PShape, beats: Beats, rate_hz: int, margin: int) -> None:
    if not len(beats.p_s) or not shape.mv.any():
        return
    first, time = _grid(beats.p_s, 0.03, shape.duration_s + 0.06, rate_hz)
    waves = shape.mv.astype(np.float32) @ _gaussians(time, shape.peak_s, shape.width_s)
    _add(signal, waves * beats.p_gain[:, None, None].astype(np.float32), first, margin)


def _add_beats(
    signal: np.ndarray,
    shape: BeatShape,
    at_s: np.ndarray,
    rr_s: np.ndarray,
    gain: np.ndarray,
    rate_hz: int,
    margin: int,
) -> None:
    """QRS in a short window, everything after it in a longer one that follows QT."""
    first, time = _grid(at_s, 0.03, shape.duration_s + 0.08, rate_hz)
    waves = shape.qrs_mv.astype(np.float32) @ _gaussians(time, shape.qrs_peak_s, shape.qrs_width_s)
    _add(signal, waves * gain[:, None, None].astype(np.float32), first, margin)
    qt = np.clip(shape.qtc_s * np.clip(rr_s, 0.3, 1.6) ** QT_EXPONENT, shape.duration_s + 0.14, 0.68)
    start = shape.duration_s - 0.03
    first, time = _grid(at_s + start, 0.0, float(qt.max()) + 0.12 - start, rate_hz)
    amplitude, basis = _repolarisation(shape, qt, time + np.float32(start))
    _add(signal, amplitude @ basis, first, margin)


def _repolarisation(shape: BeatShape, qt_s: np.ndarray, time: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(8, wave) amplitudes and (event, wave, sample) unit waves of ST, T and, where present, J, sagging and U."""
    qt = qt_s[:, None].astype(np.float32)
    end = np.float32(shape.duration_s)
    fall = 0.098 * shape.t_width * qt
    peak = qt - 2.15 * fall
    width = np.where(time < peak, 1.55 * fall, fall)
    t_wave = np.exp(-0.5 * np.square((time - peak) / width))
    plateau = 0.25 * (1 + np.tanh((time - end) / np.float32(0.007))) * (1 - np.tanh((time - peak) / np.float32(0.045)))
    amplitude, basis = [shape.st_mv, shape.t_mv], [plateau, t_wave]
    if shape.j_mv.any():
        amplitude.append(shape.j_mv)
        basis.append(np.exp(-0.5 * np.square((time - end - np.float32(0.010)) / np.float32(0.014))))
    if shape.scoop_mv.any():
        amplitude.append(shape.scoop_mv)
        middle = 0.5 * (end + peak) + np.float32(0.01)
        basis.append(np.exp(-0.5 * np.square((time - middle) / (0.24 * (peak - end)))))
    if shape.u_mv.any():
        amplitude.append(shape.u_mv)
        basis.append(np.exp(-0.5 * np.square((time - qt - np.float32(0.035)) / np.float32(0.026))))
    return np.stack(amplitude, axis=1).astype(np.float32), np.stack(basis, axis=1).astype(np.float32)


def _add_spikes(signal: np.ndarray, heart: Heart, beats: Beats, rate_hz: int, margin: int) -> None:
    """Pacing stimuli, 2 ms wide: before each P wave and before each QRS that is not ectopic."""
    width = np.array([max(0.0010, 0.55 / rate_hz)])
    stimuli = (
        (heart.atrial_spike_mv, "atrial_spike", beats.p_s - 0.008),
        (heart.ventricular_spike_mv, "ventricular_spike", beats.qrs_s[~beats.ectopic] - 0.006),
    )
    for size, name, at_s in stimuli:
        if size and len(at_s):
            first, time = _grid(at_s, 0.010, 0.020, rate_hz)
            _add(
                signal,
                (size * patterns()[name][:, None]).astype(np.float32) @ _gaussians(time, np.zeros(1), width),
                first,
                margin,
            )


def _fibrillation(rng: np.random.Generator, heart: Heart, samples: int, rate_hz: int) -> np.ndarray:
    """Fibrillatory waves: three components of 4.5 to 8 Hz whose phase and size drift."""
    time = np.arange(samples, dtype=np.float32) / np.float32(rate_hz)
    wave = np.zeros(samples, np.float32)
    for share in (1.0, 0.6, 0.45):
        rate, slow, size = rng.uniform(4.6, 8.0), rng.uniform(0.2, 0.7), rng.uniform(0.15, 0.5)
        phase = 2 * np.pi * rng.random(3)
        drift = np.float32(1.3) * np.sin(np.float32(2 * np.pi * slow) * time + np.float32(phase[0]))
        swell = 1 + np.float32(0.5) * np.sin(np.float32(2 * np.pi * size) * time + np.float32(phase[1]))
        wave += np.float32(share) * swell * np.sin(np.float32(2 * np.pi * rate) * time + drift + np.float32(phase[2]))
    return np.asarray((0.5 * heart.f_mv * patterns()["fibrillation"]).astype(np.float32)[:, None] * wave)


def _flutter(heart: Heart, beats: Beats, samples: int, rate_hz: int) -> np.ndarray:
    """Flutter waves: a saw-tooth without flat line, in step with the QRS complexes."""
    period = 60 / heart.flutter_bpm
    phase = (np.arange(samples, dtype=np.float64) / rate_hz - beats.qrs_s[0]) / period
    turn = (2 * np.pi * (phase - np.floor(phase))).astype(np.float32)
    saw = np.sin(turn) + np.float32(0.42) * np.sin(2 * turn) + np.float32(0.20) * np.sin(3 * turn)
    return np.asarray((0.55 * heart.flutter_mv * patterns()["flutter"]).astype(np.float32)[:, None] * saw)
