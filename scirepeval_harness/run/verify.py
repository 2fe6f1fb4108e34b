"""A finished result looked at again: its files, its scores from their items, and from vectors."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from scirepeval_harness.errors import HarnessError, StorageError
from scirepeval_harness.evaluations.base import requests_of
from scirepeval_harness.model.base import kept_encoders
from scirepeval_harness.model.spec import ModelSpec
from scirepeval_harness.options import RunOptions
from scirepeval_harness.progress import SILENT
from scirepeval_harness.results.folder import Result, read_entry, read_run, task_file
from scirepeval_harness.results.record import TaskRecord
from scirepeval_harness.results.verify import TOLERANCE, contradictions
from scirepeval_harness.run import task as scoring
from scirepeval_harness.run.again import count_lacking, options_again
from scirepeval_harness.run.engine import LocalEngine, build_models
from scirepeval_harness.run.loading import TaskLoader, task_loader
from scirepeval_harness.task.places import Places
from scirepeval_harness.task.registry import Registry
from scirepeval_harness.task.spec import SuiteSpec, TaskSpec
from scirepeval_harness.vectors.store import EmbeddingStore, open_store

AGREE = "agree"


@dataclass(frozen=True)
class TaskCheck:
    """What was found of a task. ``items`` and ``vectors`` are ``agree``, ``differ``, or why the
    scores were not computed again from them."""

    task: str
    items: str
    vectors: str
    faults: tuple[StorageError, ...] = ()


@dataclass(frozen=True)
class Verification:
    """What was found in a result folder. ``sealed`` is False for one from before there were seals,
    of which an edit shows only where scores and items then disagree.

    Example:
        >>> import scirepeval_harness as sh
        >>> sh.verify("results/baselines/sample/tfidf").ok
        True
    """

    folder: Path
    sealed: bool
    tasks: tuple[TaskCheck, ...]

    @property
    def faults(self) -> tuple[StorageError, ...]:
        """Everything that is wrong, each with its file."""
        return tuple(fault for task in self.tasks for fault in task.faults)

    @property
    def ok(self) -> bool:
        """Whether nothing is wrong."""
        return not self.faults


def verify_result(
    folder: Path,
    registry: Registry,
    models: Sequence[ModelSpec] = (),
    *,
    cache: Path | None = None,
    data: Places | None = None,
) -> Verification:
    """Check every file of a result and compute its scores again.

    Args:
        models: what the run's model may have been, to compute scores from vectors.
        cache: the store of vectors; None to leave vectors alone. Nothing is encoded.
        data: the folder of the tasks' data, as for a run.

    Raises:
        StorageError: a run file that cannot be used: nothing in its folder can then be trusted.
    """
    run = read_run(folder)
    records: dict[str, TaskRecord] = {}
    checks: dict[str, TaskCheck] = {}
    for entry in run.tasks:
        try:
            records[entry.task] = read_entry(folder, run, entry)
        except StorageError as fault:
            checks[entry.task] = TaskCheck(entry.task, "not read", "not read", (fault,))
    result = Result(folder, run, records)
    spec = next((spec for spec in models if spec.name == run.model.name), None)
    for name, record in records.items():
        why = _unlike(record, registry.tasks)
        faults = () if why else tuple(contradictions(result, record, registry.tasks))
        if why is None and record.item_kind is None:
            why = "no items"
        vectors = "not asked for" if cache is None else why
        if vectors is None and spec is None:
            vectors = f"not checked: no model {run.model.name!r} here"
        if vectors is None and spec is not None:
            suite, task = registry.suite(record.suite), registry.task(name)
            options = options_again(folder, record, run.arguments, cache, data)
            vectors, more = _from_vectors(folder, record, suite, task, spec, options)
            faults += more
        checks[name] = TaskCheck(
            name, why or ("differ" if faults else AGREE), vectors or "not read", faults
        )
    return Verification(folder, result.sealed, tuple(checks[entry.task] for entry in run.tasks))


def _unlike(record: TaskRecord, tasks: Mapping[str, TaskSpec]) -> str | None:
    """Why a record cannot be computed again by the registered task."""
    if record.status != "ok":
        return record.status
    task = tasks.get(record.task)
    if task is None:
        return "not checked: the task is not registered"
    if task.definition_hash() != record.definition_hash:
        if task.version == record.version:
            return f"not checked: the task has another definition here, of version {task.version}"
        return f"not checked: the task is at version {task.version}, not {record.version}"
    return None


def _from_vectors(
    folder: Path,
    record: TaskRecord,
    suite: SuiteSpec,
    task: TaskSpec,
    spec: ModelSpec,
    options: RunOptions,
) -> tuple[str, tuple[StorageError, ...]]:
    """``agree``, ``differ`` with what does, or why it was not checked."""
    try:
        with task_loader(options) as loader, open_store(options.cache) as store:
            again = _scored(record, suite, task, spec, options, loader, store)
    except HarnessError as error:
        return f"not checked: {error.what}", ()
    if isinstance(again, str):
        return f"not checked: {again}", ()
    values = {score.key: score.value for score in again.scores}
    path = str(task_file(folder, record.suite, record.task))
    faults = tuple(
        StorageError(
            f"score {own.key!r} is {own.value:.6g}, but {values.get(own.key)} by its vectors",
            where=path,
            fix="Run the task again",
        )
        for own in record.scores
        if own.key not in values or not abs(values[own.key] - own.value) <= TOLERANCE
    )
    return "differ" if faults else AGREE, faults


def _scored(
    record: TaskRecord,
    suite: SuiteSpec,
    task: TaskSpec,
    spec: ModelSpec,
    options: RunOptions,
    loader: TaskLoader,
    store: EmbeddingStore,
) -> TaskRecord | str:
    """The record scored anew, or why it cannot be."""
    loaded = loader.get(task, suite)
    if record.data is None or loaded.provenance.fingerprint != record.data.fingerprint:
        return "other rows of data"
    ((_, model),) = build_models([spec], options, LocalEngine())
    draft = scoring.describe(suite, task, loaded, scoring.model_record(spec, model, task), options)
    if draft.model.roles != record.model.roles:
        return "the model here is another one: its weights, settings or libraries differ"
    requests = requests_of(task, loaded.data)
    if lacking := count_lacking(kept_encoders(model, task), requests, store):
        return f"{lacking} vectors are not in the store"
    phases = scoring.Phases()
    return scoring.score_task(draft, task, loaded, model, store, options, SILENT, phases).record
