"""Bootstrap draws: items drawn with replacement, numbers computed again on every draw.

Which items a draw takes depends on the seed and the number of items alone: two models scored on
the same items are resampled alike, and all statistics of as many items share one drawing.
Percentile bootstrap: Efron and Tibshirani (1993), chapter 13.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import groupby

import numpy as np
from numpy.typing import NDArray

from scirepeval_harness.statistics.labels import LabelSets, one_hot, width_of

Array = NDArray[np.float64]
Seed = tuple[int, ...]
"""Numbers that together seed a generator."""
Value = Callable[[NDArray[np.generic], NDArray[np.generic]], float]
"""A number from the truth and the predictions of some rows."""
# Weights held at a time: draws x items.
CHUNK = 20_000_000
# Counts of predictions that are drawn at a time: rows x classes x few-shot iterations.
ASIDE = 20_000_000
# Rows that one score's draws may evaluate where few-shot iterations multiply the work.
BUDGET = 50_000_000
FEWEST = 200
# Below it float32 holds every whole number, so that sums of counts are exact in any order.
EXACT = 2**24


@dataclass(frozen=True)
class Draws:
    """How often each draw takes each item: whole numbers (draws, items), whose rows sum to
    items."""

    counts: NDArray[np.int64]

    @cached_property
    def weights(self) -> Array:
        """The counts as float64."""
        return self.counts.astype(np.float64)

    @cached_property
    def narrow(self) -> NDArray[np.floating]:
        """The counts in the narrowest type whose products with 0 and 1 are exact."""
        wide = self.counts.shape[1] >= EXACT
        return self.weights if wide else self.counts.astype(np.float32)


@dataclass(frozen=True)
class Statistic:
    """A number, or several, of so many ``items``, computed anew on each of so many ``draws``."""

    items: int
    draws: int
    of: Callable[[Draws], Array]
    """From some of the draws to values (..., draws)."""


def drawn(statistics: Sequence[Statistic], seed: Seed) -> list[Array]:
    """The values (..., draws) of each statistic; those of as many items have the same draws."""
    parts: list[list[Array]] = [[] for _ in statistics]
    for items in dict.fromkeys(statistic.items for statistic in statistics):
        own = [n for n, statistic in enumerate(statistics) if statistic.items == items]
        done = 0
        for counts in counted(items, max(statistics[n].draws for n in own), seed):
            every = Draws(counts)
            for n in own:
                rest = statistics[n].draws - done
                if rest > 0:
                    some = every if rest >= len(counts) else Draws(counts[:rest])
                    parts[n].append(statistics[n].of(some))
            done += len(counts)
    return [np.concatenate(part, axis=-1) for part in parts]


def counted(items: int, draws: int, seed: Seed) -> Iterator[NDArray[np.int64]]:
    """How often each draw takes each item, in chunks (draws, items); rows sum to items."""
    random = np.random.default_rng([*seed, items])
    step = max(1, CHUNK // max(items, 1))
    shares = np.full(items, 1.0 / items)
    for start in range(0, draws, step):
        yield random.multinomial(items, shares, size=min(step, draws - start))


def weights(items: int, draws: int, seed: Seed) -> Iterator[Array]:
    """As :func:`counted`, as float64."""
    return (part.astype(np.float64) for part in counted(items, draws, seed))


def mean_of(values: Array, draws: int) -> Statistic:
    """The mean of values (items,)."""
    return Statistic(len(values), draws, lambda part: part.weights @ values / len(values))


def b_cubed_of(size: Array, precision: Array, recall: Array, draws: int) -> Statistic:
    """B-cubed F1 of blocks: their signatures, mean precision and recall."""

    def of(part: Draws) -> Array:
        total = part.weights @ size
        p = part.weights @ (size * precision) / total
        r = part.weights @ (size * recall) / total
        return np.divide(2 * p * r, p + r, out=np.zeros_like(p), where=(p + r) > 0)

    return Statistic(len(size), draws, of)


def counts_of(
    sides: Sequence[tuple[LabelSets, LabelSets]], least: int, metric: str, draws: int
) -> Statistic:
    """``f1``, ``f1_macro`` or ``accuracy`` (sides, draws) of truths and predictions of as many rows
    each, and of at least ``least`` classes.

    These are functions of counts, so that a product of matrices gives all draws at once.
    """
    widths = [width_of(pair, least) for pair in sides]

    def of(part: Draws) -> Array:
        return np.stack(list(_of_counts(part, sides, widths, metric)))

    return Statistic(len(sides[0][0].sizes), draws, of)


def _of_counts(
    part: Draws, sides: Sequence[tuple[LabelSets, LabelSets]], widths: Sequence[int], metric: str
) -> Iterator[Array]:
    drawn, kind = part.narrow, part.narrow.dtype
    paired = zip(sides, widths, strict=True)
    for (_, width), group in groupby(paired, lambda pair: (id(pair[0][0]), pair[1])):
        alike = [pair for pair, _ in group]
        truth, found = alike[0][0], [predicted for _, predicted in alike]
        labels = one_hot(truth, width, kind)
        if metric == "accuracy":
            for predicted in found:
                yield accuracy_of_counts(drawn, labels, one_hot(predicted, width, kind))
            continue
        real = (drawn @ labels).astype(np.float64)
        # Many at a time: reading all draws once more for each takes longer than the sums.
        step = max(1, ASIDE // max(2 * labels.size, 1))
        for start in range(0, len(found), step):
            some = found[start : start + step]
            hits_said = np.zeros((len(labels), len(some), 2, width), dtype=kind)
            for k, predicted in enumerate(some):
                rows, columns = predicted.places()
                hits_said[rows, k, 0, columns] = labels[rows, columns]
                hits_said[rows, k, 1, columns] = 1
            both = (drawn @ hits_said.reshape(len(labels), -1)).astype(np.float64)
            for predicted, (hits, said) in zip(
                some, np.moveaxis(both.reshape(-1, *hits_said.shape[1:]), 0, 2), strict=True
            ):
                single = bool((truth.sizes == 1).all() and (predicted.sizes == 1).all())
                yield f1_of_counts(hits, said, real, metric, present_only=single)


def value_of(
    value: Value, truth: NDArray[np.generic], predicted: NDArray[np.generic], draws: int
) -> Statistic:
    """Any function of truth and predictions, computed anew on each draw's rows."""
    every = np.arange(len(truth))

    def of(part: Draws) -> Array:
        taken = (np.repeat(every, counts) for counts in part.counts)
        return np.array([value(truth[rows], predicted[rows]) for rows in taken])

    return Statistic(len(truth), draws, of)


def draws_for(rows: int, iterations: int, draws: int) -> int:
    """How many draws `value_of` makes for the mean over so many iterations.

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


def accuracy_of_counts(
    weights: NDArray[np.floating], truth: NDArray[np.floating], predicted: NDArray[np.floating]
) -> Array:
    """Share of rows (draws,) whose label sets agree, from how often each draw takes each row."""
    right = (truth == predicted).all(axis=1).astype(weights.dtype)
    return np.asarray((weights @ right).astype(np.float64) / weights.sum(axis=1, dtype=np.float64))
