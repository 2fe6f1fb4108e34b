"""What gives a (query, candidate) pair its score: a distance of vectors, or a ranker of texts."""

from __future__ import annotations

from collections.abc import Container, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol, TypeGuard, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from scirepeval_harness.errors import CoverageError, DataError, ModelError
from scirepeval_harness.evaluations.base import PairScorer, VectorTable
from scirepeval_harness.evaluations.quantised import QuantisedTable
from scirepeval_harness.model.base import Ranker
from scirepeval_harness.options import VectorPrecision
from scirepeval_harness.task.dataset import Document, Qrels

if TYPE_CHECKING:
    from scipy.sparse import csr_matrix

# Size of one chunk of differences; benchmarks/ranking.py measures it.
CHUNK_BYTES = 1 << 20
EMPTY: NDArray[np.float64] = np.zeros(0)
# Queries and candidates whose vectors are held at a time: 64 MB at 1,024 dimensions.
PART_ROWS = 1 << 14


@dataclass(frozen=True)
class EuclideanScorer:
    """Scores by minus the Euclidean distance (protocol section 4), in float64.

    Args:
        vectors: queries and candidates by id, float32.
        width: ``float16`` rounds the vectors first, as the reference does when it reads cached
            embeddings; the distances are float64 all the same.
    """

    vectors: VectorTable
    width: VectorPrecision = "float32"

    @property
    def settings(self) -> dict[str, object]:
        return {"score": "minus euclidean distance", "vector_width": self.width}

    def __call__(self, query: str, candidates: Sequence[str]) -> NDArray[np.float64]:
        return self.score_all({query: candidates})[query]

    def score_all(self, pools: Pools) -> dict[str, NDArray[np.float64]]:
        """Scores of all pools; each array in the order of its candidates."""
        table, scores = read_as(self.vectors, self.width), dict[str, NDArray[np.float64]]()
        for part in _parts(pools):
            ids = list(dict.fromkeys([*part, *(item for pool in part.values() for item in pool)]))
            rows = {item: row for row, item in enumerate(ids)}
            left = np.repeat([rows[query] for query in part], [len(pool) for pool in part.values()])
            right = np.fromiter(
                (rows[item] for pool in part.values() for item in pool), np.intp, count=len(left)
            )
            distances = _distances(table.take(ids), left, right)
            ends = np.cumsum([len(pool) for pool in part.values()])
            scores |= zip(part, np.split(-distances, ends[:-1]), strict=True)
        return scores


def _parts(pools: Pools) -> Iterator[Pools]:
    """The pools, so many at a time that the vectors of one part fit into memory."""
    part: dict[str, Sequence[str]] = {}
    size = 0
    for query, pool in pools.items():
        if part and size + len(pool) >= PART_ROWS:
            yield part
            part, size = {}, 0
        part[query] = pool
        size += len(pool) + 1
    if part:
        yield part


@dataclass(frozen=True)
class RankerScorer:
    """Scores of a model without vectors (BM25), whose ``prepare`` has been called."""

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


# As other scorers are made: by a call in lower case, whatever stands behind it.
euclidean_scorer, ranker_scorer = EuclideanScorer, RankerScorer


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
    # From the differences themselves, not from ||a||^2 + ||b||^2 - 2ab, which loses digits for
    # close vectors and breaks ties between equal ones: equal vectors are exactly equally far here.
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


Pools = Mapping[str, Sequence[str]]
"""Candidates to rank: query id -> candidate ids, each once."""

Run = dict[str, dict[str, float]]
"""Scores, higher is better: query id -> candidate id -> score."""


@runtime_checkable
class BatchScorer(Protocol):
    """A pair scorer that is faster when it gets all pools of a task at once."""

    def score_all(self, pools: Pools) -> dict[str, NDArray[np.float64]]:
        """For each query the scores of its candidates, in their order."""
        ...


@runtime_checkable
class DescribedScorer(Protocol):
    """A pair scorer that names what moves its scores, JSON-ready, for the record."""

    @property
    def settings(self) -> Mapping[str, object]: ...


def pools_of(qrels: Qrels, lost: Container[str] = ()) -> dict[str, tuple[str, ...]]:
    """The candidates that the labels name, which are all that is ranked (protocol section 4)."""
    return {
        query: tuple(item for item in grades if item not in lost) for query, grades in qrels.items()
    }


def settings_of(scorer: PairScorer) -> dict[str, object]:
    """What the scorer says of itself; empty for a plain function."""
    return dict(scorer.settings) if isinstance(scorer, DescribedScorer) else {}


def make_run(scorer: PairScorer, qrels: Qrels, lost: Container[str] = ()) -> Run:
    """Score every labelled candidate of every query but those that are ``lost``.

    Raises:
        DataError: a query has no candidates.
        ModelError: the scorer returns another number of scores, or one that is not finite.
    """
    pools = pools_of(qrels, lost)
    for query, grades in qrels.items():
        if not grades:
            raise DataError(
                "the query has no candidates",
                where=f"query {query}",
                fix="Remove it from the labels, or add the rows that are missing",
            )
    if isinstance(scorer, BatchScorer):
        scores = scorer.score_all(pools)
    else:
        scores = {query: scorer(query, pool) if pool else EMPTY for query, pool in pools.items()}
    return {query: _as_row(query, pools[query], scores[query]) for query in pools}


def _as_row(query: str, candidates: Sequence[str], scores: NDArray[np.float64]) -> dict[str, float]:
    if scores.shape != (len(candidates),):
        raise ModelError(
            f"{len(candidates)} candidates got scores of shape {scores.shape}",
            where=f"query {query}",
            fix="A scorer returns one number a candidate",
        )
    finite = np.isfinite(scores)
    if not finite.all():
        bad = candidates[int(np.flatnonzero(~finite)[0])]
        raise ModelError(
            f"the score of candidate {bad} is not a finite number",
            where=f"query {query}",
            fix="Check the vectors of both for NaN, infinity and overflow",
        )
    # pytrec_eval takes Python floats only, and accepts NaN without a word.
    return dict(zip(candidates, scores.tolist(), strict=True))


def read_as(vectors: VectorTable, width: VectorPrecision) -> VectorTable:
    """The same vectors, rounded to ``width``; they come back as float32 in either case."""
    # Quantised vectors were rounded before; their levels are not rounded once more.
    done = isinstance(vectors, HalfTable | QuantisedTable)
    return HalfTable(vectors) if width == "float16" and not done else vectors


@dataclass(frozen=True)
class HalfTable:
    """Vectors rounded to float16; see :func:`read_as`."""

    vectors: VectorTable

    def take(self, ids: Sequence[str]) -> NDArray[np.float32]:
        """Rows (len(ids), dimensions) in the order given.

        Raises:
            ModelError: a value above 65504, the largest that float16 holds.
        """
        rounded = _rounded(self.vectors.take(ids))
        lost = np.isinf(rounded).any(axis=1)
        if lost.any():
            raise ModelError(
                "the vector holds a value beyond the range of float16",
                where=f"document {ids[int(np.flatnonzero(lost)[0])]}",
                fix="Read the vectors as float32",
            )
        return rounded

    @property
    def sparse(self) -> bool:
        return is_sparse(self.vectors)

    def take_sparse(self, ids: Sequence[str]) -> csr_matrix:
        """As :meth:`take`, in compressed rows."""
        assert is_sparse(self.vectors)
        rows = self.vectors.take_sparse(ids)
        rows.data = _rounded(rows.data)
        if np.isinf(rows.data).any():
            self.take(ids)  # raises with the document's name
        return rows


def _rounded(values: NDArray[np.float32]) -> NDArray[np.float32]:
    with np.errstate(over="ignore"):
        return values.astype(np.float16).astype(np.float32)


class SparseTable(VectorTable, Protocol):
    """Vectors that are nearly all zeros; see :func:`is_sparse`."""

    sparse: bool

    def take_sparse(self, ids: Sequence[str]) -> csr_matrix:
        """As ``take``, in compressed rows."""
        ...


def is_sparse(vectors: VectorTable) -> TypeGuard[SparseTable]:
    """Whether a table gives compressed rows as well."""
    return bool(getattr(vectors, "sparse", False))


TOP = 3
# Similarities held at once, laid out reviewer by reviewer.
CHUNK_VALUES = 1 << 21


def reviewer_run(
    qrels: Qrels, reviewers: Mapping[str, Sequence[str]], vectors: VectorTable, *, top: int = TOP
) -> Run:
    """Score the reviewers that ``qrels`` names for each paper.

    A score is the mean of the ``top`` highest cosine similarities, in float64, between the paper
    and the reviewer's own papers; of all of them where a reviewer has fewer. A vector of zeros has
    similarity 0 with everything. A paper listed twice counts twice, as in the reference. Papers
    with equal vectors get equal similarities, so that reviewers with the same best papers are tied.

    Raises:
        DataError: a paper without reviewers, or a reviewer without papers.
        ModelError: a vector that is not finite.
    """
    for query, labels in qrels.items():
        if not labels:
            raise DataError(
                "the paper has no reviewers to rank",
                where=f"query {query}",
                fix="Remove it from the labels, or add the rows that are missing",
            )
    names = list(dict.fromkeys(name for labels in qrels.values() for name in labels))
    for name in names:
        if not reviewers.get(name):
            raise DataError(
                "the labels name a reviewer without papers",
                where=f"reviewer {name}",
                fix="Add the reviewer's papers to the reviewer metadata",
            )
    papers = list(dict.fromkeys(paper for name in names for paper in reviewers[name]))
    units, column = _distinct(unit_rows(vectors.take(papers)))
    column_of = dict(zip(papers, column.tolist(), strict=True))
    layout = _layout([[column_of[paper] for paper in reviewers[name]] for name in names])
    counts = np.array([min(top, len(reviewers[name])) for name in names])
    position = {name: row for row, name in enumerate(names)}

    queries = list(qrels)
    run: Run = {}
    step = max(1, CHUNK_VALUES // max(1, layout.size))
    for start in range(0, len(queries), step):
        chunk = queries[start : start + step]
        similarity = unit_rows(vectors.take(chunk)) @ units.T
        means = _top_means(similarity, layout, counts, top)
        for query, row in zip(chunk, means.tolist(), strict=True):
            run[query] = {name: row[position[name]] for name in qrels[query]}
    return run


def unit_rows(rows: NDArray[np.float32]) -> NDArray[np.float64]:
    """Rows scaled to length 1; a row of zeros stays as it is."""
    wide = rows.astype(np.float64)
    norms = np.sqrt(np.einsum("ij,ij->i", wide, wide))
    return wide / np.where(norms > 0, norms, 1.0)[:, None]


def _distinct(rows: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.intp]]:
    """The distinct rows, and for each row the place of its equal among them."""
    # A matrix product may round equal columns differently, depending on where they stand in a
    # block; computing each distinct vector once keeps ties exact.
    places: dict[bytes, int] = {}
    index = np.array([places.setdefault(row.tobytes(), len(places)) for row in rows], dtype=np.intp)
    first = np.unique(index, return_index=True)[1]
    return rows[first], index


def _layout(columns: Sequence[Sequence[int]]) -> NDArray[np.intp]:
    """Columns (reviewers, most papers of a reviewer), filled up with -1."""
    layout = np.full((len(columns), max(map(len, columns))), -1, dtype=np.intp)
    for row, places in enumerate(columns):
        layout[row, : len(places)] = places
    return layout


def _top_means(
    similarity: NDArray[np.float64], layout: NDArray[np.intp], counts: NDArray[np.intp], top: int
) -> NDArray[np.float64]:
    """Mean of each reviewer's highest similarities: (queries, columns) to (queries, reviewers)."""
    own = np.where(layout >= 0, similarity[:, layout], -np.inf)
    kept = min(top, own.shape[2])
    highest = np.partition(own, own.shape[2] - kept, axis=2)[:, :, own.shape[2] - kept :]
    # Sorted, so that equal sets of similarities add up in the same order and stay tied.
    highest = np.sort(highest, axis=2)
    sums: NDArray[np.float64] = np.where(np.isfinite(highest), highest, 0.0).sum(axis=2)
    return sums / counts
