"""Voltage units and the one integer scale of the stores: one count is one microvolt."""

import numpy as np

MICROVOLTS_PER = {"uv": 1.0, "µv": 1.0, "μv": 1.0, "mv": 1e3, "v": 1e6, "nv": 1e-3}
LARGEST_UV = 32_767  # int16; -32768 is WFDB format 16's "no value" and is never written


def microvolts_per(unit: str) -> float:
    """Microvolts in one `unit` (`mV`, `uV`, `V`, `nV`, any case). Raises ValueError on another word."""
    factor = MICROVOLTS_PER.get(unit.strip().lower())
    if factor is None:
        raise ValueError(f"unit {unit!r} is not one of nV, uV, mV, V")
    return factor


def to_counts_uv(signal_uv: np.ndarray) -> tuple[np.ndarray, int]:
    """Round a signal in microvolts to int16 counts of 1 uV, and count the samples beyond +-32.767 mV.

    Raises ValueError on NaN or infinity: an integer cannot say "unknown".
    """
    if not np.isfinite(signal_uv).all():
        raise ValueError(f"{int((~np.isfinite(signal_uv)).sum())} samples are not finite")
    rounded = np.rint(signal_uv)
    clipped = int((np.abs(rounded) > LARGEST_UV).sum())
    return np.clip(rounded, -LARGEST_UV, LARGEST_UV).astype(np.int16), clipped
