"""Faults planted in a twin on purpose, so that the study's list of exclusions has something true to find.

Real releases hold damaged records; a twin without any would never show that the study names and counts them.
The faults are few (fewer than 1 % of the exams), fixed by the seed, and listed in the twin's README.txt.
"""

from collections.abc import Sequence

import numpy as np

from codeii.schema.splits import uniform_of

EXAMS_PER_FAULT = 125  # keeps the share at 0.8 % or less; a twin with fewer exams has none

# What is wrong with the record, as README.txt says it.
SENTENCES = {
    "absent": "named in the table, but there is no such recording",
    "truncated": "the signal file ends half-way",
    "wrong_checksum": "the checksum of the first lead in the header does not fit the samples",
    "no_value": "a stretch of lead V3 is marked as not measured",
    "flat": "every sample is zero, as with electrodes that were never connected",
    "wrong_unit": "amplitudes are a thousand times too large: microvolts declared as millivolts",
}


def plant(kinds: Sequence[str], count: int, seed: int) -> dict[str, str]:
    """Exam id -> kind of fault: each of `kinds` at most once, one for every 125 of the exams "1" to `count`."""
    unknown = sorted(set(kinds) - set(SENTENCES))
    if unknown:
        raise ValueError(f"fault {', '.join(unknown)} is not one of {', '.join(SENTENCES)}")
    chosen = list(kinds)[: count // EXAMS_PER_FAULT]
    ids = sorted(
        (str(number) for number in range(1, count + 1)), key=lambda key: (uniform_of(f"fault {key}", seed), key)
    )
    return dict(zip(ids, chosen, strict=False))


def spoil(signal_mv: np.ndarray, kind: str | None) -> np.ndarray:
    """(12, sample) mV with the fault `kind` where that fault is one of the samples; else the signal itself."""
    if kind == "flat":
        return np.zeros_like(signal_mv)
    if kind == "no_value":
        spoilt = signal_mv.copy()
        start, length = spoilt.shape[1] // 3, max(1, spoilt.shape[1] // 100)
        spoilt[8, start : start + length] = np.nan
        return spoilt
    return signal_mv
