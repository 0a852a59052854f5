"""Fits of curves over the amount of data find what made them, and savings are read where curves cross."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from codeii.evaluation.curves import LOG_LINE, POWER_LAW, Line, fit, saving, why_not

AMOUNTS = np.array([0.01, 0.1, 0.3, 1.0])


def line(value: np.ndarray, amount: np.ndarray = AMOUNTS, noise: float = 0.0) -> Line:
    shift = noise * np.random.default_rng(0).standard_normal((len(value), 400))
    return Line(amount, np.asarray(value), np.asarray(value)[:, None] + shift)


@given(st.floats(-0.1, 0.2), st.floats(0.2, 0.9))
def test_the_slope_of_a_straight_line_is_found(slope: float, at_one: float) -> None:
    found = {one.name: one for one in fit(line(at_one + slope * np.log10(AMOUNTS)), 0.95) if one.form == LOG_LINE}
    assert found["per_tenfold"].value == pytest.approx(slope, abs=1e-12)
    assert found["rmse"].value == pytest.approx(0, abs=1e-12)


def test_the_asymptote_of_a_power_law_is_found_within_the_grid() -> None:
    values = 0.95 - 0.05 * AMOUNTS**-0.4
    found = {one.name: one for one in fit(line(values, noise=1e-3), 0.95) if one.form == POWER_LAW}
    assert found["asymptote"].value == pytest.approx(0.95, abs=0.01)
    assert found["exponent"].value == pytest.approx(0.4, rel=0.07)
    assert found["asymptote"].low < 0.95 < found["asymptote"].high


def test_an_interval_holds_the_slope_and_narrows_with_the_noise() -> None:
    values = 0.9 + 0.05 * np.log10(AMOUNTS)
    wide, narrow = (fit(line(values, noise=noise), 0.95)[0] for noise in (0.01, 0.001))
    assert wide.low < 0.05 < wide.high and narrow.high - narrow.low < (wide.high - wide.low) / 5


def test_too_few_points_are_not_fitted_and_say_why() -> None:
    two = line(np.array([0.7, 0.8]), np.array([0.1, 1.0]))
    assert fit(two, 0.95) == [] and why_not(two) == "2 amounts of training data; a fit needs 3"
    three = line(np.array([0.7, 0.8, 0.85]), AMOUNTS[1:])
    assert {one.form for one in fit(three, 0.95)} == {LOG_LINE} and why_not(three) == ""


def test_a_start_that_scores_at_a_tenth_what_the_other_does_at_all_saves_ten_times() -> None:
    other = line(0.9 + 0.1 * np.log10(AMOUNTS), noise=1e-6)
    better = line(1.0 + 0.1 * np.log10(AMOUNTS), noise=1e-6)
    found = saving(better, other, 1, 0.95)
    assert found.times == pytest.approx(10, rel=1e-9) and found.low <= found.times <= found.high
    assert saving(other, other, 2, 0.95).times == pytest.approx(1, rel=1e-9)


def test_beyond_the_other_curve_a_bound_is_given() -> None:
    other = line(0.5 + 0.1 * np.log10(AMOUNTS))
    above, below = line(np.full(4, 0.99)), line(np.full(4, 0.01))
    assert (saving(above, other, 1, 0.95).times, saving(above, other, 1, 0.95).bound) == (pytest.approx(10), "at least")
    assert (saving(below, other, 1, 0.95).times, saving(below, other, 1, 0.95).bound) == (pytest.approx(0.1), "at most")


def test_a_curve_that_falls_counts_with_its_highest_score_so_far() -> None:
    other = line(np.array([0.5, 0.8, 0.7, 0.9]))
    found = saving(line(np.full(4, 0.75)), other, 0, 0.95).times
    assert 1 < found < 10  # reached between the first two points, not again between the last two
