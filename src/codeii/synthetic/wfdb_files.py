"""WFDB records and MATLAB v4 matrices as PhysioNet publishes them, written with a few array operations.

Facts: WFDB header(5) and signal(5): format 16 is int16, little endian, interleaved by sample; -32768 means that
there is no value; the checksum is the sum of a signal's samples modulo 65,536.
"""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from codeii.schema.leads import LEADS
from codeii.schema.units import LARGEST_UV

NO_VALUE = -32_768
COUNTS_PER_MV = 1000
GAIN = "1000.0(0)/mV"
GAIN_OF_WRONG_UNIT = "1.0(0)/mV"  # the counts are microvolts, the header says millivolts
MATLAB4_HEADER_BYTES = 24


def to_counts(signal_mv: np.ndarray) -> np.ndarray:
    """Round mV to int16 counts of 1 uV; NaN becomes format 16's "no value", larger values are clipped."""
    scaled = np.rint(signal_mv * np.float32(COUNTS_PER_MV))
    clipped = np.clip(scaled, -LARGEST_UV, LARGEST_UV)
    return np.where(np.isnan(clipped), NO_VALUE, clipped).astype(np.int16)


def write_wfdb(
    stem: Path, counts: np.ndarray, rate_hz: int, lead_names: Sequence[str] = LEADS, fault: str | None = None
) -> list[Path]:
    """Write `<stem>.hea` and `<stem>.dat` (format 16, 1000 counts per mV). Returns both paths.

    counts : (lead, sample) int16, uV. fault : a word of `planted.SENTENCES` that concerns the files.
    """
    name = stem.name
    gain = GAIN_OF_WRONG_UNIT if fault == "wrong_unit" else GAIN
    sums = counts.sum(axis=1, dtype=np.int64) + (np.arange(len(counts)) == 0) * (fault == "wrong_checksum")
    lines = [f"{name} {len(counts)} {rate_hz} {counts.shape[1]}"]
    for lead, first, total in zip(lead_names, counts[:, 0].tolist(), sums.tolist(), strict=True):
        lines.append(f"{name}.dat 16 {gain} 16 0 {first} {total % 65_536} 0 {lead}")
    header, data = stem.with_name(f"{name}.hea"), stem.with_name(f"{name}.dat")
    header.write_bytes(("\n".join(lines) + "\n").encode())
    data.write_bytes(_cut(_interleaved(counts), fault))
    return [header, data]


def write_challenge(
    stem: Path, counts: np.ndarray, rate_hz: int, comments: Sequence[str], fault: str | None = None
) -> list[Path]:
    """Write `<stem>.hea` and a MATLAB v4 `<stem>.mat` (int16 `val`) as the PhysioNet Challenges do. Returns both.

    counts : (12, sample) int16, uV, in `LEADS` order. Checksums are signed here, unlike in PTB-XL.
    """
    name = stem.name
    gain = "1/mV" if fault == "wrong_unit" else "1000/mV"
    # the Challenge's headers carry the date of their conversion; a twin has none of its own
    lines = [f"{name} 12 {rate_hz} {counts.shape[1]} 12-May-2020 12:33:59"]
    sums = counts.sum(axis=1, dtype=np.int64).astype(np.int16)
    for lead, first, total in zip(LEADS, counts[:, 0].tolist(), sums.tolist(), strict=True):
        lines.append(f"{name}.mat 16+{MATLAB4_HEADER_BYTES} {gain} 16 0 {first} {total} 0 {lead}")
    header, data = stem.with_name(f"{name}.hea"), stem.with_name(f"{name}.mat")
    header.write_bytes(("\n".join([*lines, *comments]) + "\n").encode())
    if fault == "absent":  # there is no other table: only its header still names the recording
        return [header]
    # MATLAB v4: type 30 (int16, little endian), rows, columns, not complex, length of the name, the name
    matrix = np.array([30, *counts.shape, 0, 4], "<i4").tobytes() + b"val\0" + _interleaved(counts)
    data.write_bytes(_cut(matrix, fault))
    return [header, data]


def _interleaved(counts: np.ndarray) -> bytes:
    return np.ascontiguousarray(counts.T, "<i2").tobytes()


def _cut(content: bytes, fault: str | None) -> bytes:
    return content[: len(content) // 2 // 2 * 2] if fault == "truncated" else content
