"""Vectors by id, for evaluators."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from scirepeval_harness.errors import CoverageError


class Table:
    """A vector table over a dictionary; records the ids that were asked for."""

    def __init__(self, vectors: Mapping[str, Sequence[float]]) -> None:
        self.vectors = {item: np.asarray(row, dtype=np.float32) for item, row in vectors.items()}
        self.asked: list[str] = []

    def take(self, ids: Sequence[str]) -> NDArray[np.float32]:
        self.asked.extend(ids)
        for item in ids:
            if item not in self.vectors:
                raise CoverageError("no vector", where=f"document {item}", fix="Encode it")
        return np.stack([self.vectors[item] for item in ids])
