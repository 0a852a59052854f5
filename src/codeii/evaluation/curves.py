"""A score against the amount of training data: what is fitted to it, and how much data one start saves another.

Every number has its interval from the same resamples of the test patients; fits are made again in each.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from codeii.evaluation.bootstrap import percentile_interval

EXPONENTS = np.geomspace(0.05, 2.0, 200)  # of the power law, tried one by one: the rest of it is linear
LOG_LINE, POWER_LAW = "log-linear", "power law"
POINTS = {LOG_LINE: 3, POWER_LAW: 4}  # fewer determine a form without leaving anything to judge it by


@dataclass(frozen=True, slots=True)
class Line:
    """One curve: scores at rising amounts, and the same under each resample."""

    amount: NDArray[np.float64]  # (point,)
    value: NDArray[np.float64]  # (point,)
    replicates: NDArray[np.float64]  # (point, replicate)


@dataclass(frozen=True, slots=True)
class Parameter:
    """One number of a fit with its interval."""

    form: str
    name: str
    value: float
    low: float
    high: float


def fit(line: Line, level: float) -> list[Parameter]:
    """Fit the forms that the number of points allows; an empty list where it allows none.

    log-linear: score = a + `per_tenfold` log10(amount). power law: score = `asymptote` - b amount ** -`exponent`, by
    least squares over a grid of exponents. `rmse` is what a form leaves.
    """
    found = []
    for form, least in POINTS.items():
        if len(line.amount) < least:
            continue
        names, values = _fitted(form, line.amount, np.column_stack([line.value, line.replicates]))
        low, high = percentile_interval(values[:, 1:], level)
        found += [
            Parameter(form, name, float(values[at, 0]), float(low[at]), float(high[at]))
            for at, name in enumerate(names)
        ]
    return found


def why_not(line: Line) -> str:
    """Why nothing is fitted; "" where something is."""
    least = min(POINTS.values())
    return "" if len(line.amount) >= least else f"{len(line.amount)} amounts of training data; a fit needs {least}"


def _fitted(form: str, amount: np.ndarray, scores: np.ndarray) -> tuple[tuple[str, ...], NDArray[np.float64]]:
    """Names of the parameters, and (parameter, column) their values for (point, column) scores."""
    if form == LOG_LINE:
        (_, slope), left = _straight(np.log10(amount), scores)
        return ("per_tenfold", "rmse"), np.stack([slope, np.sqrt(left / len(amount))])
    tried = [_straight(amount**-exponent, scores) for exponent in EXPONENTS]
    best = np.argmin([left for _, left in tried], axis=0)
    column = np.arange(scores.shape[1])
    asymptote = np.stack([line[0] for line, _ in tried])[best, column]
    left = np.stack([left for _, left in tried])[best, column]
    return ("asymptote", "exponent", "rmse"), np.stack([asymptote, EXPONENTS[best], np.sqrt(left / len(amount))])


def _straight(x: np.ndarray, scores: np.ndarray) -> tuple[tuple[np.ndarray, np.ndarray], np.ndarray]:
    """Least squares of (point, column) scores on x: intercept and slope of each column, and the squares left."""
    away = x - x.mean()
    slope = away @ scores / (away @ away)
    intercept = scores.mean(axis=0) - slope * x.mean()
    left = ((scores - intercept - np.outer(x, slope)) ** 2).sum(axis=0)
    return (intercept, slope), left


@dataclass(frozen=True, slots=True)
class Saving:
    """How many times the data the other start needs for the same score.

    A bound is "at least" where the other curve ends below the score, "at most" where it begins above it.
    """

    times: float
    bound: str
    low: float
    low_bound: str
    high: float
    high_bound: str


def saving(line: Line, other: Line, at: int, level: float) -> Saving:
    """Read the other curve, straight between its points on a logarithmic scale, at the score of point `at`.

    Where it falls, its highest score so far counts: more data is taken to be no loss.
    """
    drawn = np.column_stack([other.value, other.replicates])
    wanted = np.concatenate([[line.value[at]], line.replicates[at]])
    needed = _read(np.log(other.amount), np.maximum.accumulate(drawn, axis=0), wanted)
    times = np.exp(needed) / line.amount[at]
    low, high = (float(end) for end in percentile_interval(times[1:], level))
    ends = other.amount[0] / line.amount[at], other.amount[-1] / line.amount[at]
    value = float(times[0])
    return Saving(value, _bound(value, ends), low, _bound(low, ends), high, _bound(high, ends))


def _bound(times: float, ends: tuple[float, float]) -> str:
    if np.isclose(times, ends[1], rtol=1e-9):
        return "at least"
    return "at most" if np.isclose(times, ends[0], rtol=1e-9) else ""


def _read(x: np.ndarray, rising: np.ndarray, wanted: np.ndarray) -> NDArray[np.float64]:
    """Where each column of (point, column) rising scores first reaches what is wanted of it; cut to the ends of x."""
    found = np.full(wanted.shape, x[-1])
    found[wanted <= rising[0]] = x[0]
    for point in range(len(x) - 1):
        low, high = rising[point], rising[point + 1]
        here = (low < wanted) & (wanted <= high)
        share = (wanted[here] - low[here]) / (high[here] - low[here])
        found[here] = x[point] + share * (x[point + 1] - x[point])
    found[np.isnan(wanted) | np.isnan(rising).any(axis=0)] = np.nan
    return found
