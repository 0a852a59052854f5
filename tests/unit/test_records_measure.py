"""What is measured of a record: against slow arithmetic, on signals whose answer is known, and on published ones."""

import math
from dataclasses import asdict
from itertools import combinations
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from codeii.formats.wfdb import read_record
from codeii.records.electrodes import suspicions
from codeii.records.measure import look_at, measures_of
from codeii.records.quality import identical, notice, repeated_s
from codeii.records.sums import longest_still
from codeii.schema.leads import EIGHT, LEADS, in_standard_order, largest_limb_lead_gap, limb_lead_residual
from codeii.schema.record import Record
from codeii.sources import code15, cpsc2018, ptbxl
from codeii.synthetic.population import exam_of, heart_of, plan


def heart(number: int = 0, source: str = "ptbxl") -> tuple[np.ndarray, int]:
    """(12, sample) int16 uV and rate of one synthetic exam."""
    exam = exam_of(next(planned for planned in plan(source, number + 1, 3) if planned.number == number))
    return np.rint(exam.tracings_mv[0].astype(np.float64) * 1000).astype(np.int16), exam.rate_hz


def flags_of(signal: np.ndarray, rate_hz: int = 500) -> list[str]:
    return notice(look_at(signal, rate_hz))[0]


@settings(max_examples=60)
@given(seed=st.integers(0, 10_000), samples=st.integers(100, 700), size=st.sampled_from([3, 900, 32_767]))
def test_measures_are_those_of_slow_arithmetic(seed: int, samples: int, size: int) -> None:
    rng = np.random.default_rng(seed)
    signal = rng.integers(-size, size + 1, (12, samples)).astype(np.int16)
    signal[3, 10:60] = signal[3, 10]
    found = asdict(measures_of(look_at(signal, 100), 0.0))
    exact = signal.astype(np.float64)
    seconds = exact[:, : samples // 100 * 100].reshape(12, -1, 100).mean(axis=2)
    longest = max(len(run) for lead in exact for run in np.split(lead, np.flatnonzero(np.diff(lead)) + 1))
    close = {"rel_tol": 1e-4, "abs_tol": 2e-3}
    if samples >= 200:  # stretches of two seconds: half of an odd second stays out
        seconds = seconds[:, : samples // 200 * 2]
    assert math.isclose(found["wander_uv"], np.ptp(seconds, axis=1).max(), **close)
    assert found["peak_to_peak_uv"] == np.ptp(exact, axis=1).max()
    assert found["step_uv"] == np.abs(np.diff(exact)).max()
    assert found["limb_gap_uv"] == largest_limb_lead_gap(signal)
    assert found["still_s"] == longest / 100
    assert math.isclose(found["mean_uv"], np.abs(exact.mean(axis=1)).max(), **close)
    assert math.isclose(found["limb_residual"], limb_lead_residual(signal), rel_tol=1e-3)
    assert math.isnan(found["mains_50_uv"]) and math.isnan(found["mains_60_uv"])


@given(rows=st.lists(st.lists(st.booleans(), min_size=40, max_size=40), min_size=1, max_size=3))
def test_the_longest_stretch_is_that_of_the_text(rows: list[list[bool]]) -> None:
    equal = np.array(rows)
    equal[:, -1] = False
    texts = ["".join("x" if value else " " for value in row) for row in equal.tolist()]
    assert longest_still(equal) == 1 + max((len(word) for text in texts for word in text.split()), default=0)


@pytest.mark.parametrize("rate_hz", [250, 257, 300, 400, 500, 1000])
@pytest.mark.parametrize("mains_hz", [50, 60])
@pytest.mark.parametrize("seconds", [1.3, 10.0])
def test_hum_is_measured_in_microvolts_whatever_the_rate(rate_hz: int, mains_hz: int, seconds: float) -> None:
    time_s = np.arange(int(seconds * rate_hz)) / rate_hz
    signal = np.zeros((12, len(time_s)), np.int16)
    signal[7] = np.rint(120 * np.sin(2 * np.pi * (mains_hz + 0.03) * time_s + 1) + 400 * np.sin(2 * np.pi * time_s))
    look = look_at(signal, rate_hz)
    heard = dict(zip((50, 60), look.mains_uv, strict=True))
    assert heard[mains_hz] == pytest.approx(120, rel=0.05)
    assert heard[110 - mains_hz] < 20
    assert "mains" in notice(look)[0]


def test_a_heart_without_hum_has_none_and_with_hum_has_it() -> None:
    signal, rate_hz = heart()
    quiet = look_at(signal, rate_hz).mains_uv
    hum = np.rint(100 * np.sin(2 * np.pi * 60 * np.arange(signal.shape[1]) / rate_hz)).astype(np.int16)
    noisy = signal.copy()
    noisy[LEADS.index("V5")] += hum
    assert quiet[1] < 5
    assert look_at(noisy, rate_hz).mains_uv[1] == pytest.approx(100, rel=0.05)


def test_spikes_hold_every_frequency_and_are_no_hum() -> None:
    signal = np.zeros((12, 5000), np.int16)
    signal[:, 7::400] = 6000
    assert max(look_at(signal, 500).mains_uv) < 8  # 24 uV at 50, 55 and 60 Hz alike


def test_wander_steps_and_pacing_are_flagged_and_kept() -> None:
    signal, rate_hz = heart()
    time_s = np.arange(signal.shape[1]) / rate_hz
    row = LEADS.index("V2")
    for flag, added in (
        ("wander", 1500 * np.sin(2 * np.pi * 0.2 * time_s)),
        ("step", 4000.0 * (np.arange(len(time_s)) % 400 == 9)),  # pacing spikes of one sample
        ("step", 5000 * np.exp(-np.maximum(time_s - 4, 0) / 0.3) * (time_s > 4)),  # a pop of an electrode
    ):
        changed = signal.copy()
        changed[row] = np.rint(signal[row] + added)
        assert flag not in flags_of(signal, rate_hz)
        assert flag in flags_of(changed, rate_hz)


def test_a_lead_that_falls_silent_for_a_second_is_told() -> None:
    signal, rate_hz = heart()
    signal[LEADS.index("V4"), 1000:1500] = signal[LEADS.index("V4"), 1000]
    assert flags_of(signal, rate_hz) == ["still:V4"]
    signal[LEADS.index("V4"), 1495:1500] += 7
    assert flags_of(signal, rate_hz) == []


def test_the_share_of_clipped_samples_counts_limits_and_held_extremes() -> None:
    signal, rate_hz = heart()
    signal[8, 100:103] = 32_767
    signal[9] = np.minimum(signal[9], 100)
    signal[9, 2000:2200] = 100
    flags, share = notice(look_at(signal, rate_hz))
    assert {"clipped", "saturated:V4"} <= set(flags)
    assert share == pytest.approx((3 + (signal[9] == 100).sum()) / signal.size)


def test_a_stretch_that_occurs_twice_is_found_at_any_distance() -> None:
    signal, rate_hz = heart()
    assert "repeated_stretch" not in flags_of(signal, rate_hz)
    for start in (1250, 2777, 3900):
        twice = signal.copy()
        twice[:, start : start + 1100] = signal[:, :1100]
        assert "repeated_stretch" in flags_of(twice, rate_hz)
        assert repeated_s(look_at(twice, rate_hz)) == pytest.approx(2.2, abs=0.02)
    twice[0, start + 400] += 1  # one sample of one lead differs: the stretch is in two parts
    assert "repeated_stretch" not in flags_of(twice, rate_hz)


def test_equal_leads_are_told_unless_the_limb_leads_make_them_so() -> None:
    signal, rate_hz = heart()
    copied = signal.copy()
    copied[LEADS.index("V5")] = copied[LEADS.index("V2")]
    assert identical(look_at(copied, rate_hz)) == [("V2", "V5")]
    eight = [LEADS.index(name) for name in EIGHT]
    shorted = signal[eight].copy()
    shorted[1] = shorted[0]  # arm and leg on one electrode: III is flat, aVL and aVF follow
    told = look_at(in_standard_order(shorted, list(EIGHT)), rate_hz)
    assert identical(told) == [("I", "II")]
    assert "flat_lead:III" in notice(told)[0]
    wrong = signal.copy()
    wrong[LEADS.index("aVF")] = wrong[LEADS.index("aVL")]
    assert identical(look_at(wrong, rate_hz)) == [("aVL", "aVF")]


# --- electrodes ---


def exchanged(signal: np.ndarray, pair: str) -> np.ndarray:
    """The tracing as it would be with two electrodes exchanged (Einthoven's and Goldberger's arithmetic)."""
    lead = {name: signal[row].astype(np.float64) for row, name in enumerate(LEADS)}
    swapped = dict(lead)
    if pair == "LA-RA":
        swapped |= {"I": -lead["I"], "II": lead["III"], "III": lead["II"], "aVR": lead["aVL"], "aVL": lead["aVR"]}
    elif pair == "RA-LL":
        swapped |= {"I": -lead["III"], "II": -lead["II"], "III": -lead["I"], "aVR": lead["aVF"], "aVF": lead["aVR"]}
    elif pair == "LA-LL":
        swapped |= {"I": lead["II"], "II": lead["I"], "III": -lead["III"], "aVL": lead["aVF"], "aVF": lead["aVL"]}
    else:
        one, other = pair.split("-")
        swapped |= {one: lead[other], other: lead[one]}
    return np.rint(np.stack([swapped[name] for name in LEADS])).astype(np.int16)


def suspected(signal: np.ndarray, rate_hz: int) -> list[str]:
    return suspicions(look_at(signal, rate_hz))


def test_arms_exchanged_in_a_twin_are_suspected_and_a_mirrored_heart_is_not() -> None:
    found = {True: [], False: []}
    for planned in plan("code_ii_open", 2000, 1):
        if {"arm_reversal", "dextrocardia"} & set(planned.findings):
            heart = heart_of(planned)
            signal = np.rint(exam_of(planned).tracings_mv[0].astype(np.float64) * 1000).astype(np.int16)
            found[bool(heart.arms)].append(suspected(signal, planned.rate_hz))
    arms, mirrored = found[True], found[False]
    assert len(arms) >= 5 and len(mirrored) >= 4
    assert sum(flags == ["swap_suspected:LA-RA"] for flags in arms) >= 0.6 * len(arms)
    assert {flag for flags in arms for flag in flags} == {"swap_suspected:LA-RA"}
    assert not any(mirrored)


def test_a_limb_lead_that_sees_no_heart_is_suspected_and_a_flat_one_is_flat() -> None:
    signal, rate_hz = heart()
    noise = np.random.default_rng(0).normal(0, 4, (3, signal.shape[1]))
    for name, pair in (("II", "RA-RL"), ("III", "LA-RL"), ("I", "arms-legs")):
        eight = {one: signal[LEADS.index(one)].astype(np.float64) for one in EIGHT}
        if name == "III":
            eight["I"] = eight["II"] + noise[0]
        else:
            eight[name] = noise[1]
        silent = in_standard_order(np.rint(np.stack(list(eight.values()))).astype(np.int16), list(eight))
        assert suspected(silent, rate_hz)[:1] == [f"swap_suspected:{pair}"]
        flat = silent.copy()
        flat[LEADS.index(name)] = 0
        assert f"swap_suspected:{pair}" not in suspected(flat, rate_hz)


@pytest.fixture(scope="module")
def published(shared: Path) -> list[Record]:
    """202 published recordings of three sources; nobody says that one of them was recorded wrongly."""
    data = shared / "data"
    found = [*ptbxl.read_records(data / "ptbxl", {}), *cpsc2018.read_records(data, {})]
    found += code15.read_records(data / "code15", {})
    return [item for item in found if isinstance(item, Record)]


def test_no_published_recording_is_suspected(published: list[Record]) -> None:
    """What docs/audit.md says of false alarms: 0 of 202 records, 65 of them called normal."""
    normal = {"NORM", "1", "Normal", "426783006"}
    assert len(published) == 202
    assert sum(bool(normal & set(record.statements)) for record in published) == 65
    assert not [record.record_id for record in published if suspected(record.signal_uv, record.rate_hz)]


def test_recordings_that_no_limit_was_set_on_are_not_suspected_either(shared: Path, published: list[Record]) -> None:
    """Of the other bundles of the Challenges: only JS45542 is flagged, whose chest leads are documented to be zero."""
    known = {record.signal_uv.tobytes() for record in published}
    flags = {}
    for header in sorted((shared / "data").glob("challenge2021*/**/*.hea")):
        tracing = read_record(header.with_suffix(""))
        if tracing.signal_uv.tobytes() not in known:
            flags[header.stem] = flags_of(tracing.signal_uv, tracing.rate_hz)
    assert len(flags) == 24
    assert {name: found for name, found in flags.items() if found} == {
        "JS45542": [f"flat_lead:V{number}" for number in range(1, 7)]
    }


# What docs/audit.md says is found of each exchange, when it is made in all published recordings.
SHARES = {"LA-RA": 0.64, "RA-LL": 0.76, "LA-LL": 0.0, "V1-V2": 0.15, "V2-V3": 0.54, "V3-V4": 0.40, "V4-V5": 0.23}
SHARES |= {"V5-V6": 0.0, "V1-V3": 0.56, "V1-V4": 0.89, "V1-V6": 0.92, "V2-V5": 0.94, "V3-V6": 0.71}


@pytest.mark.parametrize("pair", SHARES)
def test_exchanges_made_in_published_recordings_are_found_as_often_as_is_said(
    published: list[Record], pair: str
) -> None:
    expected = f"swap_suspected:{pair}"
    found = [suspected(exchanged(record.signal_uv, pair), record.rate_hz) for record in published]
    assert sum(expected in flags for flags in found) / len(found) == pytest.approx(SHARES[pair], abs=0.02)
    assert sum(flags not in ([], [expected]) for flags in found) <= 0.04 * len(found)  # hardly ever called another


@pytest.mark.parametrize(("name", "least"), [("V1", 0), ("V2", 0.9), ("V3", 0.9), ("V4", 0.9), ("V5", 0.9), ("V6", 0)])
def test_chest_leads_turned_over_inside_the_row_are_suspected(published: list[Record], name: str, least: float) -> None:
    count = 0
    for record in published:
        turned = record.signal_uv.copy()
        turned[LEADS.index(name)] *= -1
        count += f"inversion_suspected:{name}" in suspected(turned, record.rate_hz)
    assert count >= least * len(published) and (least > 0 or count == 0)


def test_every_order_of_the_chest_is_one_way_there_and_names_its_pair() -> None:
    from codeii.records.electrodes import _ways

    flags, places, twice_sign = _ways()
    start, end, sign = places // 12 - 6, places % 12 - 6, twice_sign / 2
    assert flags[0] == "" and len(flags) == 1 + 15 + 4 == len(start)
    assert {flag.split(":")[1] for flag in flags[1:16]} == {f"V{a}-V{b}" for a, b in combinations(range(1, 7), 2)}
    assert (start[:, 1:] == end[:, :-1]).all() and sorted([*start[5].tolist(), end[5, -1]]) == list(range(6))
    assert sign[:16].min() == 1 and (sign[16:] == -1).sum(axis=1).tolist() == [2] * 4
