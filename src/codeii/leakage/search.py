"""The search: identical signals by their hash, candidates by their windows, then the signals themselves."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from codeii.artifacts.duplicates import PAIR_COLUMNS, UNSEARCHED_COLUMNS
from codeii.leakage.confirm import Likeness, Waves, enough_overlap_s, is_same, likeness, waves_of
from codeii.leakage.join import Matches, near_pairs, sorted_cells
from codeii.schema.progress import progress

NEAREST, MOST = 8, 4  # lags of a candidate that are looked at: those of its nearest windows, and of most windows
APART_S = 0.02  # lags closer than this are one
KEPT = 256  # records whose waves are kept for the next candidate
NEAR_WINDOWS = np.dtype(
    [("first", "i4"), ("second", "i4"), ("sign", "i1"), ("lag_s", "f4"), ("distance", "f4")]  # records, not windows
)

ReadSignal = Callable[[int], np.ndarray]  # row of the records -> (12, sample) int16, uV


class Candidate(NamedTuple):
    """Two records with near windows: rows of the table of records, and the lags at which they may be one."""

    first: int
    second: int
    sign: int
    lags_s: tuple[float, ...]


@dataclass(frozen=True, slots=True)
class Searched:
    """Records of all sources one below the other, and their windows."""

    records: pd.DataFrame  # source, record_id, patient_id, rate_hz, samples, signal_sha256, windows
    vectors: np.ndarray  # (window, number)
    seconds: np.ndarray  # (window,)

    def rates_hz(self) -> np.ndarray:
        """(record,) int64."""
        return self.records["rate_hz"].to_numpy(np.int64)

    def lengths_s(self) -> np.ndarray:
        """(record,) seconds."""
        lengths: np.ndarray = self.records["samples"].to_numpy(np.float64) / self.rates_hz()
        return lengths

    def patients(self) -> np.ndarray:
        """(record,) number of each record's patient; the same id in two sources is two patients."""
        return self.records.groupby(["source", "patient_id"], sort=False).ngroup().to_numpy(np.int64)


@dataclass(frozen=True, slots=True)
class Found:
    """What a search brought."""

    pairs: pd.DataFrame  # PAIR_COLUMNS
    unsearched: pd.DataFrame  # UNSEARCHED_COLUMNS
    candidates: int  # pairs of records whose signals were compared


def search(searched: Searched, read_signal: ReadSignal) -> Found:
    """Find every pair of records that are one recording.

    Of records with the same integers only the first is searched further; the others are paired with it.
    """
    records = searched.records
    first_of = first_with_same_signal(records["signal_sha256"])
    near, crowded = near_windows(searched, first_of == np.arange(len(records)))
    candidates = candidates_of(near, searched.lengths_s(), searched.patients())
    rows = [*_identical(searched, first_of), *_confirmed(searched, candidates, read_signal)]
    still = np.flatnonzero(records["windows"] == 0).tolist()
    why = {**dict.fromkeys(still, "no window in it changes enough"), **dict.fromkeys(crowded, "too many look like it")}
    unsearched = records[["source", "record_id"]].iloc[list(why)].assign(why=list(why.values()))
    return Found(pd.DataFrame(rows, columns=list(PAIR_COLUMNS)), unsearched[list(UNSEARCHED_COLUMNS)], len(candidates))


def first_with_same_signal(hashes: pd.Series) -> np.ndarray:
    """(record,) row of the first record with the same signal: its own where there is none before it."""
    codes, _ = pd.factorize(hashes)
    first = np.full(codes.max(initial=-1) + 1, len(codes))
    np.minimum.at(first, codes, np.arange(len(codes)))
    rows: np.ndarray = first[codes]
    return rows


def near_windows(searched: Searched, chosen: np.ndarray) -> tuple[np.ndarray, list[int]]:
    """Pairs of near windows of the chosen records as `NEAR_WINDOWS`, and rows of records that could not be compared.

    chosen : (record,) bool
    """
    owners = np.repeat(np.arange(len(searched.records), dtype=np.int32), searched.records["windows"])
    kept = np.flatnonzero(chosen[owners])
    owners, vectors, seconds = owners[kept], searched.vectors[kept], searched.seconds[kept]
    portions = [np.empty(0, NEAR_WINDOWS)]
    compared = np.ones(len(kept), bool)
    if len(kept):
        cells = sorted_cells(vectors)
        for sign in (1, -1):
            for matches in near_pairs(vectors, owners, cells, sign):
                compared[matches.crowded] = False
                portions.append(_of_records(matches, owners, seconds))
    crowded = np.setdiff1d(owners, owners[compared]).tolist()
    return np.concatenate(portions), crowded


def candidates_of(near: np.ndarray, lengths_s: np.ndarray, patients: np.ndarray) -> list[Candidate]:
    """Pairs of records with near windows, and the lags of these that leave enough overlap."""
    first, second = near["first"], near["second"]
    shared = np.minimum(lengths_s[first], near["lag_s"] + lengths_s[second]) - np.maximum(0, near["lag_s"])
    shorter = np.minimum(lengths_s[first], lengths_s[second])
    near = near[shared >= enough_overlap_s(patients[first] == patients[second], shorter)]
    near = near[np.lexsort((near["sign"], near["second"], near["first"]))]
    names = near[["first", "second", "sign"]]
    changes = np.flatnonzero(names[1:] != names[:-1]) + 1
    return [
        Candidate(int(of["first"][0]), int(of["second"][0]), int(of["sign"][0]), _lags(of))
        for of in np.split(near, changes)
        if len(of)
    ]


def _of_records(matches: Matches, owners: np.ndarray, seconds: np.ndarray) -> np.ndarray:
    near = np.empty(len(matches.first), NEAR_WINDOWS)
    near["first"], near["second"] = owners[matches.first], owners[matches.second]
    near["sign"], near["distance"] = matches.sign, matches.distance
    near["lag_s"] = seconds[matches.first] - seconds[matches.second]
    return near


def _lags(of: np.ndarray) -> tuple[float, ...]:
    """Lags worth looking at, of the near windows of two records.

    In a regular rhythm a window is near many; the true lag is that of the nearest ones or that of most of them.
    """
    of = of[np.argsort(of["lag_s"], kind="stable")]
    starts = np.flatnonzero(np.diff(of["lag_s"], prepend=-np.inf) > APART_S)
    nearest = np.minimum.reduceat(of["distance"], starts)
    many = np.diff(starts, append=len(of))
    chosen = {*np.argsort(nearest, kind="stable")[:NEAREST].tolist(), *np.argsort(-many, kind="stable")[:MOST].tolist()}
    stops = starts + many
    ranges = (slice(starts[number], stops[number]) for number in sorted(chosen))
    return tuple(float(of["lag_s"][one][np.argmin(of["distance"][one])]) for one in ranges)


def _identical(searched: Searched, first_of: np.ndarray) -> Iterator[tuple[Any, ...]]:
    lengths_s = searched.lengths_s()
    for row in np.flatnonzero(first_of != np.arange(len(first_of))).tolist():
        named = _named(searched.records, int(first_of[row]), row)
        yield (*named, "identical", 1.0, 1.0, 0.0, float(lengths_s[row]), 1.0)


def _confirmed(searched: Searched, candidates: list[Candidate], read_signal: ReadSignal) -> Iterator[tuple[Any, ...]]:
    rates_hz, lengths_s, patients = searched.rates_hz(), searched.lengths_s(), searched.patients()

    @lru_cache(KEPT)
    def waves(row: int) -> Waves:
        return waves_of(read_signal(row), int(rates_hz[row]))

    best: dict[tuple[int, int], Likeness] = {}
    for first, second, sign, lags_s in progress(candidates, len(candidates), "comparing signals"):
        found = likeness(waves(first), waves(second), lags_s, sign)
        shorter_s = float(min(lengths_s[first], lengths_s[second]))
        if found is not None and is_same(found, bool(patients[first] == patients[second]), shorter_s):
            known = best.get((first, second))
            best[first, second] = found if known is None else max(known, found)
    for (first, second), found in best.items():
        yield (*_named(searched.records, first, second), "near", *(round(value, 6) for value in found))


def _named(records: pd.DataFrame, *rows: int) -> tuple[str, ...]:
    return tuple(str(records[column].iat[row]) for row in rows for column in ("source", "record_id"))
