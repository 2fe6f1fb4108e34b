"""One task with one model: load, encode, score, resample; each phase timed."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

import scirepeval_harness
from scirepeval_harness.evaluations import base, scorers
from scirepeval_harness.evaluations.citation_pools import CitationPools
from scirepeval_harness.evaluations.exchange import pairs_of
from scirepeval_harness.evaluations.quantised import quantised
from scirepeval_harness.evaluations.vector_warnings import cut_warnings, identical, vector_warnings
from scirepeval_harness.model.base import Encoder, Model, Ranker, in_task
from scirepeval_harness.model.ensemble import EnsembleRanker, VectorRanker
from scirepeval_harness.model.spec import ModelSpec
from scirepeval_harness.options import RunOptions
from scirepeval_harness.probes.fit import FitSamples, fit_samples
from scirepeval_harness.progress import SILENT, Progress
from scirepeval_harness.results import record as records
from scirepeval_harness.results.verify import distinct_items
from scirepeval_harness.statistics.bootstrap import interval
from scirepeval_harness.task.dataset import LoadedTask
from scirepeval_harness.task.registry import origins_of
from scirepeval_harness.task.spec import SuiteSpec, TaskSpec
from scirepeval_harness.vectors.encode import TaskVectors, embed_task
from scirepeval_harness.vectors.store import EmbeddingStore


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

    record: records.TaskRecord
    outcome: base.Outcome
    draws: Mapping[str, NDArray[np.float64]]
    encoded: int
    cached: int


def model_record(spec: ModelSpec, model: Model, task: TaskSpec) -> records.ModelRecord:
    """The model with the identity of each role that the task uses."""
    model = in_task(model, task)
    roles = {role.value: dict(model.identity(role).details) for _, role in task.roles()}
    return record_of(spec, roles)


def record_of(spec: ModelSpec, roles: dict[str, dict[str, str]]) -> records.ModelRecord:
    """The model's record with the identities of the roles used."""
    return records.ModelRecord(
        name=spec.name, title=spec.title, kind=spec.kind, origin=spec.origin, roles=roles
    )


def outline(
    suite: SuiteSpec, task: TaskSpec, model: records.ModelRecord, options: RunOptions
) -> records.TaskRecord:
    """The record of a task of which nothing but its definition is known yet."""
    return records.TaskRecord(
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
        # A task that failed before its data was read has nothing to sign.
        signature="none",
        origins=origins_of(suite, task),
    )


def describe(
    suite: SuiteSpec,
    task: TaskSpec,
    loaded: LoadedTask,
    model: records.ModelRecord,
    options: RunOptions,
) -> records.TaskRecord:
    """The record of a task before it is scored; its signature is final."""
    blank = outline(suite, task, model, options)
    source, coverage = loaded.provenance, loaded.coverage
    return blank.model_copy(
        update={
            "data": records.DataRecord(
                **asdict(source), synthetic=task.synthetic or suite.synthetic
            ),
            "coverage": records.CoverageRecord(
                documents_needed=coverage.documents_needed,
                documents_found=coverage.documents_found,
                queries_needed=coverage.queries_needed,
                queries_found=coverage.queries_found,
            ),
            "warnings": loaded.warnings,
            "signature": records.task_signature(
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
    draft: records.TaskRecord,
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
    said: tuple[str, ...] = ()
    requests = base.requests_of(task, loaded.data)
    model, given = in_task(model, task), model
    if isinstance(model, EnsembleRanker):
        with phases.time("encode"):
            model, made = ranker_of(model, task, loaded.data, store, options, progress)
        encoded, cached = (sum(getattr(one, key) for one in made) for key in ("encoded", "cached"))
    if hasattr(model, "encode"):
        encoder = cast(Encoder, model)
        with phases.time("encode"):
            vectors = embed_task(task.name, requests, encoder, store, progress)
            ids = [document.id for request in requests for document in request.documents]
            alike = tuple(warning for one in requests for warning in identical(one, vectors))
            # Of vectors that are all one, nothing else needs to be said.
            said = alike or tuple(vector_warnings(task, vectors, ids))
        encoded, cached = vectors.encoded, vectors.cached
        with phases.time("score"):
            outcome = score_vectors(task, loaded.data, vectors, options, fit, progress)
    else:
        with phases.time("score"):
            outcome = base.evaluation_of(task).score_pairs(task, loaded.data, model)
    with phases.time("encode"):
        said = (*said, *cut_warnings(task, given, requests, store))
    with phases.time("intervals"):
        # Made once: the intervals come from them here, and they are stored for later comparisons.
        draws = base.evaluation_of(task).draws(task, outcome, options.seed)
    record = draft.model_copy(
        update={
            "status": "ok",
            "item_kind": outcome.kind,
            "warnings": (*draft.warnings, *said),
            "scores": tuple(_score_records(outcome, draws)),
            "notes": dict(outcome.notes),
        }
    )
    return Scored(record, outcome, draws, encoded, cached)


def ranker_of(
    model: EnsembleRanker,
    task: TaskSpec,
    data: Any,
    store: EmbeddingStore,
    options: RunOptions,
    progress: Progress = SILENT,
) -> tuple[EnsembleRanker, list[TaskVectors]]:
    """The ensemble with a ranker in the place of each encoder, and the vectors that those rank by.

    Raises:
        HarnessError: what encoding raises.
    """
    requests, made = base.requests_of(task, data), list[TaskVectors]()
    rankers = list[Ranker]()
    for member in model.members:
        if hasattr(member, "encode"):
            made.append(embed_task(task.name, requests, cast(Encoder, member), store, progress))
            table = as_kept(task, data, made[-1], options)
            rankers.append(VectorRanker(member, scorers.euclidean_scorer(table)))
        else:
            rankers.append(member)
    return model.of(rankers), made


def as_kept(
    task: TaskSpec, data: Any, vectors: base.VectorTable, options: RunOptions
) -> base.VectorTable:
    """The vectors in the precision in which the options have them kept."""
    read = scorers.read_as(vectors, options.vector_precision)
    if options.quantize is None:
        return read
    requests = base.requests_of(task, data)
    ids = [document.id for request in requests for document in request.documents]
    return quantised(read, ids, options.quantize)


def _score_records(
    outcome: base.Outcome, draws: Mapping[str, NDArray[np.float64]]
) -> Iterator[records.ScoreRecord]:
    fields = dict.fromkeys(score.field for score in outcome.scores)
    items = {name: distinct_items(outcome.items, name) for name in fields}
    for score in outcome.scores:
        yield records.ScoreRecord(
            key=score.key,
            metric=score.metric,
            setting=score.setting,
            field=score.field,
            value=score.value,
            interval=interval(draws[score.key]) if score.key in draws else None,
            items=items[score.field],
        )


def score_vectors(
    task: TaskSpec,
    data: Any,
    vectors: base.VectorTable,
    options: RunOptions,
    fit: FitSamples = fit_samples,
    progress: Progress = SILENT,
) -> base.Outcome:
    """The task's scores from vectors, with probes fitted by ``fit``.

    Raises:
        HarnessError: what the task's evaluator raises.
    """
    width = options.vector_precision
    told = base.ScoreOptions(
        seed=options.seed, probe=options.probe, width=width, device=options.device,
        # None lets the evaluation choose among this machine's devices; a cluster has its own.
        fit=None if fit is fit_samples else fit, progress=progress,
    )  # fmt: skip
    return base.evaluation_of(task).score(task, data, as_kept(task, data, vectors, options), told)


def score_pairs(
    task: TaskSpec,
    data: CitationPools,
    model: Model,
    store: EmbeddingStore,
    options: RunOptions,
    progress: Progress = SILENT,
) -> scorers.Run:
    """The score of each query with each candidate of its pools, as ``run`` ranks them.

    Raises:
        HarnessError: what encoding or the model raises.
    """
    model = in_task(model, task)
    if isinstance(model, EnsembleRanker):
        model, _ = ranker_of(model, task, data, store, options, progress)
    scorer: base.PairScorer
    if hasattr(model, "encode"):
        requests = base.requests_of(task, data)
        vectors = embed_task(task.name, requests, cast(Encoder, model), store, progress)
        kept = as_kept(task, data, vectors, options)
        scorer = scorers.euclidean_scorer(kept, width=options.vector_precision)
    else:
        model.prepare(list(data.documents.values()))
        scorer = scorers.ranker_scorer(model, data.documents, data.documents)
    pools = {query: dict.fromkeys(candidates, 0) for query, candidates in pairs_of(data).items()}
    return scorers.make_run(scorer, pools)
