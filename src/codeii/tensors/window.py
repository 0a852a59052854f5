"""Every record to one length."""

import numpy as np

PLACEMENTS = ("centre", "first")


def place(signal: np.ndarray, samples: int, placement: str) -> np.ndarray:
    """Cut a longer signal and pad a shorter one with zeros, to exactly `samples`.

    signal : (..., sample) array, any unit  ->  (..., samples), same dtype and unit.

    `centre` keeps the middle and pads both sides; an odd sample over is cut, or padded, at the end.
    `first` keeps the beginning and pads the end. Raises ValueError on another word or on samples <= 0.
    """
    if placement not in PLACEMENTS or samples <= 0:
        raise ValueError(f"placement {placement!r} to {samples} samples; placements are {', '.join(PLACEMENTS)}")
    surplus = signal.shape[-1] - samples
    before = abs(surplus) // 2 if placement == "centre" else 0
    if surplus >= 0:
        return signal[..., before : before + samples]
    out = np.zeros((*signal.shape[:-1], samples), signal.dtype)
    out[..., before : before + signal.shape[-1]] = signal
    return out
