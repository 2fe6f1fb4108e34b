"""Paper-reviewer matching, scored against hard and soft labels (protocol section 5)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from scirepeval_harness.errors import DataError
from scirepeval_harness.evaluations.base import (
    Outcome,
    Score,
    VectorTable,
    mean_over_queries,
    query_items,
)
from scirepeval_harness.evaluations.ranking import pool_notes
from scirepeval_harness.evaluations.scorers import Run
from scirepeval_harness.evaluations.trec import measure
from scirepeval_harness.tasks.dataset import Qrels, ReviewerSet
from scirepeval_harness.tasks.spec import TaskSpec


def evaluate_reviewer_matching(task: TaskSpec, data: ReviewerSet, vectors: VectorTable) -> Outcome:
    """Scores ``hard_M`` and ``soft_M`` for each of the task's metrics M, x 100.

    One run is made, for the papers and reviewers of the hard labels, and measured against both
    label sets. Where the two do not name the same pairs the protocol has no ranking for the rest: a
    paper of the soft labels alone is left out of the soft mean, a reviewer of the soft labels alone
    is not ranked, and one of the hard labels alone counts as not relevant. The notes count all
    three, so that a difference is never silent.

    Raises:
        DataError: empty labels, hard and soft labels without a common paper, or a reviewer without
            papers.
        CoverageError: a paper without a vector.
    """
    soft: Qrels = {query: labels for query, labels in data.soft.items() if query in data.hard}
    if not data.hard or not soft:
        raise DataError(
            "the hard and soft labels have no paper in common",
            where=f"task {task.name}",
            fix="Check that both label files are of the same data set",
        )
    run = reviewer_run(data.hard, data.reviewers, vectors)
    hard_measured = measure(data.hard, run, task.metrics)
    soft_measured = measure(soft, run, task.metrics, same_candidates=False)
    parts = (("hard_", hard_measured), ("soft_", soft_measured))
    return Outcome(
        scores=tuple(
            Score(prefix + metric, mean_over_queries(measured, metric))
            for prefix, measured in parts
            for metric in task.metrics
        ),
        kind="queries",
        items=query_items([("", prefix, measured) for prefix, measured in parts], task.metrics),
        notes={
            "scorer": {"score": f"mean of the {TOP} highest cosine similarities"},
            "hard": pool_notes(data.hard),
            "soft": pool_notes(soft),
            **_differences(data),
        },
    )


def _differences(data: ReviewerSet) -> dict[str, object]:
    hard = {(query, name) for query, labels in data.hard.items() for name in labels}
    soft = {(query, name) for query, labels in data.soft.items() for name in labels}
    return {
        "soft_papers_not_ranked": len(data.soft.keys() - data.hard.keys()),
        "soft_pairs_not_ranked": len(soft - hard),
        "hard_pairs_without_soft_label": len(hard - soft),
    }


TOP = 3
CHUNK_VALUES = 1 << 21
"""Similarities held at once, laid out reviewer by reviewer."""


def reviewer_run(
    qrels: Qrels,
    reviewers: Mapping[str, Sequence[str]],
    vectors: VectorTable,
    *,
    top: int = TOP,
) -> Run:
    """Score the reviewers that ``qrels`` names for each paper.

    A score is the mean of the ``top`` highest cosine similarities, in float64, between the paper
    and the reviewer's own papers; of all of them where a reviewer has fewer. A vector of zeros has
    similarity 0 with everything. A paper listed twice counts twice, as in the reference. Papers
    with equal vectors get equal similarities, so that reviewers with the same best papers are tied.

    Raises:
        DataError: a paper without reviewers, or a reviewer without papers.
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
    units, column = _distinct(_unit_rows(vectors.take(papers)))
    column_of = dict(zip(papers, column.tolist(), strict=True))
    layout = _layout([[column_of[paper] for paper in reviewers[name]] for name in names])
    counts = np.array([min(top, len(reviewers[name])) for name in names])
    position = {name: row for row, name in enumerate(names)}

    queries = list(qrels)
    run: Run = {}
    step = max(1, CHUNK_VALUES // max(1, layout.size))
    for start in range(0, len(queries), step):
        chunk = queries[start : start + step]
        similarity = _unit_rows(vectors.take(chunk)) @ units.T
        means = _top_means(similarity, layout, counts, top)
        for query, row in zip(chunk, means.tolist(), strict=True):
            run[query] = {name: row[position[name]] for name in qrels[query]}
    return run


def _unit_rows(rows: NDArray[np.float32]) -> NDArray[np.float64]:
    """Rows scaled to length 1; a row of zeros stays as it is."""
    wide = rows.astype(np.float64)
    norms = np.sqrt(np.einsum("ij,ij->i", wide, wide))
    return wide / np.where(norms > 0, norms, 1.0)[:, None]


def _distinct(rows: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.intp]]:
    """The distinct rows, and for each row the place of its equal among them.

    A matrix product may round equal columns differently, depending on where they stand in a block;
    computing each distinct vector once keeps ties exact.
    """
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
