"""Sets of labels in columns: millions of rows of few-shot iterations in a few arrays."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import chain
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
from numpy.typing import DTypeLike, NDArray

# Indices of classes are below it, where nothing says how many classes there are.
MOST_CLASSES = 65_536


@dataclass(frozen=True)
class LabelSets:
    """The class indices of some rows: all of them in one array, and how many each row (n,) has."""

    values: NDArray[np.int64]
    sizes: NDArray[np.int64]

    @classmethod
    def of_matrix(cls, labels: NDArray[np.generic]) -> LabelSets:
        """From one class index a row (n,), or a 0/1 matrix (n, classes)."""
        if labels.ndim == 1:
            return cls(labels.astype(np.int64), np.ones(len(labels), np.int64))
        rows, classes = np.nonzero(labels)
        return cls(classes, np.bincount(rows, minlength=len(labels)))

    @classmethod
    def of_column(cls, column: pd.Series[Any]) -> LabelSets:
        """From a column of lists, in Arrow's form or Python's.

        Raises:
            TypeError, ValueError: a row without a list, or a label that is no number.
        """
        if not isinstance(column.dtype, pd.ArrowDtype):
            lists = column.tolist()
            sizes = np.fromiter(map(len, lists), dtype=np.int64, count=len(lists))
            return cls(np.fromiter(chain.from_iterable(lists), dtype=np.int64), sizes)
        whole = pa.chunked_array(pa.array(column)).combine_chunks()
        values = whole.flatten()
        if whole.null_count or values.null_count:
            raise ValueError("rows without labels")
        sizes = np.asarray(whole.value_lengths(), dtype=np.int64)
        return cls(np.asarray(values).astype(np.int64), sizes)

    def places(self) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Row and class (labels,) of each label."""
        return np.repeat(np.arange(len(self.sizes)), self.sizes), self.values

    def column(self) -> pd.Series[Any]:
        """A column of lists that takes no more memory than its numbers."""
        ends = np.concatenate(([0], np.cumsum(self.sizes))).astype(np.int32)
        lists = pa.ListArray.from_arrays(pa.array(ends), pa.array(self.values))
        return pd.Series(pd.array(lists, dtype=pd.ArrowDtype(lists.type)))

    def same(self, other: LabelSets) -> bool:
        """Whether every row has the same labels, in the same order."""
        return np.array_equal(self.sizes, other.sizes) and np.array_equal(self.values, other.values)


def width_of(sides: Iterable[LabelSets], least: int) -> int:
    """How many classes the rows of all sides name, at least ``least``.

    Raises:
        ValueError: a label that is no index of a class.
    """
    sides = list(sides)
    lowest = min((int(side.values.min(initial=0)) for side in sides), default=0)
    highest = max((int(side.values.max(initial=-1)) for side in sides), default=-1)
    # A matrix has a column a class: one wrong label must not ask for all of the memory.
    if lowest < 0 or highest >= max(least, MOST_CLASSES):
        raise ValueError(f"labels from {lowest} to {highest}")
    return max(least, 1 + highest)


def one_hot(labels: LabelSets, width: int, kind: DTypeLike = np.float64) -> NDArray[Any]:
    """The rows' labels as a 0/1 matrix (rows, width)."""
    out = np.zeros((len(labels.sizes), width), dtype=kind)
    out[labels.places()] = 1
    return out
