"""Sums of a record: the compiled kernel gives the numbers of the reference, and both are the right ones."""

import os
import shutil

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from codeii.native.library import load_library
from codeii.records import sums as sums_module
from codeii.records.measure import look_at, measures_of
from codeii.records.quality import notice
from codeii.records.sums import SOURCE, WAVE, Sums, reference, stretch, sums_of, waves

native = pytest.mark.skipif(
    shutil.which(os.environ.get("CC") or "cc") is None or os.environ.get("CODEII_KERNEL") == "reference",
    reason="no C compiler here",
)


def assert_same(signal: np.ndarray, rate_hz: int) -> None:
    library = load_library(SOURCE)
    assert library is not None
    found, expected = sums_module._by_kernel(library, signal, rate_hz), reference(signal, rate_hz)
    for name in Sums.__slots__:
        np.testing.assert_array_equal(getattr(found, name), getattr(expected, name), err_msg=name, strict=True)


@st.composite
def records(draw: st.DrawFn) -> tuple[np.ndarray, int]:
    """(12, sample) int16 of a second or more, and its rate: noise, walks, extremes, flat and copied leads, repeats."""
    rate_hz = draw(st.sampled_from([1, 3, 7, 60, 100, 101, 250, 257, 400, 500, 1000]))
    samples = rate_hz + draw(st.integers(0, 3 * rate_hz + 70))
    rng = np.random.default_rng(draw(st.integers(0, 1 << 32)))
    size = draw(st.sampled_from([0, 1, 3, 60, 900, 32_768]))
    signal = rng.integers(-size, size + 1, (12, samples))
    if draw(st.booleans()):
        signal = np.cumsum(signal, axis=1)
    signal = signal.clip(*draw(st.sampled_from([(-32_768, 32_767), (-40, 25), (0, 1)])))
    for lead in draw(st.lists(st.integers(0, 11), max_size=4)):
        value = draw(st.sampled_from([-32_768, -1, 0, 32_767]))
        start = draw(st.integers(0, samples - 1))
        signal[lead, start : start + draw(st.integers(1, samples))] = value
    for one, other in draw(st.lists(st.tuples(st.integers(0, 11), st.integers(0, 11)), max_size=3)):
        signal[one] = signal[other]
    if draw(st.booleans()):
        signal[:, samples // 2 : samples // 2 * 2] = signal[:, : samples // 2]
    return signal.astype(np.int16), rate_hz


@native
@settings(max_examples=150, deadline=None)
@given(record=records())
@example(record=(np.full((12, 1), -32_768, np.int16), 1))
@example(record=(np.full((12, 65), 1, np.int16), 60))
@example(record=(np.full((12, 2001), -32_768, np.int16), 500))
@example(record=(np.tile(np.array([-32_768, 32_767], np.int16), (12, 1100)), 500))
def test_the_kernel_gives_the_numbers_of_the_reference(record: tuple[np.ndarray, int]) -> None:
    assert_same(*record)


@native
@pytest.mark.parametrize("samples", [16_385, 140_001])
def test_long_records_of_the_largest_values_overflow_nowhere(samples: int) -> None:
    """Beyond the buckets at hand, and beyond the blocks whose sums a number of the processor holds."""
    rng = np.random.default_rng(samples)
    assert_same(rng.choice(np.array([-32_768, 32_767], np.int16), (12, samples)), 1000)
    assert_same(np.full((12, samples), -32_768, np.int16), samples - 1)


@native
def test_a_view_of_a_larger_array_is_read_as_it_looks() -> None:
    frames = np.random.default_rng(0).integers(-900, 900, (1100, 24)).astype(np.int16)
    assert_same(frames.T[::2], 500)


@native
@given(record=records())
@settings(max_examples=25, deadline=None)
def test_flags_and_measures_are_the_same_with_and_without_a_kernel(record: tuple[np.ndarray, int]) -> None:
    told = []
    for way in ("native", "reference"):
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("CODEII_KERNEL", way)
            look = look_at(*record)
            flags, share = notice(look)
            told.append((flags, repr(measures_of(look, share))))
    assert told[0] == told[1]


@given(record=records())
@settings(max_examples=40, deadline=None)
def test_sums_are_those_of_whole_numbers(record: tuple[np.ndarray, int]) -> None:
    signal, rate_hz = record
    found, exact = sums_of(signal, rate_hz), signal.astype(object)
    assert found.total == exact.sum(axis=1).tolist()
    one, two = exact[:2]
    gaps = 2 * exact[2] - 2 * (two - one), 2 * exact[3] + one + two, 2 * exact[4] - 2 * one + two
    of_foot = 2 * exact[5] - 2 * two + one
    assert found.squares == [(lead * lead).sum() for lead in (one, two, *gaps, of_foot)]
    assert found.gap == max(np.abs(lead).max() for lead in (*gaps, of_foot))
    different = len({column.tobytes() for column in np.ascontiguousarray(signal.T)})
    assert 0 <= found.repeats - (signal.shape[1] - different) <= 10 + signal.shape[1] / 30
    step = max(1, rate_hz // 100)
    slopes = exact[:, ::step][:, 2:] - exact[:, ::step][:, :-2]
    assert found.products.tolist() == (slopes @ slopes.T).tolist() if slopes.size else not found.products.any()


def test_a_wave_finds_its_own_tone_and_no_mean() -> None:
    found = waves(500, stretch(500, 5000)).astype(np.float64)
    assert np.abs(found).max() <= WAVE
    products = found @ found.T
    np.testing.assert_allclose(products / products.diagonal(), np.eye(6), atol=1e-4)
    assert np.abs(found.sum(axis=1)).max() < 60  # of two million: 30 mV of offset are not one microvolt of mains
