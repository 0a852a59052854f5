"""The single steps of preprocessing: filters, rate, length, scale."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from codeii.tensors.filter import (
    BAND_EDGE,
    SHORTEST,
    baseline_sos,
    keep_band,
    median_window,
    remove_baseline,
    remove_median,
    remove_powerline,
)
from codeii.tensors.normalise import FLAT_UV, by_lead, by_record, still_leads
from codeii.tensors.resample import decimate_joined, resample, resampled_length, zoom
from codeii.tensors.window import place, sections_of, starts_of

RATES_HZ = st.sampled_from([100, 240, 250, 257, 300, 360, 400, 500, 600, 1000])
few = settings(max_examples=40, deadline=None)


def noise(*shape: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).normal(0, 300, shape)


def sine(hz: float, rate_hz: int, seconds: float = 10) -> np.ndarray:
    return np.sin(2 * np.pi * hz * np.arange(int(rate_hz * seconds)) / rate_hz)


# --- filters


@pytest.mark.parametrize("rate_hz", [100, 300, 400, 500, 600, 1000])
def test_the_high_pass_is_of_third_order_in_two_sections(rate_hz: int) -> None:
    assert baseline_sos(rate_hz).shape == (2, 6)


@pytest.mark.parametrize("rate_hz", [300, 400, 500, 1000])
def test_slow_drift_goes_and_the_qrs_band_stays(rate_hz: int) -> None:
    inner = slice(3 * rate_hz, -3 * rate_hz)
    drift = remove_baseline(sine(0.1, rate_hz, 20), rate_hz)[inner]
    beat = remove_baseline(sine(10, rate_hz, 20), rate_hz)[inner]
    assert np.abs(drift).max() < 0.01
    assert np.abs(beat).max() == pytest.approx(1, abs=0.13)  # ripple of 0.5 dB, twice


def test_a_constant_lead_is_all_baseline() -> None:
    assert np.abs(remove_baseline(np.full((2, 5000), 750.0), 500)).max() < 1e-6


@pytest.mark.parametrize("mains_hz", [50, 60])
def test_the_notch_removes_mains_and_keeps_its_neighbours(mains_hz: int) -> None:
    inner = slice(1000, -1000)
    assert np.abs(remove_powerline(sine(mains_hz, 500), 500, mains_hz)[inner]).max() < 1e-3
    assert remove_powerline(sine(mains_hz - 10, 500), 500, mains_hz)[inner].std() > 0.95 * np.sqrt(0.5)


@pytest.mark.parametrize(("rate_hz", "mains_hz"), [(100, 60), (99, 50), (500, 300), (500, 0), (500, -50)])
def test_a_notch_above_half_the_rate_or_not_positive_is_refused(rate_hz: int, mains_hz: int) -> None:
    with pytest.raises(ValueError, match=f"a notch at {mains_hz} Hz needs records of at least"):
        remove_powerline(noise(2, 1000), rate_hz, mains_hz)


def test_a_notch_at_exactly_half_the_rate_is_made_as_the_authors_make_it() -> None:
    """50 Hz in records of 100 Hz: the reference numbers hold this case, so it is no error."""
    alternating = np.tile([1.0, -1.0], 500)
    assert np.abs(remove_powerline(alternating, 100, 50)[200:-200]).max() < 1e-6


def test_a_rate_that_holds_no_high_pass_is_refused() -> None:
    with pytest.raises(ValueError, match="rate_hz 1 is too low"):
        remove_baseline(noise(2, 100), 1)


@pytest.mark.parametrize("samples", [0, 1, SHORTEST - 1])
def test_a_record_too_short_to_filter_is_refused_with_its_length(samples: int) -> None:
    with pytest.raises(ValueError, match=f"^{samples} samples are too few to filter; at least 16"):
        remove_baseline(noise(2, samples), 500)
    with pytest.raises(ValueError, match=f"^{samples} samples are too few"):
        remove_powerline(noise(2, samples), 500, 60)


def test_the_shortest_record_can_be_filtered() -> None:
    for rate_hz in (100, 500, 1000):
        assert remove_baseline(noise(2, SHORTEST), rate_hz).shape == (2, SHORTEST)
        assert remove_powerline(noise(2, SHORTEST), rate_hz, 50).shape == (2, SHORTEST)


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_a_sample_that_is_not_finite_is_refused_by_every_step_that_would_spread_it(bad: float) -> None:
    signal = noise(2, 1000)
    signal[1, 500] = bad
    for step in (
        lambda: remove_baseline(signal, 500),
        lambda: remove_powerline(signal, 500, 60),
        lambda: keep_band(signal, 500),
        lambda: remove_median(signal, 500, 0.4),
        lambda: decimate_joined(signal, 500, 100),
        lambda: by_record(signal[np.newaxis], np.zeros((1, 2), bool)),
        lambda: by_lead(signal[np.newaxis], np.zeros((1, 2), bool)),
        lambda: resample(signal, 500, 400),
        lambda: resample(signal, 500, 500),
    ):
        with pytest.raises(ValueError, match="1 samples are not finite"):
            step()


@few
@given(rate_hz=RATES_HZ.filter(lambda rate: rate >= 120), scale=st.floats(-5, 5), seed=st.integers(0, 99))
def test_filters_are_linear(rate_hz: int, scale: float, seed: int) -> None:
    one, other = noise(2, 800, seed=seed), noise(2, 800, seed=seed + 1)
    for step in (lambda x: remove_baseline(x, rate_hz), lambda x: remove_powerline(x, rate_hz, 60)):
        np.testing.assert_allclose(step(one + scale * other), step(one) + scale * step(other), rtol=0, atol=1e-7)


# --- filters of a published encoder


@pytest.mark.parametrize("rate_hz", [100, 257, 400, 500, 1000])
def test_the_band_is_kept_and_what_is_slower_or_faster_goes(rate_hz: int) -> None:
    """Half of the power goes at either edge, once forwards and once backwards: half of the size."""
    inner = slice(5 * rate_hz, -5 * rate_hz)
    for hz, kept in ((0.1, 0.0), (0.67, 0.5), (5.0, 1.0), (12.0, 1.0), (40.0, 0.5)):
        out = keep_band(sine(hz, rate_hz, 30), rate_hz)[inner]
        assert out.std() == pytest.approx(kept * np.sqrt(0.5), abs=0.01), hz
    assert keep_band(sine(49, rate_hz, 30), rate_hz)[inner].std() < 0.2 * np.sqrt(0.5)


def test_sections_give_the_filter_and_the_ends_that_its_polynomials_give_where_these_keep_their_digits() -> None:
    from scipy.signal import butter, filtfilt

    signal = noise(3, 400)
    by_polynomials = filtfilt(*butter(4, [0.67, 40], "bandpass", fs=100), signal)
    np.testing.assert_allclose(keep_band(signal, 100), by_polynomials, rtol=0, atol=1e-6)


@few
@given(rate_hz=RATES_HZ, scale=st.floats(-5, 5), seed=st.integers(0, 99))
def test_the_band_pass_is_linear(rate_hz: int, scale: float, seed: int) -> None:
    one, other = noise(2, 800, seed=seed), noise(2, 800, seed=seed + 1)
    together = keep_band(one + scale * other, rate_hz)
    np.testing.assert_allclose(together, keep_band(one, rate_hz) + scale * keep_band(other, rate_hz), atol=1e-7)


@few
@given(rate_hz=RATES_HZ, factor=st.floats(0.01, 100), level=st.floats(-3e4, 3e4), delay=st.integers(1, 200))
def test_the_filters_of_an_encoder_follow_gain_and_delay_and_forget_the_level(
    rate_hz: int, factor: float, level: float, delay: int
) -> None:
    """Gain with either sign; a level, as what does not move is baseline; a delay where the ends are far away."""
    beat = np.zeros(20 * rate_hz)
    beat[10 * rate_hz :][: rate_hz // 10] = 1000.0

    def filtered(signal: np.ndarray) -> np.ndarray:
        return remove_median(keep_band(signal, rate_hz), rate_hz, 0.4)

    plain = filtered(beat)
    np.testing.assert_allclose(filtered(-factor * beat), -factor * plain, rtol=0, atol=1e-6)
    np.testing.assert_allclose(filtered(beat + level), plain, rtol=0, atol=1e-6)
    np.testing.assert_allclose(filtered(np.roll(beat, delay))[delay:], plain[:-delay], rtol=0, atol=1e-2)


@pytest.mark.parametrize("rate_hz", [30, 79, 80])
def test_a_rate_that_holds_no_band_pass_is_refused(rate_hz: int) -> None:
    with pytest.raises(ValueError, match=f"rate_hz {rate_hz} is too low for a band-pass up to 40 Hz"):
        keep_band(noise(2, 100), rate_hz)


def test_a_record_too_short_for_the_band_pass_is_refused_with_its_length() -> None:
    with pytest.raises(ValueError, match=f"^{BAND_EDGE} samples are too few to filter; at least {BAND_EDGE + 1}"):
        keep_band(noise(2, BAND_EDGE), 500)
    assert keep_band(noise(2, BAND_EDGE + 1), 500).shape == (2, BAND_EDGE + 1)


@pytest.mark.parametrize(
    ("rate_hz", "window"), [(500, 201), (100, 41), (250, 101), (257, 103), (253, 103), (1000, 401)]
)
def test_the_running_median_spans_an_odd_number_of_samples(rate_hz: int, window: int) -> None:
    assert median_window(rate_hz, 0.4) == window


def test_the_running_median_is_that_of_numpy_with_zeros_beyond_the_ends() -> None:
    signal = noise(3, 2, 90)
    padded = np.pad(signal, [(0, 0), (0, 0), (20, 20)])
    medians = np.stack([np.median(padded[..., n : n + 41], axis=-1) for n in range(90)], axis=-1)
    np.testing.assert_array_equal(remove_median(signal, 100, 0.4), signal - medians)


@pytest.mark.parametrize(("seconds", "left"), [(0.15, 200.0), (0.25, 0.0)])
def test_the_running_median_takes_a_long_st_elevation_for_baseline(seconds: float, left: float) -> None:
    """Why it is no step of a signal that is to be right: 0.2 mV between beats of 0.8 s."""
    elevated = np.where(np.arange(5000) % 400 < seconds * 500, 200.0, 0.0)
    out = remove_median(elevated, 500, 0.4)
    middle = 5 * 400 + int(seconds * 250)
    between = 5 * 400 + int((seconds + 0.8) * 250)
    assert out[middle] - out[between] == left


# --- resampling


@few
@given(samples=st.integers(1, 3000), rate_hz=RATES_HZ, target_hz=RATES_HZ)
def test_the_resampled_length_is_exact(samples: int, rate_hz: int, target_hz: int) -> None:
    length = resample(noise(1, samples), rate_hz, target_hz).shape[-1]
    assert length == resampled_length(samples, rate_hz, target_hz) == int(np.ceil(samples * target_hz / rate_hz))


@few
@given(rate_hz=RATES_HZ, target_hz=RATES_HZ, level=st.floats(-1e4, 1e4))
def test_a_constant_stays_the_constant_away_from_the_edges(rate_hz: int, target_hz: int, level: float) -> None:
    out = resample(np.full(4 * rate_hz, level), rate_hz, target_hz)
    inner = out[target_hz : -target_hz or None]
    np.testing.assert_allclose(inner, level, rtol=2e-3, atol=1e-12)


@few
@given(rate_hz=RATES_HZ, target_hz=RATES_HZ, scale=st.floats(-5, 5), seed=st.integers(0, 99))
def test_resampling_is_linear(rate_hz: int, target_hz: int, scale: float, seed: int) -> None:
    one, other = noise(2, 400, seed=seed), noise(2, 400, seed=seed + 1)
    together = resample(one + scale * other, rate_hz, target_hz)
    apart = resample(one, rate_hz, target_hz) + scale * resample(other, rate_hz, target_hz)
    np.testing.assert_allclose(together, apart, rtol=0, atol=1e-8)


@pytest.mark.parametrize(("rate_hz", "target_hz"), [(500, 100), (500, 400), (1000, 400), (400, 240), (257, 100)])
def test_energy_above_the_new_nyquist_frequency_is_gone(rate_hz: int, target_hz: int) -> None:
    """40 dB and more, for tones a fifth above it; picking samples without a filter fails this."""
    for hz in np.linspace(0.6 * target_hz, 0.49 * rate_hz, 5):
        out = resample(sine(hz, rate_hz), rate_hz, target_hz)[target_hz:-target_hz]
        assert out.std() < 0.01 * np.sqrt(0.5), hz


@pytest.mark.parametrize(("rate_hz", "target_hz"), [(500, 400), (500, 100), (400, 500), (1000, 400), (300, 400)])
def test_a_tone_of_the_heart_passes_unchanged(rate_hz: int, target_hz: int) -> None:
    out = resample(sine(12, rate_hz), rate_hz, target_hz)
    inner = slice(target_hz, -target_hz)
    np.testing.assert_allclose(out[inner], sine(12, target_hz)[inner], atol=5e-3)


@pytest.mark.parametrize(("rate_hz", "target_hz"), [(0, 400), (500, 0), (-500, 400)])
def test_a_rate_that_is_not_positive_is_refused(rate_hz: int, target_hz: int) -> None:
    with pytest.raises(ValueError, match="both must be positive"):
        resample(noise(1, 100), rate_hz, target_hz)


def test_no_samples_are_refused() -> None:
    with pytest.raises(ValueError, match="no samples"):
        resample(np.empty((12, 0)), 500, 400)


# --- the resampling of a published benchmark


def test_zoom_keeps_as_a_slower_wave_what_polyphase_removes() -> None:
    """60 Hz in 100 Hz of samples: gone, or back at 40 Hz with all of its size (root mean square 0.707)."""
    tone = sine(60, 500)
    right, folded = resample(tone, 500, 100), zoom(tone, 500, 100)
    assert len(right) == len(folded) == 1000
    assert folded.std() == pytest.approx(np.sqrt(0.5), abs=0.01)
    assert right[100:-100].std() < 0.002
    strongest_hz = int(np.abs(np.fft.rfft(folded)).argmax()) / 10
    assert strongest_hz == pytest.approx(40, abs=0.2)


def test_zoom_is_that_of_scipy_lead_by_lead() -> None:
    from scipy.ndimage import zoom as spline

    signal = noise(2, 3, 777)
    expected = np.stack([[spline(lead, 0.2) for lead in record] for record in signal])
    np.testing.assert_array_equal(zoom(signal, 500, 100), expected)


@few
@given(samples=st.integers(1, 3000), rate_hz=RATES_HZ, target_hz=RATES_HZ)
def test_the_zoomed_length_is_exact(samples: int, rate_hz: int, target_hz: int) -> None:
    length = resampled_length(samples, rate_hz, target_hz, "zoom")
    if length == 0:
        with pytest.raises(ValueError, match=f"{samples} samples of {rate_hz} Hz leave none at {target_hz} Hz"):
            zoom(noise(1, samples), rate_hz, target_hz)
    else:
        assert zoom(noise(1, samples), rate_hz, target_hz).shape[-1] == length


@pytest.mark.parametrize(
    ("signal", "rates_hz", "words"),
    [
        (np.empty((1, 0)), (500, 100), "no samples"),
        (np.zeros((1, 9)), (500, 0), "both must be positive"),
        (np.full((1, 9), np.nan), (500, 100), "9 samples are not finite"),
    ],
)
def test_zoom_refuses_what_resampling_refuses(signal: np.ndarray, rates_hz: tuple[int, int], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        zoom(signal, *rates_hz)


# --- the decimation of a published encoder


def test_joined_leads_are_decimated_as_one_signal_by_scipy() -> None:
    from scipy.signal import decimate

    signal = noise(2, 12, 250)
    expected = np.stack([decimate(record.reshape(-1), 5).reshape(12, 50) for record in signal])
    np.testing.assert_allclose(decimate_joined(signal, 500, 100), expected, rtol=0, atol=1e-9)


def test_a_lead_rings_into_the_next_as_it_does_not_where_each_is_on_its_own() -> None:
    signal = np.zeros((2, 500))
    signal[0, 450:] = 1000.0
    joined, apart = decimate_joined(signal, 500, 100), resample(signal, 500, 100)
    assert np.abs(joined[1, :10]).max() > 100 and not apart[1].any()


@few
@given(samples=st.integers(3, 600), factor=st.integers(1, 10), scale=st.floats(-5, 5))
def test_joined_decimation_is_linear_and_its_length_exact(samples: int, factor: int, scale: float) -> None:
    one, other = noise(12, samples), noise(12, samples, seed=1)
    rates_hz = (100 * factor, 100)
    out = decimate_joined(one + scale * other, *rates_hz)
    assert out.shape == (12, resampled_length(samples, *rates_hz, "decimate_joined"))
    apart = decimate_joined(one, *rates_hz) + scale * decimate_joined(other, *rates_hz)
    np.testing.assert_allclose(out, apart, rtol=0, atol=1e-7)


def test_rates_of_no_whole_ratio_and_too_few_samples_are_refused() -> None:
    with pytest.raises(ValueError, match="records of 400 Hz give no 300 Hz; set resampling: polyphase"):
        decimate_joined(noise(12, 500), 400, 300)
    with pytest.raises(ValueError, match=r"^24 samples of all leads are too few"):
        decimate_joined(noise(12, 1), 200, 100)
    with pytest.raises(ValueError, match="no samples"):
        decimate_joined(np.empty((12, 0)), 500, 100)


# --- placement


@few
@given(samples=st.integers(1, 60), target=st.integers(1, 60), placement=st.sampled_from(["centre", "first"]))
def test_placement_keeps_every_sample_that_fits_in_order(samples: int, target: int, placement: str) -> None:
    signal = np.arange(1, samples + 1)[np.newaxis]
    out = place(signal, target, placement)[0]
    assert len(out) == target
    kept = out[out > 0]
    assert len(kept) == min(samples, target) and (np.diff(kept) == 1).all()
    surplus = samples - target
    if surplus >= 0:
        assert kept[0] == 1 + (surplus // 2 if placement == "centre" else 0)
    else:
        assert np.flatnonzero(out)[0] == (-surplus // 2 if placement == "centre" else 0)


def test_seven_and_ten_seconds_are_padded_as_the_authors_pad_them() -> None:
    for length, before in ((4000, 48), (2800, 648)):
        out = place(np.ones((8, length)), 4096, "centre")
        assert (
            not out[:, :before].any() and out[:, before : before + length].all() and not out[:, before + length :].any()
        )


@pytest.mark.parametrize(("samples", "placement"), [(0, "centre"), (100, "middle")])
def test_an_unknown_placement_or_length_is_refused(samples: int, placement: str) -> None:
    with pytest.raises(
        ValueError, match=f"placement '{placement}' to {samples} samples; placements are centre, first, sections"
    ):
        place(noise(2, 10), samples, placement)


@few
@given(length=st.integers(1, 300), samples=st.integers(1, 60))
def test_sections_hold_every_sample_and_only_a_short_record_is_padded(length: int, samples: int) -> None:
    starts = sections_of(length, samples)
    signal = np.arange(1, length + 1)[np.newaxis]
    rows = place(signal, samples, "sections")
    assert rows.shape == (len(starts), samples)
    assert set(rows[rows > 0].tolist()) == set(range(1, length + 1))
    if length >= samples:
        assert rows.all() and len(starts) == -(-length // samples)
        assert starts == tuple(min(number * samples, length - samples) for number in range(len(starts)))
    else:
        assert starts == starts_of(length, samples, "centre") and len(starts) == 1


def test_a_record_of_thirty_seconds_is_three_sections_of_ten_and_of_thirty_two_four() -> None:
    assert sections_of(12_000, 4000) == (0, 4000, 8000)
    assert sections_of(12_800, 4000) == (0, 4000, 8000, 8800)
    assert sections_of(4000, 4096) == (-48,)


def test_sections_of_one_record_follow_one_another() -> None:
    stack = np.arange(2 * 3 * 10).reshape(2, 3, 10)
    rows = place(stack, 4, "sections")
    np.testing.assert_array_equal(rows, np.stack([stack[n, :, k : k + 4] for n in (0, 1) for k in (0, 4, 6)]))


# --- scale


def scaled_by_record(signal: np.ndarray) -> np.ndarray:
    return by_record(signal, still_leads(signal, signal.shape[1]))


def scaled_by_lead(signal: np.ndarray) -> np.ndarray:
    return by_lead(signal, still_leads(signal, signal.shape[1]))


@few
@given(factor=st.floats(1e-3, 1e3), offset=st.floats(-1e3, 1e3))
def test_scaling_by_record_forgets_gain_and_offset(factor: float, offset: float) -> None:
    signal = noise(3, 8, 200)
    np.testing.assert_allclose(scaled_by_record(factor * signal + offset), scaled_by_record(signal), atol=1e-6)


def test_scaling_by_record_keeps_the_ratio_of_leads_and_the_records_apart() -> None:
    signal = noise(2, 8, 500)
    signal[:, 3] *= 4
    scaled = scaled_by_record(signal)
    np.testing.assert_allclose(scaled.mean(axis=(1, 2)), 0, atol=1e-12)
    np.testing.assert_allclose(scaled.std(axis=(1, 2)), 1)
    np.testing.assert_allclose(scaled[1, 3].std() / scaled[1, 0].std(), signal[1, 3].std() / signal[1, 0].std())
    np.testing.assert_array_equal(scaled_by_record(signal[1:])[0], scaled[1])


@few
@given(factor=st.floats(1e-3, 1e3), offset=st.floats(-1e3, 1e3))
def test_scaling_by_lead_forgets_gain_and_offset_of_each(factor: float, offset: float) -> None:
    signal = noise(3, 8, 200)
    other = signal.copy()
    other[:, 2] = factor * signal[:, 2] + offset
    np.testing.assert_allclose(scaled_by_lead(other), scaled_by_lead(signal), atol=1e-6)
    np.testing.assert_allclose(scaled_by_lead(signal).std(axis=2), 1)
    np.testing.assert_allclose(scaled_by_lead(signal).mean(axis=2), 0, atol=1e-12)


def test_what_does_not_vary_becomes_zeros_and_no_other_record_does() -> None:
    signal = noise(3, 8, 100)
    signal[1] = 7.0
    signal[2, 5] = -300.0
    np.testing.assert_array_equal(scaled_by_record(signal)[1], 0)
    assert scaled_by_record(signal)[2, 5].all()  # a dead lead of a living record: below or above its mean
    scaled = scaled_by_lead(signal)
    np.testing.assert_array_equal(~scaled.any(axis=2), [[False] * 8, [True] * 8, [n == 5 for n in range(8)]])


def test_rounding_of_a_filter_is_not_made_into_a_signal() -> None:
    level = np.full((1, 8, 5000), 32_767.0)
    assert 0 < np.abs(keep_band(level, 500)).max() < FLAT_UV
    assert not scaled_by_record(keep_band(level, 500)).any() and not scaled_by_lead(keep_band(level, 500)).any()


def test_computed_limb_leads_are_still_where_both_i_and_ii_are() -> None:
    stored = noise(3, 8, 50)
    stored[0, :2] = 5.0
    stored[1, 0] = 5.0
    stored[2, 4] = 5.0
    found = [np.flatnonzero(still).tolist() for still in still_leads(stored, 12)]
    assert found == [[0, 1, 2, 3, 4, 5], [0], [8]]
    assert np.flatnonzero(still_leads(stored, 8)[2]).tolist() == [4]
