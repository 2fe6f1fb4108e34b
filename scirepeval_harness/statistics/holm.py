"""Correction of p-values for the number of tests made."""

from __future__ import annotations

from collections.abc import Sequence


def holm(p_values: Sequence[float]) -> list[float]:
    """Adjusted p-values in the order given: Holm (1979), the step-down form of Bonferroni.

    Rejecting those at or below alpha keeps the chance of any false rejection at alpha, however the
    tests depend on each other. The k-th smallest of n is multiplied by n - k + 1 and never falls
    below those before it.
    """
    count = len(p_values)
    adjusted = [1.0] * count
    highest = 0.0
    for rank, place in enumerate(sorted(range(count), key=lambda index: p_values[index])):
        highest = max(highest, min(1.0, (count - rank) * p_values[place]))
        adjusted[place] = highest
    return adjusted
