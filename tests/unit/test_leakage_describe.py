"""Windows of a recording: the same wherever it was cut, at whatever gain and rate it was stored."""

import hashlib

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.recordings import RATES, Signal, coarse, cut, resampled, scaled, twins, without_baseline

from codeii.leakage.describe import NUMBERS, SHORTEST_S, describe, peaks, projection, vertex
from codeii.leakage.waveform import BEATS, NOISE, RATE_HZ, SETTLED_S, in_bands, shifted

TWINS = twins("ptbxl", 12, 31)
SOME = st.sampled_from([signal for _, _, signal in TWINS])


def nearest(one: Signal, other: Signal, lag_s: float, sign: int = 1) -> np.ndarray:
    """Distance of each window of `other` from the one of `one` at the same time, where there is one."""
    a, b = describe(*one), describe(*other)
    gaps = np.abs(a.seconds[:, np.newaxis] - lag_s - b.seconds)
    rows, columns = np.nonzero(gaps < 0.002)
    return np.linalg.norm(a.vectors[rows].astype(float) - sign * b.vectors[columns].astype(float), axis=1)


@given(SOME, st.floats(0, 7))
def test_a_cut_leaves_the_windows_inside_it_as_they_are(signal: Signal, start_s: float) -> None:
    part = cut(signal, start_s, 3.0)
    lag_s = round(start_s * signal[1]) / signal[1]
    found = nearest(signal, part, lag_s)
    inside = len(describe(*part).seconds)
    assert inside >= 1 and len(found) >= inside - 1  # a peak near the end may give way to a larger one beyond it
    assert found.min() < 0.02


@given(SOME, st.floats(0, 7.5))
def test_every_two_and_a_half_seconds_hold_a_window(signal: Signal, start_s: float) -> None:
    assert SHORTEST_S == 2.5
    assert len(describe(*cut(signal, start_s, SHORTEST_S)).seconds) >= 1


@given(SOME, st.sampled_from(RATES))
def test_the_rate_does_not_matter(signal: Signal, rate_hz: int) -> None:
    assert np.median(nearest(signal, resampled(signal, rate_hz), 0.0)) < 0.01


@given(SOME, st.sampled_from([0.3, 0.5, 2.0, 3.0]))
def test_the_gain_does_not_matter(signal: Signal, factor: float) -> None:
    assert np.median(nearest(signal, scaled(signal, factor), 0.0)) < 0.01


@given(SOME)
def test_steps_of_the_gain_and_the_baseline_matter_little(signal: Signal) -> None:
    assert np.median(nearest(signal, coarse(signal, 10), 0.0)) < 0.02
    assert np.median(nearest(signal, without_baseline(signal), 0.0)) < 0.05


@given(SOME)
def test_a_turned_sign_turns_the_vectors(signal: Signal) -> None:
    assert nearest(signal, scaled(signal, -1), 0.0, sign=-1).max() == 0


def test_windows_of_different_people_are_far_apart() -> None:
    described = [describe(*signal).vectors.astype(float) for _, _, signal in TWINS]
    for number, one in enumerate(described):
        for (_, other_patient, _), other in zip(TWINS[:number], described[:number], strict=True):
            if other_patient != TWINS[number][1]:
                assert np.linalg.norm(one[:, np.newaxis] - other, axis=2).min() > 0.1


def test_a_still_or_short_record_has_no_window() -> None:
    still = np.full((12, 5000), 300, np.int16)
    assert describe(still, 500).vectors.shape == (0, NUMBERS)
    assert describe(TWINS[0][2][0][:, :500], 500).vectors.shape == (0, NUMBERS)


def test_rounding_alone_is_no_window() -> None:
    noise = np.random.default_rng(0).integers(-1, 2, (12, 5000)).astype(np.int16)
    assert len(describe(noise, 500).seconds) == 0


def test_no_stretch_is_left_without_a_peak() -> None:
    (wave,) = in_bands(*TWINS[0][2], (BEATS,))
    at = peaks(wave) / RATE_HZ
    assert np.diff(at).max() <= 0.65 and np.diff(at).min() >= 0.29


def test_the_projection_is_the_same_everywhere() -> None:
    matrix = projection() * np.sqrt(NUMBERS)
    assert set(np.unique(matrix.round(6))) == {-1.0, 1.0}
    assert hashlib.sha256(matrix.round().astype(np.int8).tobytes()).hexdigest()[:16] == "318fdda2d1d25c5a"
    assert abs(matrix.T @ matrix / len(matrix) - np.eye(NUMBERS)).max() < 0.2


@given(st.floats(-0.45, 0.45), st.floats(0.1, 5))
def test_a_vertex_is_that_of_the_parabola(place: float, bend: float) -> None:
    values = [np.array([-bend * (x - place) ** 2]) for x in (-1, 0, 1)]
    assert vertex(*values)[0] == pytest.approx(place, abs=1e-9)
    flat = np.array([1.0])
    assert vertex(flat, flat, flat)[0] == 0


@pytest.mark.parametrize("band", [BEATS, NOISE])
def test_a_band_keeps_nothing_of_the_ends_beyond_where_it_settles(band: tuple[float, float]) -> None:
    wave, rate_hz = TWINS[1][2]
    (whole,), (part,) = in_bands(wave, rate_hz, (band,)), in_bands(wave[:, 1000:4000], rate_hz, (band,))
    margin = round(SETTLED_S * RATE_HZ)
    inner = slice(margin, part.shape[1] - margin)
    # the mean that is taken off differs between the two: nothing of it passes either
    np.testing.assert_allclose(whole[:, 400 : 400 + part.shape[1]][:, inner], part[:, inner], atol=0.05)


@given(st.floats(-1, 1))
def test_a_shift_by_a_fraction_moves_a_sine(samples: float) -> None:
    time = np.arange(400)
    wave = np.sin(2 * np.pi * time / 25)[np.newaxis].astype(np.float32)
    moved = shifted(wave, samples)
    expected = np.sin(2 * np.pi * (time - samples) / 25)
    np.testing.assert_allclose(moved[0, 60:340], expected[60:340], atol=0.02)
