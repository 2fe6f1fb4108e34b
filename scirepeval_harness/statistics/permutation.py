"""Paired permutation tests: under the null hypothesis the two systems' outputs for an item could
be exchanged, so exchange them at random and see how often the difference is as large as observed.

All tests are two-sided and seeded, and count the observed arrangement as one of them:
p = (b + 1) / (m + 1), which never is 0 and holds its level for every m (Phipson and Smyth, 2010).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from statistics import NormalDist

import numpy as np
from numpy.typing import NDArray

from scirepeval_harness.statistics.bootstrap import Array, Value, f1_of_counts

Statistic = Callable[[Array], Array]
"""From swaps (permutations, items), 1 where an item is exchanged, to differences (permutations,)"""

PERMUTATIONS = 10_000
FEWEST = 2_000
# Swaps of one test in all. More than 20,000 differing items get fewer permutations, down to
# 2,000, which still resolves p = 0.0005: below 5% after Holm's correction over 100 tests.
BUDGET = 200_000_000
VALUE_BUDGET = 50_000_000
VALUE_FEWEST = 999
"""Rows that a test of any function may evaluate, and the permutations that it makes in any case. It
never makes more than ``FEWEST``: a call of scikit-learn takes a millisecond for ten rows too."""
CHUNK = 4_000_000
# Differences that agree to so many parts count as equal: sums in another order round apart.
ROUNDING = 1e-9


def permutations_for(items: int) -> int:
    """How many permutations a test of so many differing items makes."""
    return int(min(PERMUTATIONS, max(FEWEST, BUDGET // max(items, 1))))


def swaps(items: int, permutations: int, seed: int) -> Iterator[Array]:
    """Fair coin tosses (permutations, items) of 0 and 1, in chunks."""
    random = np.random.default_rng([seed, items])
    step = max(1, CHUNK // max(items, 1))
    width = -(-items // 8)
    for start in range(0, permutations, step):
        size = (min(step, permutations - start), width)
        # A coin a bit: eight times less to draw than a coin a byte.
        packed = random.integers(0, 256, size=size, dtype=np.uint8)
        yield np.unpackbits(packed, axis=1, count=items).astype(np.float64)


def permutation_p(
    statistic: Statistic, items: int, *, seed: int, permutations: int | None = None
) -> float:
    """The p-value of a difference. No items that differ give 1."""
    if items == 0:
        return 1.0
    count = permutations_for(items) if permutations is None else permutations
    observed = abs(float(statistic(np.zeros((1, items)))[0]))
    least = observed * (1.0 - ROUNDING) - 1e-15
    reached = sum(
        int((np.abs(statistic(part)) >= least).sum()) for part in swaps(items, count, seed)
    )
    return (reached + 1) / (count + 1)


def sign_flip_p(contributions: Array, *, seed: int, permutations: int | None = None) -> float:
    """The test of a difference that is the sum of one contribution (items,) an item.

    Exchanging an item's outputs turns the sign of its contribution. Means over queries, accuracy
    and, by `tau_contributions`, Kendall's tau are of this kind.
    """
    # Items that are equal turn nothing; without them there are fewer coins to toss.
    own = contributions[contributions != 0]
    total = own.sum()
    return permutation_p(
        lambda swapped: total - 2.0 * (swapped @ own),
        len(own),
        seed=seed,
        permutations=permutations,
    )


def tau_contributions(truth: Array, a: Array, b: Array) -> Array:
    """Each row's part (items,) in the difference of concordant minus discordant pairs, b - a.

    Tau sees the order of predictions alone, so each system's are replaced by their ranks before
    rows are exchanged; scales that differ would matter otherwise. For a pair of rows, the term of
    a mixed ranking minus that of its mirror image is odd in both exchanges, hence linear: with
    t = sign(truth_i - truth_j), row i carries
    1/2 sum_j t (sign(b_i - b_j) + sign(b_i - a_j) - sign(a_i - b_j) - sign(a_i - a_j)).
    That makes a permutation a sign flip instead of a new tau. The sum is tau-b's numerator; its
    denominator, which depends on ties among predictions only, is left out of the statistic.
    """
    a, b = ranks(a), ranks(b)
    out = np.empty(len(truth))
    step = max(1, CHUNK // max(len(truth), 1))
    for start in range(0, len(truth), step):
        rows = slice(start, start + step)
        order = np.sign(truth[rows, None] - truth)
        terms = np.sign(b[rows, None] - b) + np.sign(b[rows, None] - a)
        terms -= np.sign(a[rows, None] - b) + np.sign(a[rows, None] - a)
        out[rows] = 0.5 * np.einsum("ij,ij->i", order, terms)
    return out


def ranks(values: Array) -> Array:
    """Ranks from 1, the mean of the places for equal values."""
    _, place, counts = np.unique(values, return_inverse=True, return_counts=True)
    last = np.cumsum(counts)
    return np.asarray((last - (counts - 1) / 2.0)[place], dtype=np.float64)


def f1_p(
    truth: Array,
    a: Sequence[Array],
    b: Sequence[Array],
    metric: str,
    *,
    seed: int,
    permutations: int | None = None,
) -> float:
    """The test of a difference of F1 (``f1`` or ``f1_macro``), means over iterations.

    Args:
        truth: 0/1 labels (rows, classes).
        a, b: predictions of each iteration, of the same shape. A row is exchanged in all
            iterations at once: it is the row that was drawn, not the iteration.
    """
    differs = np.any([(x != y).any(axis=1) for x, y in zip(a, b, strict=True)], axis=0)
    single = all(bool((part.sum(axis=1) == 1).all()) for part in (truth, *a, *b))
    real = truth.sum(axis=0)
    fixed = [(x.sum(axis=0), y.sum(axis=0)) for x, y in zip(a, b, strict=True)]
    right = [((truth * x).sum(axis=0), (truth * y).sum(axis=0)) for x, y in zip(a, b, strict=True)]
    steps = [y[differs] - x[differs] for x, y in zip(a, b, strict=True)]
    own = truth[differs]

    def f1(hits: Array, said: Array) -> Array:
        return f1_of_counts(hits, said, real, metric, present_only=single)

    def statistic(swapped: Array) -> Array:
        total = np.zeros(len(swapped))
        for (said_a, said_b), (hits_a, hits_b), step in zip(fixed, right, steps, strict=True):
            said, hits = swapped @ step, swapped @ (own * step)
            total += f1(hits_b - hits, said_b - said) - f1(hits_a + hits, said_a + said)
        return total / len(steps)

    return permutation_p(statistic, int(differs.sum()), seed=seed, permutations=permutations)


def value_p(
    value: Value,
    truth: NDArray[np.generic],
    a: Sequence[NDArray[np.generic]],
    b: Sequence[NDArray[np.generic]],
    *,
    seed: int,
    permutations: int | None = None,
) -> float:
    """The test of a difference of any function of truth and predictions, means over iterations.

    As in `f1_p` a row is exchanged in all iterations at once. The function is computed anew for
    every permutation, system and iteration, so that `VALUE_BUDGET` bounds their number.

    Args:
        truth: what the rows are, (rows,) or (rows, classes).
        a, b: predictions of each iteration, of the same shape.
    """
    differs = np.any([_rows_differ(x, y) for x, y in zip(a, b, strict=True)], axis=0)
    places = np.flatnonzero(differs)
    work = 2 * len(truth) * len(a)
    most = int(min(FEWEST, max(VALUE_FEWEST, VALUE_BUDGET // max(work, 1))))

    def difference(swapped: Array) -> float:
        rows = places[swapped.astype(bool)]
        total = 0.0
        for x, y in zip(a, b, strict=True):
            first, second = x.copy(), y.copy()
            first[rows], second[rows] = y[rows], x[rows]
            total += value(truth, second) - value(truth, first)
        return total / len(a)

    return permutation_p(
        lambda swaps: np.array([difference(row) for row in swaps]),
        len(places),
        seed=seed,
        permutations=most if permutations is None else permutations,
    )


def _rows_differ(x: NDArray[np.generic], y: NDArray[np.generic]) -> NDArray[np.bool_]:
    differs = x != y
    return np.asarray(differs.any(axis=1) if differs.ndim == 2 else differs)


def b_cubed_p(
    fields: Sequence[tuple[Array, Array, Array]], *, seed: int, permutations: int | None = None
) -> float:
    """The test of a difference of B-cubed F1, the mean over data sets.

    Args:
        fields: for each data set its blocks' signatures (blocks,), and both systems' precision and
            recall as (blocks, 2).
    """
    edges = np.cumsum([0, *(len(size) for size, _, _ in fields)])

    def statistic(swapped: Array) -> Array:
        parts = []
        for (size, a, b), start, stop in zip(fields, edges, edges[1:], strict=False):
            weight = size / size.sum()
            moved = swapped[:, start:stop] @ (weight[:, None] * (b - a))
            parts.append(_harmonic(weight @ b - moved) - _harmonic(weight @ a + moved))
        return np.asarray(np.mean(parts, axis=0))

    return permutation_p(statistic, int(edges[-1]), seed=seed, permutations=permutations)


def _harmonic(pairs: Array) -> Array:
    """F1 (permutations,) of precision and recall (permutations, 2)."""
    total = pairs.sum(axis=1)
    product = 2.0 * pairs[:, 0] * pairs[:, 1]
    return np.asarray(np.divide(product, total, out=np.zeros_like(total), where=total > 0))


LEAST = 1 / 10_001


def difference_draws(a: Array, b: Array) -> Array:
    """Draws of the paired difference, b - a.

    Both arrays (draws,) must come from the bootstrap over the same items in the same
    order, with the same seed and stream: draw k then takes the same items for both, and what the
    systems share (easy and hard items) falls out of the difference.

    Raises:
        ValueError: the two have not as many draws.
    """
    if a.shape != b.shape:
        raise ValueError(f"{a.shape[0]} draws against {b.shape[0]}")
    return b - a


def p_of_draws(difference: float, draws: Array) -> float:
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
