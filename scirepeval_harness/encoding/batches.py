"""Batches by token budget: documents of like length together, the longest first."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

PADDING_LIMIT = 0.025
"""Share of padding at which a batch is closed early: under the 3% that issue 5 asks for in all."""
FULL_ENOUGH = 8
"""A batch is closed early only when it holds one FULL_ENOUGH-th of the budget: tiny batches cost
more than padding does."""
ALIGNMENT = 8
"""Matrix units like lengths that are multiples of 8."""


@dataclass(frozen=True)
class TokenTable:
    """Token ids of many documents in one flat array, document i at offsets[i]:offsets[i + 1]."""

    ids: NDArray[np.int32]
    offsets: NDArray[np.int64]

    @classmethod
    def of(cls, rows: Iterable[Sequence[int]]) -> TokenTable:
        """Pack one list of token ids a document."""
        arrays = [np.asarray(row, dtype=np.int32) for row in rows]
        offsets = np.zeros(len(arrays) + 1, dtype=np.int64)
        np.cumsum([len(array) for array in arrays], out=offsets[1:])
        return cls(np.concatenate(arrays) if arrays else np.zeros(0, np.int32), offsets)

    @property
    def lengths(self) -> NDArray[np.int64]:
        """Tokens a document, shape (documents,)."""
        return np.diff(self.offsets)

    def padded(
        self, rows: NDArray[np.intp], length: int, fill: int
    ) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Ids and attention mask, both (len(rows), length), padded on the right with ``fill``."""
        mask = np.arange(length) < self.lengths[rows][:, None]
        ids = np.full((len(rows), length), fill, dtype=np.int64)
        spans = zip(self.offsets[rows], self.offsets[rows + 1], strict=True)
        ids[mask] = np.concatenate([self.ids[start:stop] for start, stop in spans])
        return ids, mask.astype(np.int64)


@dataclass(frozen=True, slots=True)
class Batch:
    """Documents encoded together: their rows in the table, and the length they are padded to."""

    rows: NDArray[np.intp]
    length: int

    @property
    def padded_tokens(self) -> int:
        return len(self.rows) * self.length


@dataclass(slots=True)
class EncodeStats:
    """What an encoder has done so far; ``padded_tokens`` counts padding too."""

    documents: int = 0
    tokens: int = 0
    padded_tokens: int = 0
    batches: int = 0
    halvings: int = 0

    @property
    def padding(self) -> float:
        """Share of padding in the encoded tokens, 0..1."""
        return 1 - self.tokens / self.padded_tokens if self.padded_tokens else 0.0


def padding_share(batches: Sequence[Batch], lengths: NDArray[np.int64]) -> float:
    """Share of padding in the tokens of a plan, 0..1."""
    padded = sum(batch.padded_tokens for batch in batches)
    return 1 - int(lengths.sum()) / padded if padded else 0.0


def plan_batches(lengths: NDArray[np.int64], budget: int, limit: int | None = None) -> list[Batch]:
    """Batches of at most ``budget`` padded tokens, or of one document, the longest first.

    A batch's length is rounded up to a multiple of 8 where that keeps its padding within
    PADDING_LIMIT and no length over ``limit`` (the model's maximum). Each batch depends only on the
    documents from its first one on: what is left after a run was killed is cut into the very
    batches that were still to come, so that the vectors come out the same to the last bit.

    Args:
        lengths: tokens a document, (n,), each at least 1.
        budget: padded tokens a batch.
        limit: longest length that the model takes.
    """
    order = np.argsort(-lengths, kind="stable")
    aligned = -(-lengths // ALIGNMENT) * ALIGNMENT
    if limit is not None:
        aligned = np.minimum(aligned, max(limit, int(lengths.max(initial=0))))
    batches: list[Batch] = []
    total = np.concatenate(([0], np.cumsum(lengths[order])))
    start = 0
    while start < len(order):
        first = order[start]
        for length in (int(aligned[first]), int(lengths[first])):
            size, share = _cut(total[start:], length, budget)
            if share <= PADDING_LIMIT:
                break
        batches.append(Batch(order[start : start + size], length))
        start += size
    return batches


def halves(batch: Batch, lengths: NDArray[np.int64]) -> tuple[Batch, Batch]:
    """A batch of at least two documents as two, the longer documents first."""
    middle = len(batch.rows) // 2
    first, second = batch.rows[:middle], batch.rows[middle:]
    shorter = min(batch.length, -(-int(lengths[second].max()) // ALIGNMENT) * ALIGNMENT)
    return Batch(first, batch.length), Batch(second, shorter)


def _cut(total: NDArray[np.int64], length: int, budget: int) -> tuple[int, float]:
    """Size of the next batch, cut at the budget or earlier where padding grows; its padding.

    Args:
        total: running sums of the lengths of the documents left, a 0-th entry first.
        length: what the batch is padded to.
    """
    most = min(len(total) - 1, max(1, budget // length))
    sizes = np.arange(1, most + 1)
    # Lengths fall, so the share of padding rises with the size: a sorted search finds the cut.
    share = 1 - (total[1 : most + 1] - total[0]) / (sizes * length)
    tight = int(np.searchsorted(share, PADDING_LIMIT, side="right"))
    enough = -(-budget // (FULL_ENOUGH * length))
    size = min(most, max(1, tight, enough))
    return size, float(share[size - 1])
