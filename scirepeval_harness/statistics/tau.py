"""Kendall's tau-b of resampled rows, for all draws at once."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from scirepeval_harness.statistics.bootstrap import Array, Draws, Statistic

# Draws worked on at a time, so that the rows' counts stay in the processor's cache.
AT_ONCE = 64
Places = NDArray[np.int64]


def tau_of(truth: Array, predicted: Array, undefined: float, draws: int) -> Statistic:
    """Tau-b of truth and predictions (rows,), to the last bit what scipy's ``kendalltau`` gives for
    the drawn rows; ``undefined`` where all of one side are equal.

    The order of the rows is the same in every draw, only how often each is there differs. So rows
    are sorted once, and pairs are counted as in a merge sort (Knight, 1966), with counts (rows,
    draws) in the place of ones. All are whole numbers below 2**53, and so exact.
    """
    order = np.lexsort((predicted, truth))
    x, y = truth[order], predicted[order]
    new_x, new_y = x[1:] != x[:-1], y[1:] != y[:-1]
    of_x, of_both = _starts(new_x), _starts(new_x | new_y)
    by_y = np.argsort(y, kind="stable")
    of_y = _starts(y[by_y][1:] != y[by_y][:-1])
    levels = _levels(np.unique(y, return_inverse=True)[1])

    def of_some(counts: Array) -> Array:
        tied_x, tied_both = _tied(counts, of_x), _tied(counts, of_both)
        tied_y = _tied(counts[by_y], of_y)
        discordant = np.zeros(counts.shape[1])
        for left, right, first, last in levels:
            before = np.zeros((len(left) + 1, counts.shape[1]))
            np.cumsum(counts[left], axis=0, out=before[1:])
            discordant += np.einsum("ij,ij->j", counts[right], before[last] - before[first])
        pairs = len(truth) * (len(truth) - 1) // 2
        concordant_less = pairs - tied_x - tied_y + tied_both - 2 * discordant
        fine = (tied_x < pairs) & (tied_y < pairs)
        with np.errstate(divide="ignore", invalid="ignore"):
            tau = concordant_less / np.sqrt(pairs - tied_x) / np.sqrt(pairs - tied_y)
        return np.where(fine, np.clip(tau, -1.0, 1.0), undefined)

    def of(part: Draws) -> Array:
        counts = part.counts.T[order]
        spans = range(0, counts.shape[1], AT_ONCE)
        some = (counts[:, start : start + AT_ONCE].astype(np.float64) for start in spans)
        return np.concatenate([of_some(one) for one in some])

    return Statistic(len(truth), draws, of)


def _starts(new: NDArray[np.bool_]) -> Places:
    """Where groups of equal rows begin; ``new`` says of each row but the first whether one does."""
    return np.concatenate(([0], np.flatnonzero(new) + 1))


def _tied(counts: Array, starts: Places) -> Array:
    """Pairs (draws,) within groups of rows."""
    sizes = np.add.reduceat(counts, starts, axis=0)
    return np.asarray((sizes * (sizes - 1) / 2).sum(axis=0))


def _levels(ranks: Places) -> list[tuple[Places, Places, Places, Places]]:
    """For each level of a merge sort of ``ranks`` (rows,): the rows of left halves, the highest
    first in each block; the rows of right halves; and for each of these the span of the left rows
    of its block that rank higher."""
    rows, found, half = len(ranks), [], 1
    places = np.arange(rows)
    top = int(ranks.max(initial=0)) + 1
    while half < rows:
        block, is_left = places // (2 * half), places // half % 2 == 0
        left, right = places[is_left], places[~is_left]
        # One rising number for block and falling rank.
        key = block * (top + 1) + (top - ranks)
        left = left[np.argsort(key[left], kind="stable")]
        first = np.searchsorted(key[left], block[right] * (top + 1), side="left")
        last = np.searchsorted(key[left], key[right], side="left")
        found.append((left, right, first, last))
        half *= 2
    return found
