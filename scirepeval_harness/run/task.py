"""One task with one model: load, encode, score, resample; each phase timed."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, cast

import scirepeval_harness
from scirepeval_harness.errors import UsageError
from scirepeval_harness.evaluations.base import Outcome, PairScorer, VectorTable
from scirepeval_harness.models.base import Encoder, Model, Ranker
from scirepeval_harness.models.spec import ModelSpec
from scirepeval_harness.options import RunOptions
from scirepeval_harness.probes.fit import FitSamples, fit_samples
from scirepeval_harness.progress import SILENT, Progress
from scirepeval_harness.results.record import (
    CoverageRecord,
    DataRecord,
    ModelRecord,
    ScoreRecord,
    TaskRecord,
    task_signature,
)
from scirepeval_harness.run.requests import requests_of
from scirepeval_harness.statistics.bootstrap import bootstrap, interval
from scirepeval_harness.tasks.dataset import (
    AuthorBlocks,
    CitationPools,
    LabelledSet,
    LoadedTask,
    RankingSet,
    ReviewerSet,
    TaskData,
)
from scirepeval_harness.tasks.spec import S2AND_METRIC, SuiteSpec, TaskSpec
from scirepeval_harness.vectors.encode import embed_task
from scirepeval_harness.vectors.store import EmbeddingStore

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd
    from numpy.typing import NDArray


@dataclass
class Phases:
    """Seconds by phase."""

    seconds: dict[str, float] = field(default_factory=dict)

    @contextmanager
    def time(self, phase: str) -> Iterator[None]:
        """Add the time spent inside to ``phase``, also when it raises."""
        start = time.perf_counter()
        try:
            yield
        finally:
            spent = time.perf_counter() - start
            self.seconds[phase] = self.seconds.get(phase, 0.0) + spent


@dataclass(frozen=True)
class Scored:
    """What a finished task leaves to be written."""

    record: TaskRecord
    outcome: Outcome
    draws: Mapping[str, NDArray[np.float64]]
    encoded: int
    cached: int


def model_record(spec: ModelSpec, model: Model, task: TaskSpec) -> ModelRecord:
    """The model with the identity of each role that the task uses."""
    roles = {role.value: dict(model.identity(role).details) for _, role in task.roles()}
    return ModelRecord(name=spec.name, title=spec.title, kind=spec.kind.value, roles=roles)


def outline(
    suite: SuiteSpec, task: TaskSpec, model: ModelRecord, options: RunOptions
) -> TaskRecord:
    """The record of a task of which nothing but its definition is known yet."""
    return TaskRecord(
        suite=suite.name,
        task=task.name,
        title=task.title,
        version=task.version,
        definition_hash=task.definition_hash(),
        format=task.format,
        evaluation=task.evaluation,
        group=suite.group_of(task.name),
        status="failed",
        model=model,
        settings=options.scoring(),
        signature="none",
    )


def describe(
    suite: SuiteSpec, task: TaskSpec, loaded: LoadedTask, model: ModelRecord, options: RunOptions
) -> TaskRecord:
    """The record of a task before it is scored; its signature is final."""
    blank = outline(suite, task, model, options)
    source, coverage = loaded.provenance, loaded.coverage
    return blank.model_copy(
        update={
            "data": DataRecord(
                source=source.source,
                documents=source.documents,
                labels=source.labels,
                revision=source.revision,
                fingerprint=source.fingerprint,
                synthetic=task.synthetic or suite.synthetic,
            ),
            "coverage": CoverageRecord(
                documents_needed=coverage.documents_needed,
                documents_found=coverage.documents_found,
                queries_needed=coverage.queries_needed,
                queries_found=coverage.queries_found,
            ),
            "warnings": loaded.warnings,
            "signature": task_signature(
                task=task.name,
                version=task.version,
                definition=blank.definition_hash,
                rows=source.fingerprint,
                settings=blank.settings,
                model=model,
                harness=scirepeval_harness.__version__,
            ),
        }
    )


def score_task(
    draft: TaskRecord,
    task: TaskSpec,
    loaded: LoadedTask,
    model: Model,
    store: EmbeddingStore,
    options: RunOptions,
    progress: Progress,
    phases: Phases,
    fit: FitSamples = fit_samples,
) -> Scored:
    """Vectors, scores and intervals of a task whose data is loaded.

    Raises:
        HarnessError: what encoding or the evaluator raises.
    """
    encoded = cached = 0
    if hasattr(model, "encode"):
        encoder = cast(Encoder, model)
        with phases.time("encode"):
            requests = requests_of(task, loaded.data)
            vectors = embed_task(task.name, requests, encoder, store, progress)
        encoded, cached = vectors.encoded, vectors.cached
        with phases.time("score"):
            outcome = score_vectors(task, loaded.data, vectors, options, fit, progress)
    else:
        with phases.time("score"):
            outcome = score_ranker(task, loaded.data, model)
    with phases.time("intervals"):
        draws = bootstrap(outcome, seed=options.seed, stream=task.name)
    record = draft.model_copy(
        update={
            "status": "ok",
            "item_kind": outcome.kind,
            "scores": tuple(_score_records(outcome, draws)),
            "notes": dict(outcome.notes),
        }
    )
    return Scored(record, outcome, draws, encoded, cached)


def _score_records(
    outcome: Outcome, draws: Mapping[str, NDArray[np.float64]]
) -> Iterator[ScoreRecord]:
    items = outcome.items
    for score in outcome.scores:
        rows = items if score.field is None else items[items["field"] == score.field]
        yield ScoreRecord(
            key=score.key,
            metric=score.metric,
            setting=score.setting,
            field=score.field,
            value=score.value,
            interval=interval(draws[score.key]),
            items=_count(rows),
        )


def _count(rows: pd.DataFrame) -> int:
    """Distinct items: queries of every field, or test rows."""
    keys = [name for name in ("field", "item") if name in rows.columns]
    return len(rows.drop_duplicates(keys))


def score_vectors(
    task: TaskSpec,
    data: TaskData,
    vectors: VectorTable,
    options: RunOptions,
    fit: FitSamples = fit_samples,
    progress: Progress = SILENT,
) -> Outcome:
    """The task's scores from vectors, with probes fitted by ``fit``.

    Raises:
        HarnessError: what the task's evaluator raises.
    """
    from scirepeval_harness.evaluations.scorers import euclidean_scorer, read_as

    precision = options.vector_precision
    match data:
        case LabelledSet():
            from scirepeval_harness.evaluations.probe import evaluate_probe
            from scirepeval_harness.models.devices import choose_devices

            table = read_as(vectors, precision)
            # A cluster chooses its devices itself; this machine may have none of them.
            own = options.probe == "fast" and options.engine == "local"
            device = choose_devices(options.device)[0] if own else None
            return evaluate_probe(
                task, data, table, probe=options.probe, seed=options.seed, device=device, fit=fit
            )
        case ReviewerSet():
            from scirepeval_harness.evaluations.reviewer_matching import evaluate_reviewer_matching

            return evaluate_reviewer_matching(task, data, read_as(vectors, precision))
        case AuthorBlocks() if S2AND_METRIC in task.metrics:
            from scirepeval_harness.evaluations.s2and.evaluate import evaluate_s2and
            from scirepeval_harness.files import s2and_dir

            table = read_as(vectors, precision)
            return evaluate_s2and(data, table, s2and_dir(), say=progress.say)
        case AuthorBlocks():
            from scirepeval_harness.evaluations.author_disambiguation import (
                evaluate_author_disambiguation,
            )

            return evaluate_author_disambiguation(task, data, read_as(vectors, precision))
        case RankingSet() | CitationPools():
            return _score_pairs(task, data, euclidean_scorer(vectors, width=precision))


def score_ranker(task: TaskSpec, data: TaskData, ranker: Ranker) -> Outcome:
    """The task's scores from a model that scores pairs; term statistics are the candidates'.

    Raises:
        UsageError: the task needs vectors.
    """
    from scirepeval_harness.evaluations.scorers import ranker_scorer

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
    from scirepeval_harness.evaluations.citation_pools import evaluate_citation_pools
    from scirepeval_harness.evaluations.ranking import evaluate_ranking

    if isinstance(data, RankingSet):
        return evaluate_ranking(task, data, scorer)
    return evaluate_citation_pools(task, data, scorer)
