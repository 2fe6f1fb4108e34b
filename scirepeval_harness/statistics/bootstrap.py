"""Bootstrap draws: items drawn with replacement, a number computed again on every draw.

Which items a draw takes depends on the seed and the number of items alone: two models scored on
the same items are resampled alike. Percentile bootstrap: Efron and Tibshirani (1993), chapter 13.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
from numpy.typing import NDArray

from scirepeval_harness.statistics.measures import accuracy_of_counts, f1_of_counts

Draws = NDArray[np.float64]
Seed = tuple[int, ...]
"""Numbers that together seed a generator."""
Value = Callable[[NDArray[np.generic], NDArray[np.generic]], float]
"""A number from the truth and the predictions of some rows."""
CHUNK = 20_000_000
"""Weights held at a time: draws x items."""
BUDGET = 50_000_000
"""Rows that one score's draws may evaluate where few-shot iterations multiply the work."""
FEWEST = 200


def weights(items: int, draws: int, seed: Seed) -> Iterator[Draws]:
    """How often each draw takes each item, in chunks (draws, items); rows sum to items."""
    random = np.random.default_rng([*seed, items])
    step = max(1, CHUNK // max(items, 1))
    shares = np.full(items, 1.0 / items)
    for start in range(0, draws, step):
        yield random.multinomial(items, shares, size=min(step, draws - start)).astype(np.float64)


def mean_draws(values: Draws, draws: int, seed: Seed) -> Draws:
    """Means (draws,) of resampled values (items,)."""
    return np.concatenate(
        [part @ values / len(values) for part in weights(len(values), draws, seed)]
    )


def b_cubed_draws(size: Draws, precision: Draws, recall: Draws, draws: int, seed: Seed) -> Draws:
    """B-cubed F1 (draws,) of resampled blocks: their signatures, mean precision and recall."""
    parts = []
    for part in weights(len(size), draws, seed):
        total = part @ size
        p, r = part @ (size * precision) / total, part @ (size * recall) / total
        parts.append(np.divide(2 * p * r, p + r, out=np.zeros_like(p), where=(p + r) > 0))
    return np.concatenate(parts)


def count_draws(truth: Draws, predicted: Draws, metric: str, draws: int, seed: Seed) -> Draws:
    """``f1``, ``f1_macro`` or ``accuracy`` (draws,) of resampled rows of 0/1 labels.

    These are functions of counts, so that a product of matrices gives all draws at once.
    """
    single = bool((truth.sum(axis=1) == 1).all() and (predicted.sum(axis=1) == 1).all())
    parts = []
    for part in weights(len(truth), draws, seed):
        hits, said, real = part @ (truth * predicted), part @ predicted, part @ truth
        if metric == "accuracy":
            parts.append(accuracy_of_counts(part, truth, predicted))
        else:
            parts.append(f1_of_counts(hits, said, real, metric, present_only=single))
    return np.concatenate(parts)


def value_draws(
    value: Value, truth: NDArray[np.generic], predicted: NDArray[np.generic], draws: int, seed: Seed
) -> Draws:
    """Any function of truth and predictions, computed anew (draws,) on each draw's rows."""
    values = []
    for part in weights(len(truth), draws, seed):
        for counts in part.astype(np.int64):
            taken = np.repeat(np.arange(len(truth)), counts)
            values.append(value(truth[taken], predicted[taken]))
    return np.array(values)


def draws_for(rows: int, iterations: int, draws: int) -> int:
    """How many draws `value_draws` makes for the mean over so many iterations.

    All of them for one iteration. Of 10,000 rows and 50 iterations every draw would evaluate half
    a million rows, so that fewer are made, of which an interval is still read well.
    """
    if iterations == 1:
        return draws
    return min(draws, max(FEWEST, BUDGET // max(rows * iterations, 1)))


def interval(draws: Draws, level: float = 0.95) -> tuple[float, float]:
    """The percentile interval of ``level`` around the draws' median."""
    tail = 50.0 * (1.0 - level)
    low, high = np.percentile(draws, [tail, 100.0 - tail])
    return float(low), float(high)
