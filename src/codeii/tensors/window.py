"""Every record to tensors of one length: which parts of it are taken, and what is padded with zeros."""

import numpy as np

PLACEMENTS = ("centre", "first", "sections")


def starts_of(length: int, samples: int, placement: str) -> tuple[int, ...]:
    """First sample of each tensor that is taken from a record of `length`; below 0: so many zeros come before it.

    `centre` keeps the middle and pads both sides; an odd sample over is cut, or padded, at the end.
    `first` keeps the beginning and pads the end. `sections` is `sections_of`.
    Raises ValueError on another word or on samples <= 0.
    """
    if placement not in PLACEMENTS or samples <= 0:
        raise ValueError(f"placement {placement!r} to {samples} samples; placements are {', '.join(PLACEMENTS)}")
    if placement == "sections":
        return sections_of(length, samples)
    surplus = length - samples
    before = abs(surplus) // 2 if placement == "centre" else 0
    return (before if surplus >= 0 else -before,)


def sections_of(length: int, samples: int) -> tuple[int, ...]:
    """First sample of each section of `samples` into which a record of `length` is cut.

    Sections follow one another without a gap. Where the last one would run over the end it is moved back to end with
    the record: it shares samples with the one before, but every sample of the record is in a section and no section
    of a long record is padded. A record that is not longer than a section is one section, padded on both sides.
    """
    if length <= samples:
        return starts_of(length, samples, "centre")
    starts = list(range(0, length - samples + 1, samples))
    return tuple(starts if starts[-1] + samples == length else [*starts, length - samples])


def place(signal: np.ndarray, samples: int, placement: str) -> np.ndarray:
    """Cut a longer signal and pad a shorter one with zeros, to exactly `samples`.

    signal : (record, ..., sample) array, any unit  ->  (row, ..., samples), same dtype and unit. There is one row a
    record, in order; with `sections` as many as `starts_of` names, those of one record one after the other.
    Raises ValueError on an unknown placement or on samples <= 0.
    """
    starts = starts_of(signal.shape[-1], samples, placement)
    parts = [_cut(signal, start, samples) for start in starts]
    if len(parts) == 1:
        return parts[0]
    rows = np.stack(parts, axis=1)
    return rows.reshape(-1, *rows.shape[2:])


def _cut(signal: np.ndarray, start: int, samples: int) -> np.ndarray:
    if start >= 0 and start + samples <= signal.shape[-1]:
        return signal[..., start : start + samples]
    out = np.zeros((*signal.shape[:-1], samples), signal.dtype)
    kept = signal[..., max(start, 0) : start + samples]
    before = max(-start, 0)
    out[..., before : before + kept.shape[-1]] = kept
    return out
