"""Candidate pools and runs: who is ranked for whom, and with which scores."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from scirepeval_harness.data.records import Qrels
from scirepeval_harness.errors import DataError, ModelError
from scirepeval_harness.evaluators.base import PairScorer

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


def pools_of(qrels: Qrels) -> dict[str, tuple[str, ...]]:
    """The candidates that the labels name, which are all that is ranked (protocol section 4)."""
    return {query: tuple(grades) for query, grades in qrels.items()}


def settings_of(scorer: PairScorer) -> dict[str, object]:
    """What the scorer says of itself; empty for a plain function."""
    return dict(scorer.settings) if isinstance(scorer, DescribedScorer) else {}


def make_run(scorer: PairScorer, qrels: Qrels) -> Run:
    """Score every labelled candidate of every query.

    Raises:
        DataError: a query has no candidates.
        ModelError: the scorer returns another number of scores, or one that is not finite.
    """
    pools = pools_of(qrels)
    for query, candidates in pools.items():
        if not candidates:
            raise DataError(
                "the query has no candidates",
                where=f"query {query}",
                fix="Remove it from the labels, or add the rows that are missing",
            )
    if isinstance(scorer, BatchScorer):
        scores = scorer.score_all(pools)
    else:
        scores = {query: scorer(query, candidates) for query, candidates in pools.items()}
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
