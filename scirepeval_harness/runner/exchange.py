"""Scores of every pair of a task of candidate pools, for MDCR's exchange form."""

from __future__ import annotations

from typing import cast

from scirepeval_harness.choices import Width
from scirepeval_harness.data.records import CitationPools
from scirepeval_harness.encoders.base import Encoder, Model
from scirepeval_harness.encoding.store import EmbeddingStore
from scirepeval_harness.evaluators.base import PairScorer
from scirepeval_harness.ranking.exchange import pairs_of
from scirepeval_harness.ranking.pools import Run, make_run
from scirepeval_harness.runner.scoring import Progress, encode_task
from scirepeval_harness.specs.task import TaskSpec


def score_pairs(
    task: TaskSpec,
    data: CitationPools,
    model: Model,
    store: EmbeddingStore | None,
    *,
    width: Width,
    progress: Progress,
) -> Run:
    """The score of each query with each candidate of its pools, as ``run`` ranks them.

    Raises:
        HarnessError: what encoding or the model raises.
    """
    from scirepeval_harness.ranking.scorers import euclidean_scorer, ranker_scorer

    scorer: PairScorer
    if hasattr(model, "encode"):
        encoded = encode_task(task, data, cast(Encoder, model), store, progress)
        scorer = euclidean_scorer(encoded.table, width=width)
    else:
        model.prepare(list(data.documents.values()))
        scorer = ranker_scorer(model, data.documents, data.documents)
    pools = {query: dict.fromkeys(candidates, 0) for query, candidates in pairs_of(data).items()}
    return make_run(scorer, pools)
