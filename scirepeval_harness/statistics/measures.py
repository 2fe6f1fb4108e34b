"""Labels as matrices, and metrics from counts, for many resamples at once."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
LabelLists = Sequence[Sequence[int]]
"""The class indices of each row."""


def width_of(sides: Iterable[LabelLists], least: int) -> int:
    """How many classes the rows of all sides name, at least ``least``."""
    highest = (int(np.max(labels, initial=-1)) for side in sides for labels in side)
    return max(least, 1 + max(highest, default=-1))


def one_hot(lists: LabelLists, width: int) -> Array:
    """The rows' labels as a 0/1 matrix (rows, width)."""
    out = np.zeros((len(lists), width))
    for row, labels in enumerate(lists):
        out[row, np.asarray(labels, dtype=np.int64)] = 1.0
    return out


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
