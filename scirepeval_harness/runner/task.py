"""One task with one model: load, encode, score, resample; each phase timed."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, cast

import scirepeval_harness
from scirepeval_harness.data.records import LoadedTask
from scirepeval_harness.encoders.base import Encoder, Model
from scirepeval_harness.evaluators.base import Outcome
from scirepeval_harness.probes.fit import FitSamples, fit_samples
from scirepeval_harness.records.schema import (
    CoverageRecord,
    DataRecord,
    ModelRecord,
    ScoreRecord,
    TaskRecord,
)
from scirepeval_harness.records.signature import task_signature
from scirepeval_harness.runner.options import RunOptions
from scirepeval_harness.runner.scoring import Progress, encode_task, score_ranker, score_vectors
from scirepeval_harness.specs.model import ModelSpec
from scirepeval_harness.specs.suite import SuiteSpec
from scirepeval_harness.specs.task import TaskSpec
from scirepeval_harness.statistics.bootstrap import bootstrap
from scirepeval_harness.statistics.interval import interval

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd
    from numpy.typing import NDArray

    from scirepeval_harness.encoding.store import EmbeddingStore


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
    store: EmbeddingStore | None,
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
            vectors = encode_task(task, loaded.data, encoder, store, progress)
        encoded, cached = vectors.encoded, vectors.cached
        with phases.time("score"):
            outcome = score_vectors(task, loaded.data, vectors.table, options, fit)
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
