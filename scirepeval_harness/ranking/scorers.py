"""What gives a (query, candidate) pair its score: a distance of vectors, or a ranker of texts."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from scirepeval_harness.data.records import Document
from scirepeval_harness.encoders.base import Ranker
from scirepeval_harness.errors import CoverageError, ModelError
from scirepeval_harness.evaluators.base import PairScorer, VectorTable
from scirepeval_harness.ranking.pools import Pools
from scirepeval_harness.ranking.width import Width, read_as

CHUNK_BYTES = 1 << 20
"""Size of one chunk of differences; benchmarks/ranking.py measures it."""


def euclidean_scorer(vectors: VectorTable, *, width: Width = "float32") -> PairScorer:
    """Scorer by minus the Euclidean distance (protocol section 4), in float64.

    Distances come from the differences themselves, not from ||a||^2 + ||b||^2 - 2ab, which loses
    digits for close vectors and breaks ties between equal ones: equal vectors have exactly equal
    distances here.

    Args:
        vectors: queries and candidates by id, float32.
        width: ``float16`` rounds the vectors first, as the reference does when it reads cached
            embeddings; the distances are float64 all the same.
    """
    return EuclideanScorer(vectors, width)


def ranker_scorer(
    ranker: Ranker, queries: Mapping[str, Document], candidates: Mapping[str, Document]
) -> PairScorer:
    """Scorer by a model without vectors (BM25), whose ``prepare`` has been called."""
    return RankerScorer(ranker, queries, candidates)


@dataclass(frozen=True)
class EuclideanScorer:
    """Minus the Euclidean distance; see :func:`euclidean_scorer`."""

    vectors: VectorTable
    width: Width = "float32"

    @property
    def settings(self) -> dict[str, object]:
        return {"score": "minus euclidean distance", "vector_width": self.width}

    def __call__(self, query: str, candidates: Sequence[str]) -> NDArray[np.float64]:
        return self.score_all({query: candidates})[query]

    def score_all(self, pools: Pools) -> dict[str, NDArray[np.float64]]:
        """Scores of all pools; each array in the order of its candidates."""
        ids = list(dict.fromkeys([*pools, *(item for pool in pools.values() for item in pool)]))
        if not ids:
            return {}
        rows = {item: row for row, item in enumerate(ids)}
        table = self._read(ids)
        left = np.repeat([rows[query] for query in pools], [len(pool) for pool in pools.values()])
        right = np.fromiter(
            (rows[item] for pool in pools.values() for item in pool), dtype=np.intp, count=len(left)
        )
        scores = -_distances(table, left, right)
        ends = np.cumsum([len(pool) for pool in pools.values()])
        return dict(zip(pools, np.split(scores, ends[:-1]), strict=True))

    def _read(self, ids: Sequence[str]) -> NDArray[np.float32]:
        table = read_as(self.vectors, self.width).take(ids)
        finite = np.isfinite(table).all(axis=1)
        if not finite.all():
            bad = ids[int(np.flatnonzero(~finite)[0])]
            raise ModelError(
                "the vector holds a value that is not finite",
                where=f"document {bad}",
                fix="Encode it again",
            )
        return table


@dataclass(frozen=True)
class RankerScorer:
    """Scores that a ranker gives to texts; see :func:`ranker_scorer`."""

    ranker: Ranker
    queries: Mapping[str, Document]
    candidates: Mapping[str, Document]

    @property
    def settings(self) -> dict[str, object]:
        return {"score": f"ranker {self.ranker.name}"}

    def __call__(self, query: str, candidates: Sequence[str]) -> NDArray[np.float64]:
        text = _document(self.queries, query, "query")
        pool = [_document(self.candidates, item, "candidate") for item in candidates]
        return np.asarray(self.ranker.score(text, pool), dtype=np.float64)


def _document(documents: Mapping[str, Document], item: str, kind: str) -> Document:
    if item not in documents:
        raise CoverageError(
            f"the {kind} has no document",
            where=f"{kind} {item}",
            fix="Check that documents and labels are of the same data set",
        )
    return documents[item]


def _distances(
    table: NDArray[np.float32], left: NDArray[np.intp], right: NDArray[np.intp]
) -> NDArray[np.float64]:
    """Euclidean distances (n,) of the rows left[i] and right[i] of a table (rows, dimensions)."""
    result = np.empty(len(left), dtype=np.float64)
    for start, stop in _chunks(len(left), table.shape[1]):
        difference = table[left[start:stop]].astype(np.float64)
        difference -= table[right[start:stop]]
        np.einsum("ij,ij->i", difference, difference, out=result[start:stop])
    return np.sqrt(result, out=result)


def _chunks(pairs: int, dimensions: int) -> Iterator[tuple[int, int]]:
    step = max(1, CHUNK_BYTES // (8 * max(1, dimensions)))
    for start in range(0, pairs, step):
        yield start, min(start + step, pairs)
