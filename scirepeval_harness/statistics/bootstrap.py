"""Bootstrap draws: items drawn with replacement, a number computed again on every draw; and the
metrics that follow from counts, for all draws at once.

Which items a draw takes depends on the seed and the number of items alone: two models scored on
the same items are resampled alike. Percentile bootstrap: Efron and Tibshirani (1993), chapter 13.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import chain

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
LabelLists = Sequence[Sequence[int]]
"""The class indices of each row."""
Seed = tuple[int, ...]
"""Numbers that together seed a generator."""
Value = Callable[[NDArray[np.generic], NDArray[np.generic]], float]
"""A number from the truth and the predictions of some rows."""
# Weights held at a time: draws x items.
CHUNK = 20_000_000
# Rows that one score's draws may evaluate where few-shot iterations multiply the work.
BUDGET = 50_000_000
FEWEST = 200
# Indices of classes are below it, where nothing says how many classes there are.
MOST_CLASSES = 65_536


def weights(items: int, draws: int, seed: Seed) -> Iterator[Array]:
    """How often each draw takes each item, in chunks (draws, items); rows sum to items."""
    random = np.random.default_rng([*seed, items])
    step = max(1, CHUNK // max(items, 1))
    shares = np.full(items, 1.0 / items)
    for start in range(0, draws, step):
        yield random.multinomial(items, shares, size=min(step, draws - start)).astype(np.float64)


def mean_draws(values: Array, draws: int, seed: Seed) -> Array:
    """Means (draws,) of resampled values (items,)."""
    return np.concatenate(
        [part @ values / len(values) for part in weights(len(values), draws, seed)]
    )


def b_cubed_draws(size: Array, precision: Array, recall: Array, draws: int, seed: Seed) -> Array:
    """B-cubed F1 (draws,) of resampled blocks: their signatures, mean precision and recall."""
    parts = []
    for part in weights(len(size), draws, seed):
        total = part @ size
        p, r = part @ (size * precision) / total, part @ (size * recall) / total
        parts.append(np.divide(2 * p * r, p + r, out=np.zeros_like(p), where=(p + r) > 0))
    return np.concatenate(parts)


def count_draws(truth: Array, predicted: Array, metric: str, draws: int, seed: Seed) -> Array:
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
) -> Array:
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


def interval(draws: Array, level: float = 0.95) -> tuple[float, float]:
    """The percentile interval of ``level`` around the draws' median."""
    tail = 50.0 * (1.0 - level)
    low, high = np.percentile(draws, [tail, 100.0 - tail])
    return float(low), float(high)


def width_of(sides: Iterable[LabelLists], least: int) -> int:
    """How many classes the rows of all sides name, at least ``least``.

    Raises:
        ValueError: a label that is no index of a class.
    """
    labels = np.concatenate([np.zeros(0, np.int64), *map(_flat, sides)])
    lowest, highest = labels.min(initial=0), labels.max(initial=-1)
    # A matrix has a column a class: one wrong label must not ask for all of the memory.
    if lowest < 0 or highest >= max(least, MOST_CLASSES):
        raise ValueError(f"labels from {lowest} to {highest}")
    return max(least, 1 + int(highest))


def one_hot(lists: LabelLists, width: int) -> Array:
    """The rows' labels as a 0/1 matrix (rows, width)."""
    out = np.zeros((len(lists), width))
    sizes = np.fromiter(map(len, lists), dtype=np.int64, count=len(lists))
    out[np.repeat(np.arange(len(lists)), sizes), _flat(lists)] = 1.0
    return out


def _flat(lists: LabelLists) -> NDArray[np.int64]:
    return np.fromiter(chain.from_iterable(lists), dtype=np.int64)


def f1_of_counts(
    hits: Array, said: Array, real: Array, metric: str, *, present_only: bool
) -> Array:
    """F1 (draws,) from weighted counts a class (draws, classes): hits, predictions and truths.

    ``f1`` is that of class index 1; ``f1_macro`` the mean over classes, with ``present_only`` over
    those in truth or prediction, as scikit-learn averages single labels. A class without either
    counts 0 otherwise, scikit-learn's ``zero_division=0``.
    """
    total = said + real
    f1 = np.divide(2 * hits, total, out=np.zeros_like(hits), where=total > 0)
    if metric == "f1":
        return np.asarray(f1[:, 1])
    if not present_only:
        return np.asarray(f1.mean(axis=1))
    return np.asarray(f1.sum(axis=1) / np.maximum((total > 0).sum(axis=1), 1))


def accuracy_of_counts(weights: Array, truth: Array, predicted: Array) -> Array:
    """Share of rows (draws,) whose label sets agree."""
    right = (truth == predicted).all(axis=1).astype(np.float64)
    return np.asarray(weights @ right / weights.sum(axis=1))
