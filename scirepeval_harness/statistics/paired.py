"""Bootstrap of the difference of two systems over the same items."""

from __future__ import annotations

from statistics import NormalDist

import numpy as np
from numpy.typing import NDArray

Draws = NDArray[np.float64]
LEAST = 1 / 10_001


def difference_draws(a: Draws, b: Draws) -> Draws:
    """Draws of the paired difference, b - a.

    Both arrays (draws,) must come from `bootstrap.bootstrap` over the same items in the same
    order, with the same seed and stream: draw k then takes the same items for both, and what the
    systems share (easy and hard items) falls out of the difference.

    Raises:
        ValueError: the two have not as many draws.
    """
    if a.shape != b.shape:
        raise ValueError(f"{a.shape[0]} draws against {b.shape[0]}")
    return b - a


def p_of_draws(difference: float, draws: Draws) -> float:
    """Two-sided p-value of a mean's difference from 0, by its bootstrap standard error.

    For means over many items of several tasks, which are close to normal. The share of draws beyond
    0 would do for one test, but 1,000 draws cannot tell p-values below 0.002 apart, and a
    correction over 26 tests asks for those. Not below 1 / 10,001, the least that a permutation test
    of a score gives (Efron and Tibshirani, 1993, sections 6.2 and 12.5).
    """
    error = float(draws.std(ddof=1))
    if difference == 0.0 or error == 0.0:
        return 1.0 if difference == 0.0 else LEAST
    return max(LEAST, 2.0 * NormalDist().cdf(-abs(difference) / error))
