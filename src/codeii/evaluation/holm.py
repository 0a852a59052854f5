"""Several tests of one family: the p values that keep the chance of one false finding among all of them."""

import numpy as np
from numpy.typing import NDArray


def holm(p: np.ndarray) -> NDArray[np.float64]:
    """Adjusted p values (Holm 1979). NaN is no test: it stays NaN and does not count."""
    adjusted = np.full(len(p), np.nan)
    tests = np.flatnonzero(~np.isnan(p))
    rising = tests[np.argsort(p[tests], kind="stable")]
    left = np.arange(len(rising), 0, -1)
    adjusted[rising] = np.minimum(np.maximum.accumulate(p[rising] * left), 1.0)
    return adjusted
