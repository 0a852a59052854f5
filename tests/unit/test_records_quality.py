"""The gates of a single record and of a whole source."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from codeii.records.measure import look_at, measures_of
from codeii.records.quality import examine, held, longest_run, notice, refuse_faulty, refuse_wrong_unit
from codeii.schema.leads import LEADS, in_standard_order
from codeii.schema.record import Card, Exclusion, Record

CARD = Card(
    title="Fake",
    version="1",
    doi="",
    licence="",
    records=None,
    patients=None,
    rates_hz=(300, 500),
    mains_hz=60,
    lead_spelling="standard",
    unit="int16, 1000 per mV",
    statements="",
    split_protocol="",
    known_issues=(),
    citation="",
)


def heart(seconds: float = 10, rate_hz: int = 500, seed: int = 0) -> np.ndarray:
    """(12, sample) int16 with consistent limb leads: smooth random leads of about 2 mV peak to peak."""
    rng = np.random.default_rng(seed)
    walk = rng.normal(0, 1, (8, int(seconds * rate_hz) + 20)).cumsum(axis=1)
    smooth = walk[:, 20:] - walk[:, :-20]
    signal = np.rint(1000 * smooth / np.abs(smooth).max(axis=1, keepdims=True)).astype(np.int16)
    return in_standard_order(signal, ["I", "II", "V1", "V2", "V3", "V4", "V5", "V6"])


def record(signal: np.ndarray | None = None, **changes: object) -> Record:
    signal = heart() if signal is None else signal
    made = Record("r1", "e1", "p1", 1, signal, 500, {}, "", 60.0, "female")
    return replace(made, **changes)


def flags_of(signal: np.ndarray, rate_hz: int = 500) -> list[str]:
    return notice(look_at(signal, rate_hz))[0]


def changed(**leads: object) -> np.ndarray:
    signal = heart().copy()
    for name, value in leads.items():
        signal[LEADS.index(name)] = value
    return signal


def test_a_good_record_passes_unchanged() -> None:
    good = record(flags=("age_masked",))
    passed = examine(good, CARD)
    assert isinstance(passed, Record) and passed.flags == ("age_masked",)
    assert passed.signal_uv is good.signal_uv


@pytest.mark.parametrize(
    ("bad", "reason", "found", "expected"),
    [
        (record(rate_hz=250), "wrong_rate", "250", "300 or 500"),
        (record(np.zeros((12, 0), np.int16)), "wrong_length", "0", "at least 500"),
        (record(heart(0.9)), "wrong_length", "450", "at least 500"),
        (record(np.zeros((12, 5000), np.int16)), "flat", "every independent lead constant", "a signal that changes"),
        (record(np.full((12, 5000), 700, np.int16)), "flat", "every independent lead constant", "a signal that"),
        (record((heart() // 100).astype(np.int16)), "wrong_amplitude", "0.027 mV", "0.1 to 60 mV"),
        (record((heart().astype(np.int32) * 31).astype(np.int16)), "wrong_amplitude", "mV peak to peak", "0.1 to 60"),
    ],
)
def test_a_faulty_record_is_left_out_by_name_with_what_was_found(
    bad: Record, reason: str, found: str, expected: str
) -> None:
    out = examine(bad, CARD)
    assert isinstance(out, Exclusion)
    assert (out.record_id, out.reason) == ("r1", reason)
    assert found in out.found and expected in out.expected


def test_a_record_whose_only_signal_is_in_derived_leads_is_flat() -> None:
    signal = np.zeros((12, 5000), np.int16)
    signal[LEADS.index("aVF")] = heart()[0]
    out = examine(record(signal), CARD)
    assert isinstance(out, Exclusion) and out.reason == "flat"


def test_an_amplitude_that_overflows_int16_is_measured_right() -> None:
    signal = np.zeros((12, 500), np.int16)
    signal[6, 0], signal[6, 1] = 32_767, -32_767
    look = look_at(signal, 500)
    assert look.peaks_uv == [0] * 6 + [65_534] + [0] * 5
    assert measures_of(look, 0.0).step_uv == 65_534


def test_dead_electrodes_are_flagged_and_kept() -> None:
    """As the published JS45542, whose V1 to V6 are zero."""
    dead = {f"V{n}": 0 for n in range(1, 7)}
    out = examine(record(changed(**dead)), CARD)
    assert isinstance(out, Record)
    assert out.flags == tuple(f"flat_lead:V{n}" for n in range(1, 7))


def test_a_flag_of_the_reader_is_not_given_twice() -> None:
    out = examine(record(changed(V1=0), flags=("flat_lead:V1",)), CARD)
    assert isinstance(out, Record) and out.flags == ("flat_lead:V1",)


@pytest.mark.parametrize("limit", [32_767, -32_767])
def test_a_sample_at_the_integer_limit_is_flagged_as_clipped(limit: int) -> None:
    signal = heart()
    signal[7, 100] = limit
    assert "clipped" in flags_of(signal)


def test_a_lead_held_at_its_own_extreme_is_flagged_as_saturated() -> None:
    signal = heart()
    signal[8] = np.minimum(signal[8], 200)
    top = int(signal[8].max())
    signal[8, 1000:1100] = top
    assert flags_of(signal) == ["saturated:V3"]
    signal = heart()
    signal[8, -56:] = signal[8].min() - 1  # the published PTB-XL pads its ends so: 0.11 s
    assert flags_of(signal) == []


def test_a_hold_counts_at_either_extreme_and_only_as_one_run() -> None:
    signal = np.array([[0, 5, 5, 5, 0, 5, 5], [1, -2, -2, 3, 3, 1, 0], [4, 4, 4, 4, 4, 4, 4]], np.int16)
    assert held(signal, 2).sum(axis=1).tolist() == [5, 4, 7]
    assert held(signal, 3).sum(axis=1).tolist() == [5, 0, 7]
    assert held(signal, 4).sum(axis=1).tolist() == [0, 0, 7]


@given(values=st.lists(st.booleans(), max_size=40))
def test_the_longest_run_is_that_of_the_text(values: list[bool]) -> None:
    text = "".join("x" if value else " " for value in values)
    assert longest_run(np.array(values, bool)) == max(map(len, text.split()), default=0)


@pytest.mark.parametrize(
    "wrong",
    [
        lambda s: s[[0, 1, 2, 3, 5, 4, *range(6, 12)]],  # aVL and aVF exchanged
        lambda s: s[[1, 0, *range(2, 12)]],  # I and II exchanged
        lambda s: s[[3, 1, 2, 0, *range(4, 12)]],  # I and aVR exchanged
        lambda s: np.concatenate([s[:3], -s[3:4], s[4:]]),  # aVR turned over
        lambda s: np.concatenate([s[:2], s[6:7], s[3:]]),  # V1 in the place of III
    ],
)
def test_limb_leads_that_contradict_each_other_are_flagged(wrong: object) -> None:
    signal = np.ascontiguousarray(wrong(heart()))  # type: ignore[operator]
    assert flags_of(signal)[0] == "limb_leads_inconsistent"


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 1000), gain=st.floats(0.2, 5))
def test_rounding_never_makes_limb_leads_inconsistent(seed: int, gain: float) -> None:
    signal = np.rint(heart(2, seed=seed) * gain).astype(np.int16)
    assert "limb_leads_inconsistent" not in flags_of(signal)


def faults(*reasons: str) -> list[Exclusion]:
    return [Exclusion(f"r{n}", reason, "field", "x", "y") for n, reason in enumerate(reasons)]


def test_absent_records_are_no_faults() -> None:
    refuse_faulty("fake", 1, faults(*["absent"] * 500), 0.0)


def test_faults_up_to_the_share_are_accepted_and_one_more_is_not() -> None:
    refuse_faulty("fake", 95, faults(*["flat"] * 5), 0.05)
    with pytest.raises(ValueError, match=r"6 of 100 records present are faulty \(6\.0%, at most 5\.0%"):
        refuse_faulty("fake", 94, faults(*["flat"] * 6), 0.05)


def test_too_many_faults_are_told_with_reasons_first_ids_and_what_to_do() -> None:
    with pytest.raises(ValueError) as caught:
        refuse_faulty("fake", 2, faults("absent", "flat", "unreadable", "flat"), 0.05)
    told = str(caught.value)
    for part in (
        "source fake",
        "2 flat, 1 unreadable",
        "r1: field found x, expected y",
        "sources.fake.max_faulty_share",
    ):
        assert part in told
    assert "absent" not in told


def test_a_source_of_which_nothing_is_left_is_refused() -> None:
    with pytest.raises(ValueError, match=r"source fake: no record is left; 2 .* are absent, 1 are faulty \(1 flat\)"):
        refuse_faulty("fake", 0, faults("absent", "absent", "flat"), 1.0)
    with pytest.raises(ValueError, match=r"no record is left; 0 .* 0 are faulty"):
        refuse_faulty("fake", 0, [], 1.0)


@pytest.mark.parametrize("median_mv", [0.05, 0.99, 6.1, 20.0])
def test_a_source_in_a_wrong_unit_is_refused(median_mv: float) -> None:
    with pytest.raises(ValueError, match=r"source fake: the median record spans .* expected 1 to 6 mV; the unit"):
        refuse_wrong_unit("fake", [median_mv] * 3, CARD)


def test_one_record_out_of_range_does_not_condemn_the_source() -> None:
    refuse_wrong_unit("fake", [2.0, 2.5, 15.1], CARD)


def test_limb_leads_that_do_not_close_at_one_place_are_flagged() -> None:
    signal = heart()
    signal[LEADS.index("aVF"), 791:800] += 300
    assert flags_of(signal) == ["limb_lead_gap"]
    signal = heart()
    signal[LEADS.index("aVF"), 791:800] += 90
    assert flags_of(signal) == []


@pytest.mark.parametrize(("offset_uv", "flags"), [(400, ["offset"]), (-400, ["offset"]), (200, [])])
def test_a_lead_far_from_zero_is_flagged(offset_uv: int, flags: list[str]) -> None:
    signal = heart()
    base = np.rint(signal - signal.mean(axis=1, keepdims=True)).astype(np.int16)
    base = in_standard_order(base[[0, 1, *range(6, 12)]], ["I", "II", "V1", "V2", "V3", "V4", "V5", "V6"])
    base[LEADS.index("V3")] += np.int16(offset_uv)
    assert flags_of(base) == flags
