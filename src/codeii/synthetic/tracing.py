"""One tracing of twelve leads, and what happened in it."""

import numpy as np

from codeii.schema.leads import EIGHT, LEADS, derive
from codeii.synthetic.heart import Heart
from codeii.synthetic.noise import electrode_noise
from codeii.synthetic.read_tables import lead_swaps
from codeii.synthetic.rhythm import Beats, draw_beats
from codeii.synthetic.waves import render


def simulate(
    heart: Heart, samples: int, rate_hz: int, mains_hz: int, seed: np.random.SeedSequence
) -> tuple[np.ndarray, Beats]:
    """Simulate one tracing.

    Returns (12, sample) float32 mV in `LEADS` order and the events it shows. Rhythm, atrial waves and noise have
    their own streams of random numbers, so that a change of one leaves the others as they were.
    """
    rhythm_rng, wave_rng, noise_rng = (np.random.Generator(np.random.PCG64(child)) for child in seed.spawn(3))
    beats = draw_beats(rhythm_rng, heart, samples / rate_hz)
    eight = render(heart, beats, samples, rate_hz, wave_rng)
    for name, on in (("arms", heart.arms), ("mirror", heart.mirror)):
        if on:
            eight = lead_swaps()[name].astype(np.float32) @ eight
    eight = eight + electrode_noise(noise_rng, heart, samples, rate_hz, mains_hz)
    return _twelve(eight), beats


def _twelve(eight: np.ndarray) -> np.ndarray:
    """(12, sample) from (8, sample): the limb leads follow Einthoven and Goldberger."""
    row = {name: index for index, name in enumerate(EIGHT)}
    out = np.empty((12, eight.shape[1]), np.float32)
    for index, name in enumerate(LEADS):
        out[index] = eight[row[name]] if name in row else derive(name, eight[0], eight[1])
    return out
