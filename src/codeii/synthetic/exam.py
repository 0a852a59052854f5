"""One synthetic exam: what a writer needs to put it on disk in a source's own format."""

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True, slots=True)
class TwinExam:
    """One exam of a synthetic twin. `findings` is the truth behind the signal and is never written to disk."""

    exam_id: str  # "1", "2", ... in order of the population; a writer gives it the source's own shape
    patient_id: str  # as text, a positive integer
    age_years: float
    sex: str  # "female" or "male"
    statements: tuple[str, ...]  # what the twin's source says of it, in the source's vocabulary, label noise applied
    findings: tuple[str, ...]  # what was simulated, in the vocabulary of findings.csv
    fold: str  # "1".."10" (ptbxl), "train" or "validation" (code_ii_open), "" elsewhere
    rate_hz: int
    tracings_mv: tuple[np.ndarray, ...]  # each (12, sample) float32, mV, rows in LEADS order, successive in time
