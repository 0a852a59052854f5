"""The steps together: order, leads, stacks, rounding."""

from collections.abc import Callable
from itertools import product

import numpy as np
import pytest

from codeii.schema.leads import EIGHT, LEADS
from codeii.schema.params import Preprocessing
from codeii.tensors.filter import keep_band, remove_baseline, remove_median, remove_powerline
from codeii.tensors.normalise import by_lead
from codeii.tensors.pipeline import (
    BESIDE,
    SCALE,
    check_stored_rate,
    choose_leads,
    made_length,
    powerline_hz,
    prepare,
    preprocess,
    row_starts,
)
from codeii.tensors.resample import decimate_joined, resample, zoom
from codeii.tensors.window import place

ROWS = [LEADS.index(name) for name in EIGHT]


def settings_of(**changes: object) -> Preprocessing:
    fields = {"rate_hz": 400, "samples": 4096, "leads": "eight", "baseline": "elliptic", "powerline_hz": 60}
    return Preprocessing.model_validate({"mode": "benchmark_compatible"} | fields | changes)


def records(count: int, samples: int = 3000, seed: int = 0) -> np.ndarray:
    walk = np.random.default_rng(seed).normal(0, 40, (count, 12, samples)).cumsum(axis=-1)
    return np.clip(walk - walk.mean(axis=-1, keepdims=True), -30_000, 30_000).astype(np.int16)


@pytest.mark.parametrize("leads", ["eight", "twelve"])
@pytest.mark.parametrize("normalisation", ["none", "record"])
@pytest.mark.parametrize("placement", ["centre", "first"])
def test_a_stack_gives_each_record_what_it_gets_alone(leads: str, normalisation: str, placement: str) -> None:
    settings = settings_of(leads=leads, normalisation=normalisation, placement=placement, samples=2000)
    stack = records(7)
    together = prepare(stack, 500, settings, mains_hz=60)
    alone = np.concatenate([prepare(record[np.newaxis], 500, settings, mains_hz=60) for record in stack])
    np.testing.assert_array_equal(together, alone)
    np.testing.assert_array_equal(preprocess(stack, 500, settings, mains_hz=60).counts, np.rint(alone).astype(np.int16))


def test_the_steps_come_in_the_authors_order_at_the_native_rate() -> None:
    signal = records(1)[0]
    by_hand = remove_powerline(remove_baseline(signal[ROWS], 500), 500, 60)
    by_hand = place(resample(by_hand, 500, 400), 4096, "centre")
    np.testing.assert_array_equal(prepare(signal[np.newaxis], 500, settings_of(), mains_hz=50)[0], by_hand)


def test_nothing_asked_for_is_nothing_done() -> None:
    signal = records(2, 1500)
    settings = settings_of(rate_hz=500, samples=1500, baseline="none", powerline_hz="none")
    np.testing.assert_array_equal(preprocess(signal, 500, settings, mains_hz=60).counts, signal[:, ROWS])


def test_twelve_leads_recompute_the_limb_leads_whatever_was_recorded() -> None:
    signal = records(1)
    out = prepare(signal, 500, settings_of(leads="twelve"), mains_hz=60)[0]
    lead = dict(zip(LEADS, out, strict=True))
    np.testing.assert_allclose(lead["III"], lead["II"] - lead["I"], atol=1e-9)
    np.testing.assert_allclose(lead["aVR"], -(lead["I"] + lead["II"]) / 2, atol=1e-9)
    np.testing.assert_allclose(lead["aVL"], (lead["I"] - lead["III"]) / 2, atol=1e-9)
    np.testing.assert_allclose(lead["aVF"], (lead["II"] + lead["III"]) / 2, atol=1e-9)
    np.testing.assert_array_equal(out[ROWS], prepare(signal, 500, settings_of(leads="eight"), mains_hz=60)[0])


def test_an_unknown_lead_set_is_refused() -> None:
    with pytest.raises(ValueError, match="lead set 'three' is not one of eight, twelve"):
        choose_leads(np.zeros((8, 100)), "three")


@pytest.mark.parametrize("shape", [(12, 3000), (1, 8, 3000), (1, 3000, 12)])
def test_signals_that_are_not_stacks_of_twelve_leads_are_refused(shape: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match=r"expected \(record, 12, sample\)"):
        prepare(np.zeros(shape, np.int16), 500, settings_of(), mains_hz=60)


def test_mains_is_that_of_the_source() -> None:
    signal = records(1)
    of_source = preprocess(signal, 500, settings_of(powerline_hz="mains"), mains_hz=50).counts
    np.testing.assert_array_equal(of_source, preprocess(signal, 500, settings_of(powerline_hz=50), mains_hz=60).counts)
    assert not np.array_equal(of_source, preprocess(signal, 500, settings_of(powerline_hz=60), mains_hz=50).counts)
    assert powerline_hz(settings_of(powerline_hz="none"), 60, 100) is None


def test_a_record_is_scaled_before_it_is_padded_or_cut() -> None:
    settings = settings_of(normalisation="record", baseline="none", powerline_hz="none", rate_hz=500)
    signal = records(1, 3000)
    padded = prepare(signal, 500, settings, mains_hz=60)[0] * SCALE
    assert padded[:, 548:3548].std() == pytest.approx(1) and not padded[:, :548].any()
    cut = prepare(signal, 500, settings.model_copy(update={"samples": 1000}), mains_hz=60)[0] * SCALE
    np.testing.assert_allclose(cut, padded[:, 1548:2548])


def test_counts_are_rounded_once_and_to_the_nearest() -> None:
    settings = settings_of()
    signal = records(3)
    exact = prepare(signal, 500, settings, mains_hz=60)
    counts = preprocess(signal, 500, settings, mains_hz=60).counts
    assert counts.dtype == np.int16
    assert np.abs(counts - exact).max() <= 0.5


def test_a_count_beyond_int16_is_clipped_not_wrapped() -> None:
    signal = np.zeros((1, 12, 2000), np.int16)
    signal[..., 1000:] = 32_000  # the edge rings above 32,767 at the new rate
    settings = settings_of(baseline="none", powerline_hz="none", samples=1600)
    exact = prepare(signal, 500, settings, mains_hz=60)
    assert exact.max() > 32_767
    made = preprocess(signal, 500, settings, mains_hz=60)
    assert made.counts.max() == 32_767
    assert made.clipped.tolist() == [int((np.rint(exact) > 32_767).sum())]


def test_every_expressible_setting_gives_the_shape_it_names() -> None:
    signal = records(2, 700)
    choices = product((100, 250, 400), (300, 4096), ("eight", "twelve"), ("centre", "first"), ("none", "record"))
    for rate_hz, samples, leads, placement, normalisation in choices:
        settings = settings_of(
            rate_hz=rate_hz, samples=samples, leads=leads, placement=placement, normalisation=normalisation
        )
        out = preprocess(signal, 500, settings, mains_hz=60).counts
        assert out.shape == (2, 12 if leads == "twelve" else 8, samples) and out.any()


# --- what a published benchmark did


def test_only_the_first_seconds_are_kept_and_zeros_fill_the_rest() -> None:
    """MERL on CPSC 2018: the first 2,500 samples, then zeros up to 5,000."""
    fields = {"rate_hz": 500, "samples": 5000, "placement": "first", "baseline": "none", "powerline_hz": "none"}
    signal = records(2, 7000)
    made = preprocess(signal, 500, settings_of(keep_seconds=5, **fields), mains_hz=50).counts
    np.testing.assert_array_equal(made[:, :, :2500], signal[:, ROWS, :2500])
    assert not made[:, :, 2500:].any()


@pytest.mark.parametrize("changes", [{}, {"resampling": "zoom", "rate_hz": 100}, {"placement": "sections"}], ids=str)
def test_what_is_not_kept_has_no_effect(changes: dict[str, object]) -> None:
    settings, signal = settings_of(keep_seconds=4.5, samples=500, **changes), records(2, 3000)
    whole, cut = (preprocess(part, 500, settings, mains_hz=60) for part in (signal, signal[..., :2250]))
    np.testing.assert_array_equal(whole.counts, cut.counts)
    exact = prepare(signal, 500, settings, mains_hz=60)
    np.testing.assert_array_equal(whole.counts, np.rint(exact).astype(np.int16))
    assert len(row_starts(3000, 500, settings)) * 2 == len(whole.counts)


def test_zoom_stands_in_the_place_of_resampling() -> None:
    settings = settings_of(resampling="zoom", rate_hz=100, samples=600)
    signal = records(1)
    by_hand = zoom(remove_powerline(remove_baseline(signal[0, ROWS], 500), 500, 60), 500, 100)
    np.testing.assert_array_equal(prepare(signal, 500, settings, mains_hz=50)[0], by_hand)
    assert made_length(3000, 500, settings) == 600


@pytest.mark.parametrize("make", [prepare, preprocess])
def test_records_stored_at_another_rate_than_asked_for_are_refused(make: Callable[..., object]) -> None:
    settings = settings_of(stored_rate_hz=100, powerline_hz="none")
    with pytest.raises(ValueError, match="for records stored at 100 Hz, found 500 Hz; take the source's copy"):
        make(records(1), 500, settings, mains_hz=60)
    make(records(1), 100, settings, mains_hz=60)


def test_the_record_of_every_section_is_told() -> None:
    settings = settings_of(samples=1000, placement="sections")
    made = preprocess(records(3), 500, settings, mains_hz=60)
    assert row_starts(3000, 500, settings) == (0, 1000, 1400)
    assert made.record.tolist() == [0, 0, 0, 1, 1, 1, 2, 2, 2] and made.clipped.tolist() == [0] * 9


# --- inputs of published encoders

FOUNDER = {
    "rate_hz": 500,
    "leads": "twelve",
    "limb_leads": "recorded",
    "baseline": "bandpass",
    "median_baseline_seconds": 0.4,
    "powerline_hz": 50,
    "normalisation": "record",
}
HUBERT = {
    "rate_hz": 100,
    "samples": 500,
    "leads": "twelve",
    "limb_leads": "recorded",
    "placement": "first",
    "keep_seconds": 5,
    "baseline": "none",
    "powerline_hz": "none",
    "resampling": "decimate_joined",
}
ECG_FM = {"rate_hz": 500, "samples": 2500, "leads": "twelve", "placement": "sections", "normalisation": "lead"}
ECG_FM |= {"baseline": "none", "powerline_hz": "none"}
ENCODERS = [FOUNDER, HUBERT, HUBERT | {"keep_seconds": None, "resampling": "polyphase"}, ECG_FM]
EACH = pytest.mark.parametrize("fields", ENCODERS, ids=["founder", "hubert", "hubert, right", "ecg_fm"])


@EACH
@pytest.mark.parametrize("placement", ["sections", "first", "centre"])
@pytest.mark.parametrize("samples", [700, 5000, 11_000])
def test_each_encoders_input_is_made_of_long_and_short_records_under_every_placement(
    fields: dict[str, object], placement: str, samples: int
) -> None:
    settings = settings_of(**(fields | {"placement": placement}))
    stack = records(3, samples)
    together = preprocess(stack, 500, settings, mains_hz=60)
    starts = row_starts(samples, 500, settings)
    assert together.counts.shape == (3 * len(starts), 12, settings.samples)
    assert together.record.tolist() == [number for number in range(3) for _ in starts]
    alone = np.concatenate([prepare(record[np.newaxis], 500, settings, mains_hz=60) for record in stack])
    np.testing.assert_array_equal(together.counts, np.clip(np.rint(alone), -32_767, 32_767))
    length = made_length(samples, 500, settings)
    padding = settings.samples - length
    if padding > 0:
        before = 0 if placement == "first" else padding // 2
        assert not alone[..., :before].any() and not alone[..., before + length :].any()


@pytest.mark.parametrize("limb_leads", ["recorded", "computed"])  # without the kernel, and with it
def test_more_records_than_the_cache_holds_keep_their_order(limb_leads: str) -> None:
    settings = settings_of(**(ECG_FM | {"samples": 250, "limb_leads": limb_leads}))
    stack = records(2 * BESIDE + 3, 600)
    expected = np.rint(prepare(stack, 500, settings, mains_hz=60))
    for given in (stack, list(stack)):
        made = preprocess(given, 500, settings, mains_hz=60)
        np.testing.assert_array_equal(made.counts, expected)
        assert made.record.tolist() == [number for number in range(len(stack)) for _ in range(3)]


@EACH
def test_what_does_not_vary_is_zeros_and_counted(fields: dict[str, object]) -> None:
    stack = records(3, 5000)
    stack[1] = 750
    stack[2, 7] = -20
    made = preprocess(stack, 500, settings_of(**(fields | {"samples": 5000, "placement": "first"})), mains_hz=60)
    # a dead lead is zeros where leads are scaled on their own; over the record it stays where it is beside the others
    expected = {"record": [0, 12, 0], "lead": [0, 12, 1]}.get(str(fields.get("normalisation")), [0, 0, 0])
    assert made.flat_leads.tolist() == expected
    if "normalisation" in fields:
        assert not made.counts[1].any() and made.counts[0].any()


@pytest.mark.parametrize("normalisation", ["record", "lead"])
def test_the_ends_that_a_change_of_rate_leaves_on_a_still_lead_are_no_signal(normalisation: str) -> None:
    """Beyond its ends a record counts as zero, so a level is a step there: scaled, it would be all there is."""
    level = np.full((1, 12, 2000), 750, np.int16)
    settings = settings_of(normalisation=normalisation, baseline="none", powerline_hz="none", leads="twelve")
    assert prepare(level, 500, settings.model_copy(update={"normalisation": "none"}), mains_hz=60)[0, 0].std() > 1
    made = preprocess(level, 500, settings, mains_hz=60)
    assert not made.counts.any() and made.flat_leads.tolist() == [12]


@EACH
@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_a_sample_that_is_not_finite_is_refused_by_each(fields: dict[str, object], bad: float) -> None:
    stack = records(2, 3000).astype(np.float64)
    stack[1, 7, 100] = bad
    with pytest.raises(ValueError, match="1 samples are not finite"):
        prepare(stack, 500, settings_of(**fields), mains_hz=60)


def test_the_steps_of_ecgfounder_come_in_its_order_on_recorded_leads() -> None:
    signal = records(1, 5000)
    filtered = remove_median(keep_band(remove_powerline(signal, 500, 50), 500), 500, 0.4)
    by_hand = (filtered - filtered.mean()) / filtered.std()
    made = prepare(signal, 500, settings_of(**FOUNDER, samples=5000), mains_hz=60) * SCALE
    np.testing.assert_allclose(made, by_hand, rtol=0, atol=1e-12)


def test_limb_leads_are_computed_before_a_running_median_which_is_not_linear() -> None:
    signal = records(1, 5000)
    plain = FOUNDER | {"limb_leads": "computed", "normalisation": "none", "samples": 5000}
    banded = choose_leads(keep_band(remove_powerline(signal[:, ROWS], 500, 50), 500), "twelve")
    right = remove_median(banded, 500, 0.4)
    np.testing.assert_allclose(prepare(signal, 500, settings_of(**plain), mains_hz=60), right, rtol=0, atol=1e-9)
    wrong = choose_leads(remove_median(banded[:, ROWS], 500, 0.4), "twelve")
    assert np.abs(right - wrong).max() > 1


def test_recorded_limb_leads_are_those_of_the_source() -> None:
    signal = records(2, 1000)
    fields = {"rate_hz": 500, "samples": 1000, "leads": "twelve", "baseline": "none", "powerline_hz": "none"}
    recorded, computed = (
        preprocess(signal, 500, settings_of(limb_leads=word, **fields), mains_hz=60).counts
        for word in ("recorded", "computed")
    )
    np.testing.assert_array_equal(recorded, signal)
    np.testing.assert_array_equal(computed[:, [0, 1, *range(6, 12)]], signal[:, ROWS])
    assert not np.array_equal(computed, recorded)


def test_all_leads_are_joined_before_they_are_decimated_also_computed_ones() -> None:
    signal = records(2, 5000)
    made = prepare(signal, 500, settings_of(**HUBERT), mains_hz=60)
    np.testing.assert_array_equal(made, decimate_joined(signal[..., :2500], 500, 100))
    computed = prepare(signal, 500, settings_of(**(HUBERT | {"limb_leads": "computed"})), mains_hz=60)
    twelve = choose_leads(signal[:, ROWS, :2500].astype(float), "twelve")
    np.testing.assert_array_equal(computed, decimate_joined(twelve, 500, 100))


def test_leads_are_scaled_over_the_whole_record_before_it_is_cut() -> None:
    signal = records(1, 6000)
    settings = settings_of(**ECG_FM, limb_leads="recorded")
    rows = prepare(signal, 500, settings, mains_hz=60) * SCALE
    by_hand = by_lead(signal, np.zeros((1, 12), bool))[0]
    np.testing.assert_allclose(rows, np.stack([by_hand[:, start : start + 2500] for start in (0, 2500, 3500)]))


@pytest.mark.parametrize(
    ("fields", "rate_hz", "words"),
    [
        (FOUNDER, 80, "too low for a band-pass up to 40 Hz; set another baseline"),
        (HUBERT, 250, "records of 250 Hz give no 100 Hz"),
    ],
)
def test_a_stored_rate_that_a_step_cannot_take_is_refused_with_what_to_set(
    fields: dict[str, object], rate_hz: int, words: str
) -> None:
    with pytest.raises(ValueError, match=words):
        check_stored_rate(settings_of(**fields), rate_hz)
    with pytest.raises(ValueError, match=words):
        preprocess(records(1, 3000), rate_hz, settings_of(**(fields | {"powerline_hz": "none"})), mains_hz=60)


def test_a_record_too_short_for_the_band_pass_is_refused_before_any_work() -> None:
    with pytest.raises(ValueError, match="27 samples are too few to filter; at least 28"):
        preprocess(records(1, 27), 500, settings_of(**FOUNDER), mains_hz=60)
