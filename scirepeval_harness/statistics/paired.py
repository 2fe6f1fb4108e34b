"""Bootstrap of the difference of two systems over the same items."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Draws = NDArray[np.float64]


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


def p_of_draws(draws: Draws) -> float:
    """Two-sided bootstrap p-value for a difference of 0.

    Twice the smaller share of draws on either side of 0, each with the add-one of a Monte Carlo
    test: the level at which the percentile interval begins to hold 0 (Efron and Tibshirani, 1993,
    section 15.4).
    """
    below, above = int((draws <= 0).sum()), int((draws >= 0).sum())
    return min(1.0, 2.0 * (min(below, above) + 1) / (len(draws) + 1))
