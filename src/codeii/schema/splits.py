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
    along [0, 1) in the order given. Row order does not matter. A patient more or less changes the split of at most
    one other patient at each border between two splits, and of nobody outside the stratum, as long as the order of
    the classes by their number of patients stays the same; `split_each_patient` moves nobody.
    """
    patients = sorted(set(patient_ids))
    row_of = {patient: row for row, patient in enumerate(patients)}
    of_patient = np.zeros((len(patients), targets.shape[1]), targets.dtype)
    np.maximum.at(of_patient, [row_of[patient] for patient in patient_ids], targets)
    position = stratified_position(patients, rarest_class(of_patient), seed)
    split_of = dict(zip(patients, _laid_along(position, shares), strict=True))
    return [split_of[patient] for patient in patient_ids]


def split_each_patient(patient_ids: Sequence[str], shares: Mapping[str, float], seed: int) -> list[str]:
    """Split of every patient by name alone, whoever else is there: no strata, and nobody moves when others come or go.

    `shares` are fractions that sum to 1, met as well as independent draws of that probability meet them.
    """
    return _laid_along(np.array([uniform_of(patient, seed) for patient in patient_ids]), shares)


def _laid_along(position: np.ndarray, shares: Mapping[str, float]) -> list[str]:
    names, edges = list(shares), np.cumsum(list(shares.values()))[:-1]
    return [names[place] for place in np.searchsorted(edges, position, "right")]


def split_hash(record_ids: Sequence[str], splits: Sequence[str]) -> str:
    """Hex sha256 of which record is in which split; the order of the rows does not matter."""
    lines = sorted(f"{record_id},{split}\n" for record_id, split in zip(record_ids, splits, strict=True))
    return hashlib.sha256("".join(lines).encode()).hexdigest()


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
