"""B-cubed precision and recall of a clustering (Bagga and Baldwin 1998, as S2AND reports them)."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

Values = NDArray[np.float64]


def b_cubed(truth: Sequence[str], predicted: Sequence[int]) -> tuple[Values, Values]:
    """Precision and recall of each signature, two arrays (n,) with values in 0..1.

    A signature's precision is the share of its predicted cluster that is of its true cluster, its
    recall the share of its true cluster that is in its predicted one, itself included both times.
    The means over all signatures are the B-cubed precision and recall.

    Args:
        truth: true cluster of each signature.
        predicted: predicted cluster of each signature, in the same order.
    """
    if len(truth) != len(predicted):
        raise ValueError(f"{len(truth)} true clusters for {len(predicted)} predicted ones")
    true_codes, true_sizes = _codes(np.asarray(truth, dtype=object).astype(str))
    found_codes, found_sizes = _codes(np.asarray(predicted))
    pairs = true_codes.astype(np.int64) * max(1, len(found_sizes)) + found_codes
    pair_codes, pair_sizes = _codes(pairs)
    shared = pair_sizes[pair_codes].astype(np.float64)
    return shared / found_sizes[found_codes], shared / true_sizes[true_codes]


def f1(precision: float, recall: float) -> float:
    """Harmonic mean of two values, 0 where both are 0."""
    return 2 * precision * recall / (precision + recall) if precision + recall > 0 else 0.0


def _codes(values: NDArray[np.generic]) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    _, codes, sizes = np.unique(values, return_inverse=True, return_counts=True)
    return codes.reshape(-1), sizes
