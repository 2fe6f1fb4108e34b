"""The smaller version of a task that ``--limit`` asks for."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def sample_rows(
    labels: NDArray[np.generic], limit: int, seed: int, *, stratified: bool
) -> NDArray[np.int64]:
    """At most ``limit`` row numbers, in order, drawn with ``seed``.

    With ``stratified`` each class (first positive class of a multi-label row) keeps its share, and
    at least one row where the limit allows.
    """
    rows = len(labels)
    if limit >= rows:
        return np.arange(rows, dtype=np.int64)
    order = np.random.default_rng(seed).permutation(rows)
    if stratified:
        groups = labels.argmax(axis=1) if labels.ndim == 2 else labels
        # The k-th row of a class of n stands at (k + 1/2) / n: a prefix then holds all shares.
        place = np.empty(rows)
        for group in np.unique(groups):
            members = order[groups[order] == group]
            place[members] = (np.arange(len(members)) + 0.5) / len(members)
        order = order[np.argsort(place[order], kind="stable")]
    return np.sort(order[:limit]).astype(np.int64)
