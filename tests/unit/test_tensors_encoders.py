"""The steps together for what published encoders take: order, leads, length, what is flat, what is refused."""

import numpy as np
import pytest
from tests.unit.test_tensors_pipeline import ROWS, records, settings_of

from codeii.tensors.filter import keep_band, remove_median, remove_powerline
from codeii.tensors.normalise import by_lead
from codeii.tensors.pipeline import (
    BESIDE,
    SCALE,
    check_stored_rate,
    choose_leads,
    made_length,
    prepare,
    preprocess,
    row_starts,
)
from codeii.tensors.resample import decimate_joined

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
