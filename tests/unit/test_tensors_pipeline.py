"""The steps together: order, leads, stacks, rounding."""

from collections.abc import Callable
from itertools import product

import numpy as np
import pytest

from codeii.schema.leads import EIGHT, LEADS
from codeii.schema.params import Preprocessing
from codeii.tensors.filter import remove_baseline, remove_powerline
from codeii.tensors.pipeline import (
    SCALE,
    choose_leads,
    made_length,
    powerline_hz,
    prepare,
    preprocess,
    row_starts,
)
from codeii.tensors.resample import resample, zoom
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
