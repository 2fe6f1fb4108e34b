"""Vectors as a cheap index keeps them: a byte or a bit a dimension, decoded again for scoring."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from scirepeval_harness.evaluations.base import VectorTable
from scirepeval_harness.options import Quantize

LEVELS = 255
CHUNK = 16_384


@dataclass(frozen=True)
class QuantisedTable:
    """Vectors that went through a quantised index and back.

    ``low`` and ``step`` are of each dimension (dimensions,): int8 decodes to ``low + n * step``
    with n in 0..255. For binary, ``low`` is the threshold and ``step`` is None.
    """

    vectors: VectorTable
    low: NDArray[np.float32]
    step: NDArray[np.float32] | None

    def take(self, ids: Sequence[str]) -> NDArray[np.float32]:
        """Decoded rows (len(ids), dimensions) in the order given."""
        rows = self.vectors.take(ids)
        if self.step is None:
            return np.where(rows > self.low, np.float32(1), np.float32(-1))
        # A dimension that never varies has no steps, and comes back as it is.
        codes = np.rint((rows - self.low) / np.where(self.step > 0, self.step, np.float32(1)))
        return np.asarray(self.low + codes.clip(0, LEVELS) * self.step, dtype=np.float32)


def quantised(vectors: VectorTable, ids: Sequence[str], how: Quantize) -> QuantisedTable:
    """The vectors, quantised by the scale of the documents ``ids`` (at least one)."""
    distinct = list(dict.fromkeys(ids))
    chunks = [distinct[start : start + CHUNK] for start in range(0, len(distinct), CHUNK)]
    if how == "binary":
        # In float64, so that the mean of equal values is that value and none lies above it.
        total = sum(vectors.take(chunk).sum(axis=0, dtype=np.float64) for chunk in chunks)
        return QuantisedTable(vectors, (total / len(distinct)).astype(np.float32), None)
    ends = [(rows.min(axis=0), rows.max(axis=0)) for rows in map(vectors.take, chunks)]
    low = np.min([least for least, _ in ends], axis=0)
    high = np.max([most for _, most in ends], axis=0)
    return QuantisedTable(vectors, low, (high - low) / np.float32(LEVELS))
