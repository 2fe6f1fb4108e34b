"""From a task's data and a model to an outcome: encode by role, then the task's evaluator."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass

from scirepeval_harness.data.records import (
    AuthorBlocks,
    CitationPools,
    LabelledSet,
    RankingSet,
    ReviewerSet,
    TaskData,
)
from scirepeval_harness.encoders.base import Advance, Encoder, Ranker
from scirepeval_harness.encoding.embed import combine, embed
from scirepeval_harness.encoding.store import EmbeddingStore
from scirepeval_harness.errors import UsageError
from scirepeval_harness.evaluators.base import Outcome, PairScorer, VectorTable
from scirepeval_harness.probes.fit import FitSamples, fit_samples
from scirepeval_harness.runner.options import RunOptions
from scirepeval_harness.runner.progress import say
from scirepeval_harness.runner.requests import requests_of
from scirepeval_harness.specs.task import S2AND_METRIC, TaskSpec

Progress = Callable[[str, int], AbstractContextManager[Advance]]
"""Opens a progress bar with a title and a total in documents."""


@dataclass(frozen=True)
class Encoded:
    """The vectors of a task, and how many were made now and how many came from the store."""

    table: VectorTable
    encoded: int
    cached: int


def encode_task(
    task: TaskSpec,
    data: TaskData,
    encoder: Encoder,
    store: EmbeddingStore | None,
    progress: Progress,
) -> Encoded:
    """Vectors of all the task's documents, each in the role that its format gives it.

    Raises:
        ModelError, CoverageError, StorageError: see :func:`~.encoding.embed.embed`.
    """
    requests = requests_of(task, data)
    encoder.prepare([document for request in requests for document in request.documents])
    parts = []
    for request in requests:
        with progress(f"{task.name} · {request.role}", len(request.documents)) as advance:
            parts.append(embed(encoder, request.documents, request.role, store, advance))
    table: VectorTable = parts[0] if len(parts) == 1 else combine(parts[0], parts[1])
    return Encoded(table, sum(p.encoded for p in parts), sum(p.cached for p in parts))


def score_vectors(
    task: TaskSpec,
    data: TaskData,
    vectors: VectorTable,
    options: RunOptions,
    fit: FitSamples = fit_samples,
) -> Outcome:
    """The task's scores from vectors, with probes fitted by ``fit``.

    Raises:
        HarnessError: what the task's evaluator raises.
    """
    from scirepeval_harness.ranking.scorers import euclidean_scorer
    from scirepeval_harness.ranking.width import read_as

    match data:
        case LabelledSet():
            from scirepeval_harness.encoders.devices import choose_devices
            from scirepeval_harness.evaluators.probe import evaluate_probe

            table = read_as(vectors, options.width)
            # A cluster chooses its devices itself; this machine may have none of them.
            own = options.probe == "fast" and options.engine == "local"
            device = choose_devices(options.device)[0] if own else None
            return evaluate_probe(
                task, data, table, probe=options.probe, seed=options.seed, device=device, fit=fit
            )
        case ReviewerSet():
            from scirepeval_harness.evaluators.reviewer_matching import evaluate_reviewer_matching

            return evaluate_reviewer_matching(task, data, read_as(vectors, options.width))
        case AuthorBlocks() if S2AND_METRIC in task.metrics:
            from scirepeval_harness.paths import s2and_dir
            from scirepeval_harness.s2and.evaluate import evaluate_s2and

            table = read_as(vectors, options.width)
            return evaluate_s2and(data, table, s2and_dir(), say=say)
        case AuthorBlocks():
            from scirepeval_harness.evaluators.author_disambiguation import (
                evaluate_author_disambiguation,
            )

            return evaluate_author_disambiguation(task, data, read_as(vectors, options.width))
        case RankingSet() | CitationPools():
            return _score_pairs(task, data, euclidean_scorer(vectors, width=options.width))


def score_ranker(task: TaskSpec, data: TaskData, ranker: Ranker) -> Outcome:
    """The task's scores from a model that scores pairs; term statistics are the candidates'.

    Raises:
        UsageError: the task needs vectors.
    """
    from scirepeval_harness.ranking.scorers import ranker_scorer

    match data:
        case RankingSet():
            ranker.prepare(list(data.candidates.values()))
            scorer = ranker_scorer(ranker, data.queries, data.candidates)
        case CitationPools():
            ranker.prepare(list(data.documents.values()))
            scorer = ranker_scorer(ranker, data.documents, data.documents)
        case _:
            raise UsageError(
                "the task needs vectors, which this model does not have",
                where=f"task {task.name}, model {ranker.name}",
                fix="Choose ranking tasks with --task or --format",
            )
    return _score_pairs(task, data, scorer)


def _score_pairs(task: TaskSpec, data: RankingSet | CitationPools, scorer: PairScorer) -> Outcome:
    from scirepeval_harness.evaluators.citation_pools import evaluate_citation_pools
    from scirepeval_harness.evaluators.ranking import evaluate_ranking

    if isinstance(data, RankingSet):
        return evaluate_ranking(task, data, scorer)
    return evaluate_citation_pools(task, data, scorer)
