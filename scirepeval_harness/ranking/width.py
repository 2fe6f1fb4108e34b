"""The width in which vectors are read: float32, or float16 as the reference reads its cache."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from scirepeval_harness.errors import ModelError
from scirepeval_harness.evaluators.base import VectorTable

Width = Literal["float32", "float16"]


def read_as(vectors: VectorTable, width: Width) -> VectorTable:
    """The same vectors, rounded to ``width``; they come back as float32 in either case."""
    return HalfTable(vectors) if width == "float16" else vectors


@dataclass(frozen=True)
class HalfTable:
    """Vectors rounded to float16; see :func:`read_as`."""

    vectors: VectorTable

    def take(self, ids: Sequence[str]) -> NDArray[np.float32]:
        """Rows (len(ids), dimensions) in the order given.

        Raises:
            ModelError: a value above 65504, the largest that float16 holds.
        """
        rows = self.vectors.take(ids)
        with np.errstate(over="ignore"):
            rounded = rows.astype(np.float16).astype(np.float32)
        lost = (np.isinf(rounded) & np.isfinite(rows)).any(axis=1)
        if lost.any():
            raise ModelError(
                "the vector holds a value beyond the range of float16",
                where=f"document {ids[int(np.flatnonzero(lost)[0])]}",
                fix="Read the vectors as float32",
            )
        return rounded
