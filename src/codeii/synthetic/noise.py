"""What the skin, the muscles, the cable and the mains add, electrode by electrode, so that Einthoven's law holds."""

import numpy as np

from codeii.synthetic.heart import Heart

# Rows I, II, V1-V6; columns RA, LA, LL, V1-V6. Chest leads are measured against the mean of the limb electrodes.
OF_ELECTRODES = np.zeros((8, 9))
OF_ELECTRODES[0, [0, 1]] = -1.0, 1.0
OF_ELECTRODES[1, [0, 2]] = -1.0, 1.0
OF_ELECTRODES[2:, :3] = -1 / 3
OF_ELECTRODES[2:, 3:] = np.eye(6)
LIMBS = slice(0, 3)


def electrode_noise(rng: np.random.Generator, heart: Heart, samples: int, rate_hz: int, mains_hz: int) -> np.ndarray:
    """(8, sample) float32 mV of noise in the eight leads."""
    noise = _white(rng, heart, samples, rate_hz)
    noise += _slow_and_mains(rng, heart, samples, rate_hz, mains_hz)
    if heart.tremor_uv:
        noise[LIMBS] += _tremor(rng, heart, samples, rate_hz)
    if heart.contact_uv:
        noise[rng.integers(9)] += _poor_contact(rng, heart, samples, rate_hz)
    return np.asarray(OF_ELECTRODES.astype(np.float32) @ noise)


def _white(rng: np.random.Generator, heart: Heart, samples: int, rate_hz: int) -> np.ndarray:
    """Amplifier and muscle: flat up to about 150 Hz whatever the rate, with its size per electrode."""
    raw = rng.standard_normal((9, samples + 3), dtype=np.float32)
    if rate_hz > 500:
        raw = np.float32(0.6) * (raw[:, :-2] + raw[:, 1:-1] + raw[:, 2:])
    size = np.hypot(heart.white_uv, heart.muscle_uv * np.exp(0.4 * rng.standard_normal(9))) / 1000
    return np.asarray(raw[:, :samples] * size[:, None].astype(np.float32))


def _slow_and_mains(rng: np.random.Generator, heart: Heart, samples: int, rate_hz: int, mains_hz: int) -> np.ndarray:
    """Baseline wander (breath and two slower drifts) and mains hum with its third harmonic: few sines, many weights."""
    hum_hz = mains_hz * (1 + 0.0004 * rng.standard_normal())
    rates = [heart.breath_hz, rng.uniform(0.05, 0.12), rng.uniform(0.3, 0.55), hum_hz]
    sizes = [heart.wander_uv, heart.wander_uv, 0.35 * heart.wander_uv, heart.mains_uv]
    if 3 * hum_hz < rate_hz / 2:
        rates.append(3 * hum_hz)
        sizes.append(0.15 * heart.mains_uv)
    time = np.arange(samples) / rate_hz
    phase = rng.random(len(rates))
    turns = np.asarray(rates)[:, None] * time + phase[:, None]
    waves = np.sin((2 * np.pi * (turns - np.floor(turns))).astype(np.float32))
    weight = rng.standard_normal((9, len(rates))) * np.asarray(sizes) / 1000
    return np.asarray(weight.astype(np.float32) @ waves)


def _tremor(rng: np.random.Generator, heart: Heart, samples: int, rate_hz: int) -> np.ndarray:
    """Trembling arms and legs: bursts of 4 to 7 Hz with muscle noise upon them."""
    time = np.arange(samples, dtype=np.float32) / np.float32(rate_hz)
    rate, phase = rng.uniform(4, 7), 2 * np.pi * rng.random(4)
    swell = 0.65 + 0.35 * np.sin(np.float32(2 * np.pi * 0.4) * time + np.float32(phase[3]))
    wave = np.sin(np.float32(2 * np.pi * rate) * time + phase[:3, None].astype(np.float32))
    rough = np.float32(0.8) * rng.standard_normal((3, samples), dtype=np.float32)
    return np.asarray((wave + rough) * swell * np.float32(heart.tremor_uv / 1000))


def _poor_contact(rng: np.random.Generator, heart: Heart, samples: int, rate_hz: int) -> np.ndarray:
    """A loose electrode: steps that decay, and rough noise while it moves."""
    time = np.arange(samples, dtype=np.float32) / np.float32(rate_hz)
    out = np.float32(0.05 * heart.contact_uv / 1000) * rng.standard_normal(samples, dtype=np.float32)
    for _ in range(int(rng.integers(2, 5))):
        since = time - np.float32(rng.uniform(0, samples / rate_hz))
        step = np.float32(heart.contact_uv / 1000 * rng.choice([-1.0, 1.0]) * rng.uniform(0.5, 1.0))
        out += np.where(since > 0, step * np.exp(-np.maximum(since, 0) / np.float32(rng.uniform(0.15, 0.6))), 0)
    return out
