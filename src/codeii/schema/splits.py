"""Splits and fractions that depend on names alone: never on row order, platform or library version."""

import hashlib
from collections.abc import Mapping, Sequence

import numpy as np

SPLITS = ("train", "validation", "test")


def uniform_of(key: str, seed: int) -> float:
    """A number in [0, 1) fixed by `key` and `seed` (first 8 bytes of their sha256)."""
    digest = hashlib.sha256(f"{seed}:{key}".encode()).digest()
    return int.from_bytes(digest[:8], "big") / 2.0**64


def stratified_position(keys: Sequence[str], strata: Sequence[str], seed: int) -> np.ndarray:
    """Place every key in [0, 1) so that any interval holds about the same share of every stratum.

    Within a stratum keys are ranked by `uniform_of`; rank r of n sits at (r + offset) / n, the offset fixed by the
    stratum's name. Taking the keys below 0.1 thus draws a stratified tenth, and fractions are nested.

    Raises ValueError on a key given twice.
    """
    if len(set(keys)) != len(keys):
        raise ValueError("stratified_position needs unique keys")
    members: dict[str, list[tuple[float, str]]] = {}
    for key, stratum in zip(keys, strata, strict=True):
        members.setdefault(stratum, []).append((uniform_of(key, seed), key))
    position: dict[str, float] = {}
    for stratum, ranked in members.items():
        offset = uniform_of(f"stratum {stratum}", seed)
        for rank, (_, key) in enumerate(sorted(ranked)):
            position[key] = (rank + offset) / len(ranked)
    return np.array([position[key] for key in keys])


def rarest_class(targets: np.ndarray) -> list[str]:
    """Stratum of each row of a (row, class) 0/1 array: its rarest positive class, "none" where it has none."""
    order = np.argsort(targets.sum(axis=0), kind="stable")
    strata = []
    for row in targets[:, order]:
        positive = np.flatnonzero(row)
        strata.append(str(order[positive[0]]) if len(positive) else "none")
    return strata


def split_by_fold(folds: Sequence[str], table: Mapping[str, Sequence[str]]) -> list[str]:
    """Split of each record from the source's own fold; "" where the fold belongs to no split."""
    of_fold = {str(fold): split for split, members in table.items() for fold in members}
    return [of_fold.get(str(fold), "") for fold in folds]


def split_by_patient(
    patient_ids: Sequence[str], targets: np.ndarray, shares: Mapping[str, float], seed: int
) -> list[str]:
    """Stratified split in which a patient's records stay together.

    A patient's stratum is the rarest class of all their records. `shares` are fractions that sum to 1, laid
    along [0, 1) in the order given. Row order does not matter.
    """
    patients = sorted(set(patient_ids))
    row_of = {patient: row for row, patient in enumerate(patients)}
    of_patient = np.zeros((len(patients), targets.shape[1]), targets.dtype)
    np.maximum.at(of_patient, [row_of[patient] for patient in patient_ids], targets)
    position = stratified_position(patients, rarest_class(of_patient), seed)
    edges = np.cumsum(list(shares.values()))[:-1]
    names = list(shares)
    split_of = {
        patient: names[int(np.searchsorted(edges, place, "right"))]
        for patient, place in zip(patients, position, strict=True)
    }
    return [split_of[patient] for patient in patient_ids]


def take_fraction(keys: Sequence[str], targets: np.ndarray, fraction: float, seed: int) -> np.ndarray:
    """Row numbers of a stratified fraction of the keys, at least one row; larger fractions contain smaller ones."""
    if not 0 < fraction <= 1:
        raise ValueError(f"fraction {fraction} is not in (0, 1]")
    if fraction == 1:
        return np.arange(len(keys))
    position = stratified_position(keys, rarest_class(targets), seed)
    count = max(1, round(fraction * len(keys)))
    order = np.lexsort((np.array([uniform_of(key, seed) for key in keys]), position))
    return np.sort(order[:count])
