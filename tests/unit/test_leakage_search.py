"""The search finds every planted copy among thousands of twins, and nothing else."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.recordings import Signal, cut, disguised, resampled, scaled, searched, twins
from tests.stores import record_store

from codeii.artifacts.duplicates import read_duplicates
from codeii.leakage.build import build_descriptors
from codeii.leakage.find import find_duplicates
from codeii.leakage.search import NEAR_WINDOWS, Found, candidates_of, search
from codeii.schema.record import Record
from codeii.synthetic.population import population

# Several tracings of one exam in code_ii_open, several exams of one patient in ptbxl: the same hearts again.
SOURCES = {"ptbxl": 700, "cpsc2018": 350, "code15": 400, "code_ii_open": 300}
PLANTED = 500
Recording = tuple[str, str, str, Signal]


def found_among(recordings: list[Recording]) -> Found:
    return search(searched(recordings), lambda row: recordings[row][3][0])


def named(pairs: pd.DataFrame) -> set[tuple[str, str]]:
    return set(
        zip(pairs["source_a"] + "/" + pairs["record_a"], pairs["source_b"] + "/" + pairs["record_b"], strict=True)
    )


@pytest.fixture(scope="module")
def everybody() -> list[Recording]:
    return [
        (source, record, patient, signal)
        for number, (source, count) in enumerate(SOURCES.items())
        for record, patient, signal in twins(source, count, 50 + number)
    ]


@pytest.fixture(scope="module")
def planted(everybody: list[Recording]) -> tuple[list[Recording], dict[tuple[str, str], list[str]]]:
    """Copies under other names and patients, and what was done to each, by the pair that must be found."""
    rng = np.random.default_rng(20)
    copies, expected = [], {}
    for number in rng.choice(len(everybody), PLANTED, replace=False):
        source, record, _, signal = everybody[number]
        copy, done = disguised(rng, signal)
        copies.append(("planted", f"copy{number}", f"somebody{number}", copy))
        expected[f"{source}/{record}", f"planted/copy{number}"] = done
    return copies, expected


@pytest.fixture(scope="module")
def result(everybody: list[Recording], planted: tuple[list[Recording], dict]) -> Found:
    return found_among([*everybody, *planted[0]])


def test_distinct_twins_are_no_pairs(everybody: list[Recording], result: Found) -> None:
    assert len(everybody) > 2000
    pairs = result.pairs
    assert len(pairs[(pairs["source_a"] != "planted") & (pairs["source_b"] != "planted")]) == 0


def test_every_planted_copy_is_found(planted: tuple[list[Recording], dict], result: Found) -> None:
    missed = {pair: done for pair, done in planted[1].items() if pair not in named(result.pairs)}
    assert missed == {}


def test_what_else_is_found_is_another_tracing_of_the_same_heart(
    everybody: list[Recording], planted: tuple[list[Recording], dict], result: Found
) -> None:
    """A copy under another patient's name can equal a few beats of the next tracing: hearts can be that regular."""
    heart_of = {f"{source}/{record}": f"{source}/{patient}" for source, record, patient, _ in everybody}
    heart_of |= {copy: heart_of[original] for original, copy in planted[1]}
    others = named(result.pairs) - set(planted[1])
    assert all(heart_of[one] == heart_of[other] for one, other in others)
    assert len(others) < 0.05 * PLANTED


def test_the_lag_the_gain_and_the_overlap_are_told(everybody: list[Recording]) -> None:
    source, record, patient, signal = everybody[0]
    copy = scaled(cut(signal, 2.0, 5.0), -0.5)
    pairs = found_among([(source, record, patient, signal), ("b", "copy", "q", copy)]).pairs
    assert len(pairs) == 1
    row = pairs.iloc[0]
    assert row["match"] == "near" and row["correlation"] > 0.999
    assert row["lag_s"] == pytest.approx(2.0, abs=0.001)
    assert row["gain"] == pytest.approx(-0.5, rel=0.01)
    assert row["overlap_s"] == pytest.approx(5.0, abs=0.02)
    faster = found_among([(source, record, patient, signal), ("b", "copy", "q", resampled(copy, 1000))]).pairs.iloc[0]
    assert faster["gain"] == pytest.approx(-0.5, rel=0.01) and faster["lag_s"] == pytest.approx(2.0, abs=0.001)


def test_the_same_integers_are_identical_whatever_their_names(everybody: list[Recording]) -> None:
    signal = everybody[3][3]
    recordings = [("a", "1", "p", signal), ("a", "2", "q", signal), ("b", "3", "r", signal), *everybody[4:9]]
    pairs = found_among(recordings).pairs
    assert named(pairs) == {("a/1", "a/2"), ("a/1", "b/3")}
    assert set(pairs["match"]) == {"identical"}


def test_one_patient_twice_needs_five_seconds(everybody: list[Recording]) -> None:
    source, record, patient, signal = everybody[5]
    for seconds, expected in ((4.0, 0), (6.0, 1)):
        copy = (source, "copy", patient, scaled(cut(signal, 0.0, seconds), 2))
        other = (source, "other", "q", scaled(signal, 2))
        assert len(found_among([(source, record, patient, signal), other]).pairs) == 1
        longer = (source, record, patient, signal)
        # the shorter record is wholly inside the longer: only a partly shared stretch of one patient is left aside
        moved = (source, "copy", patient, _joined(copy[3], everybody[6][3]))
        assert len(found_among([longer, moved]).pairs) == expected


def _joined(one: Signal, other: Signal) -> Signal:
    return np.concatenate([other[0][:, :2500], one[0]], axis=1), one[1]


def test_what_cannot_be_searched_is_named(everybody: list[Recording]) -> None:
    still = (np.zeros((12, 5000), np.int16), 500)
    found = found_among([*everybody[:3], ("a", "still", "p", still)])
    assert found.unsearched.to_numpy().tolist() == [["a", "still", "no window in it changes enough"]]
    assert list(found.pairs) and len(found.pairs) == 0


def test_nothing_at_all_is_searched_without_a_fault() -> None:
    found = found_among([("a", "still", "p", (np.zeros((12, 5000), np.int16), 500))])
    assert (len(found.pairs), found.candidates) == (0, 0)


def paced(rng: np.random.Generator, noise_uv: float) -> Signal:
    """Ten equal beats, a second apart, with noise of the recording's own."""
    time = np.arange(500) / 500
    lead = np.arange(12)[:, np.newaxis] - 5.5
    beat = 150 * lead * np.exp(-(((time - 0.3) / 0.02) ** 2)) + 40 * np.exp(-(((time - 0.55) / 0.05) ** 2))
    return (np.tile(beat, 10) + noise_uv * rng.standard_normal((12, 5000))).round().astype(np.int16), 500


def test_the_same_beats_with_other_noise_are_another_recording() -> None:
    rng = np.random.default_rng(2)
    found = found_among([("a", "1", "p", paced(rng, 6.0)), ("b", "2", "q", paced(rng, 6.0))])
    assert (found.candidates, len(found.pairs)) == (1, 0)


def test_the_lag_of_most_windows_is_looked_at_where_others_are_nearer() -> None:
    """A rhythm that repeats itself: chance brings single windows nearer than a filter left the true ones."""
    near = np.zeros(12 + 15, NEAR_WINDOWS)
    near["second"], near["sign"] = 1, 1
    near["lag_s"], near["distance"] = [*(0.6 * np.arange(1, 13)), *[0.0] * 15], [*[0.01] * 12, *[0.013] * 15]
    (candidate,) = candidates_of(near, np.array([20.0, 20.0]), np.array([0, 1]))
    assert 0.0 in candidate.lags_s and len(candidate.lags_s) <= 12


def test_lags_that_leave_too_little_to_compare_are_no_candidates() -> None:
    near = np.zeros(2, NEAR_WINDOWS)
    near["second"], near["sign"], near["lag_s"] = 1, 1, [7.6, -7.4]
    lengths_s = np.array([10.0, 10.0])
    assert [one.lags_s for one in candidates_of(near, lengths_s, np.array([0, 1]))] == [pytest.approx((-7.4,))]
    assert candidates_of(near, lengths_s, np.array([0, 0])) == []


SOME = twins("cpsc2018", 40, 9)


@settings(max_examples=60)
@given(st.integers(0, len(SOME) - 1), st.integers(0, 2**32 - 1))
def test_any_disguise_is_seen_through(number: int, seed: int) -> None:
    record, patient, signal = SOME[number]
    copy, done = disguised(np.random.default_rng(seed), signal)
    if np.array_equal(copy[0], signal[0]):
        return
    found = found_among([("a", record, patient, signal), ("b", "copy", "q", copy)])
    assert len(found.pairs) == 1, done


def records_of(source: str, count: int) -> Iterator[Record]:
    for exam in population(source, count, 8):
        wave = np.rint(exam.tracings_mv[0] * 1000).astype(np.int16)
        yield Record(exam.exam_id, exam.exam_id, exam.patient_id, 1, wave, exam.rate_hz, {}, "", 50.0, "male")


def test_from_stores_to_pairs(tmp_path: Path) -> None:
    first = list(records_of("ptbxl", 12))
    half = (first[7].signal_uv[:, 1000:].astype(float) * 0.5).round().astype(np.int16)
    copy = Record("copy", "copy", "q", 1, half, first[7].rate_hz, {}, "", 50.0, "male")
    stores = [record_store(tmp_path / "one", first, facts={"source": "one"})]
    stores.append(record_store(tmp_path / "two", [*records_of("code15", 5), copy], facts={"source": "two"}))
    described = []
    for name, store in zip(("one", "two"), stores, strict=True):
        build_descriptors(store, {"source": name}, "c", tmp_path / f"{name}-described")
        described.append(tmp_path / f"{name}-described/manifest.json")
    find_duplicates(stores, described, {}, "c", tmp_path / "pairs")
    found = read_duplicates(tmp_path / "pairs/manifest.json")
    assert named(found.pairs) == {(f"one/{first[7].record_id}", "two/copy")}
    assert found.manifest.facts["records"] == {"one": 12, "two": 6}
    assert found.manifest.synthetic and len(found.manifest.inputs) == 4
    with pytest.raises(ValueError, match="its records are not those described for two"):
        find_duplicates(stores, described[::-1], {}, "c", tmp_path / "wrong")
