"""Metric of the PhysioNet/Computing in Cardiology Challenge 2020 (Perez Alday et al. 2020)."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from codeii.evaluation.whole import Whole

# Each scored diagnosis by its SNOMED CT code, and its reward in 80ths for being called where each of those before it is
# true, or the other way round (weights.csv of the Challenge's evaluation-2020, BSD-2-Clause, by Reyna et al.).
WEIGHTS = """
270492004 80
164889003 24 80
164890007 24 40 80
426627000 40 24 24 80
713427006 32 32 32 32 80
713426002 40 24 24 40 32 80
445118002 36 28 28 36 36 36 80
39732003 36 28 28 36 36 36 40 80
164909002 26 38 38 26 34 26 30 30 80
251146004 30 34 34 30 38 30 34 34 36 80
698252002 36 28 28 36 36 36 40 40 30 34 80
10370003 34 30 30 34 38 34 38 38 32 36 38 80
284470004 37 27 27 37 35 37 39 39 29 33 39 37 80
427172004 34 30 30 34 38 34 38 38 32 36 38 40 37 80
164947007 40 24 24 40 32 40 36 36 26 30 36 34 37 34 80
111975006 28 36 36 28 36 28 32 32 38 38 32 34 31 34 28 80
164917005 16 32 32 16 24 16 20 20 30 26 20 22 19 22 16 28 80
47665007 36 28 28 36 36 36 40 40 30 34 40 38 39 38 36 32 20 80
427393009 40 24 24 40 32 40 36 36 26 30 36 34 37 34 40 28 16 36 80
426177001 40 24 24 40 32 40 36 36 26 30 36 34 37 34 40 28 16 36 40 80
426783006 36 20 20 36 28 36 32 32 22 26 32 30 33 30 36 24 12 32 36 36 80
427084000 34 30 30 34 38 34 38 38 32 36 38 40 37 40 34 34 22 38 34 34 30 80
164934002 24 40 40 24 32 24 28 28 38 34 28 30 27 30 24 36 32 28 24 24 20 30 80
59931005 24 40 40 24 32 24 28 28 38 34 28 30 27 30 24 36 32 28 24 24 20 30 40 80
"""
SAME = {"59118001": "713427006", "63593006": "284470004", "17338001": "427172004"}  # scored as one diagnosis
SINUS_RHYTHM = "426783006"
# Classes of CPSC 2018; the last three are not scored: the Challenge's code of a PVC is another one.
CODES = {
    "Normal": SINUS_RHYTHM,
    "AF": "164889003",
    "I-AVB": "270492004",
    "LBBB": "164909002",
    "RBBB": "59118001",
    "PAC": "284470004",
    "PVC": "164884008",
    "STD": "429622005",
    "STE": "164931005",
}


def why_not(classes: Sequence[str]) -> str:
    """It applies where each class is a SNOMED CT code or one of CPSC 2018, and sinus rhythm is among them."""
    odd = [name for name in classes if not _code(name).isdecimal()]
    if odd:
        return f"{len(odd)} classes have no code of the Challenge ({', '.join(odd[:3])}{', ...' if odd[3:] else ''})"
    return "" if SINUS_RHYTHM in map(_code, classes) else "sinus rhythm, which it is measured from, is no class"


def rows(classes: Sequence[str]) -> dict[str, tuple[str, ...]]:
    """One number for all classes that the Challenge scores."""
    codes, _ = scored_weights()
    return {"all": tuple(name for name in classes if SAME.get(_code(name), _code(name)) in codes)}


def judged(target: np.ndarray) -> NDArray[np.bool_]:
    """All exams: one without a scored class can still be called wrongly."""
    return np.ones(len(target), bool)


def score_all(whole: Whole) -> dict[str, NDArray[np.float64]]:
    """The reward for the decisions; 1: all are right, 0: as good as calling sinus rhythm always; it may be below 0.

    An exam's reward is the sum of the weights of its true classes with the called ones, over the number of classes
    that are true, called or both. Classes that the Challenge does not score are left out.
    """
    codes, weights = scored_weights()
    target, called = (_by_code(whole.classes, values, codes) for values in (whole.target, whole.called))
    sinus = np.zeros_like(called)
    sinus[:, codes.index(SINUS_RHYTHM)] = True
    given, right, inactive = (whole.times @ _reward(target, answer, weights) for answer in (called, target, sinus))
    span = right - inactive
    return {"all": np.divide(given - inactive, span, out=np.full(len(span), np.nan), where=span != 0)}


def scored_weights() -> tuple[list[str], NDArray[np.float64]]:
    """Codes of the scored diagnoses, one for those that are the same, and their (code, code) weights."""
    lines = [line.split() for line in WEIGHTS.split("\n") if line]
    weights = np.zeros((len(lines), len(lines)))
    for row, line in enumerate(lines):
        weights[row, : row + 1] = weights[: row + 1, row] = [int(number) / 80 for number in line[1:]]
    return [line[0] for line in lines], weights


def _code(name: str) -> str:
    return CODES.get(name, name)


def _by_code(classes: Sequence[str], values: np.ndarray, codes: Sequence[str]) -> NDArray[np.bool_]:
    """(exam, code) bool of (exam, class) bool; classes that mean the same are joined."""
    table = np.zeros((len(values), len(codes)), bool)
    for number, name in enumerate(classes):
        code = SAME.get(_code(name), _code(name))
        if code in codes:
            table[:, codes.index(code)] |= values[:, number]
    return table


def _reward(target: np.ndarray, called: np.ndarray, weights: np.ndarray) -> NDArray[np.float64]:
    """(exam,) reward of each exam."""
    reward: NDArray[np.float64] = ((target @ weights) * called).sum(axis=1) / np.maximum(
        (target | called).sum(axis=1), 1
    )
    return reward
