"""The single steps of preprocessing: filters, rate, length, scale."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from codeii.tensors.filter import SHORTEST, baseline_sos, remove_baseline, remove_powerline
from codeii.tensors.normalise import by_record
from codeii.tensors.resample import resample, resampled_length, zoom
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


@few
@given(factor=st.floats(1e-3, 1e3), offset=st.floats(-1e3, 1e3))
def test_scaling_by_record_forgets_gain_and_offset(factor: float, offset: float) -> None:
    signal = noise(3, 8, 200)
    np.testing.assert_allclose(by_record(factor * signal + offset), by_record(signal), atol=1e-6)


def test_scaling_by_record_keeps_the_ratio_of_leads_and_the_records_apart() -> None:
    signal = noise(2, 8, 500)
    signal[:, 3] *= 4
    scaled = by_record(signal)
    np.testing.assert_allclose(scaled.mean(axis=(1, 2)), 0, atol=1e-12)
    np.testing.assert_allclose(scaled.std(axis=(1, 2)), 1)
    np.testing.assert_allclose(scaled[1, 3].std() / scaled[1, 0].std(), signal[1, 3].std() / signal[1, 0].std())
    np.testing.assert_array_equal(by_record(signal[1]), scaled[1])


def test_a_constant_record_cannot_be_scaled() -> None:
    signal = noise(3, 8, 100)
    signal[1] = 7.0
    with pytest.raises(ValueError, match="1 records are constant"):
        by_record(signal)
