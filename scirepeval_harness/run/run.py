"""A run: every chosen task with every chosen model. A failing task does not stop the others."""

from __future__ import annotations

import time
import traceback
from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

import scirepeval_harness
from scirepeval_harness.errors import HarnessError, IncompleteRunError, StorageError, UsageError
from scirepeval_harness.models.base import Model
from scirepeval_harness.models.spec import ModelSpec
from scirepeval_harness.options import RunOptions
from scirepeval_harness.progress import progress_bar, result_line, say
from scirepeval_harness.results.environment import Environment, describe_environment
from scirepeval_harness.results.folder import RUN_FILE, write_run, write_task
from scirepeval_harness.results.record import (
    RunRecord,
    Status,
    TaskRecord,
    TaskRun,
    run_signature,
)
from scirepeval_harness.run.ahead import encode_ahead
from scirepeval_harness.run.plan import plan_run, summary
from scirepeval_harness.run.resources import (
    Engine,
    Selection,
    TaskLoader,
    build_models,
    open_engine,
    open_store,
    task_loader,
)
from scirepeval_harness.run.resume import earlier_tasks, finished_task, result_folders
from scirepeval_harness.run.task import (
    Phases,
    describe,
    model_record,
    outline,
    record_of,
    score_task,
)
from scirepeval_harness.tasks.dataset import LoadedTask
from scirepeval_harness.tasks.spec import SuiteSpec, TaskSpec
from scirepeval_harness.vectors.store import EmbeddingStore


@dataclass(frozen=True)
class _Job:
    """One model's run: what it was asked to do, where, and since when."""

    spec: ModelSpec
    folder: Path
    options: RunOptions
    arguments: Mapping[str, object]
    created: datetime
    clock: float
    environment: Environment
    engine: Engine


@dataclass
class _State:
    """What one model's run has so far."""

    records: list[TaskRecord] = field(default_factory=list)
    runs: list[TaskRun] = field(default_factory=list)
    encoded: int = 0
    cached: int = 0
    ahead: int = 0
    interrupted: bool = False
    earlier: Mapping[str, tuple[TaskRun, TaskRecord]] = field(default_factory=dict)
    """Tasks that an earlier run finished and that this one resumes."""

    def everything(self) -> list[tuple[TaskRun, TaskRecord]]:
        """The tasks of the earlier run, those that this one has come to in their new state, and
        then the others of this one."""
        own = {entry.task: (entry, record)
               for entry, record in zip(self.runs, self.records, strict=True)}  # fmt: skip
        return list({**self.earlier, **own}.values())


def run(
    models: Sequence[ModelSpec],
    selection: Selection,
    options: RunOptions,
    arguments: Mapping[str, object],
) -> tuple[Path, ...]:
    """Evaluate the models one after another; one result folder each, below ``options.output``.

    What there is to encode is said before the first task. Ctrl-C ends the run after writing what
    is finished.

    Raises:
        UsageError: no such data folder, two models of one name, results that are already there, or
            no model that can run any of the tasks.
        HarnessError: an engine that is not there (see :func:`~.engines.open_engine`), or a model
            that cannot be built (see :func:`~.models.base.build_model`).
        IncompleteRunError: results cannot be written.
    """
    if options.data is not None and not options.data.is_dir():
        raise UsageError("no such folder", where=str(options.data), fix="Check --data")
    folders = result_folders(models, options)
    if selection and not any(spec.can_run(task) for spec in models for _, task in selection):
        raise UsageError(
            "the chosen tasks need vectors, which the model does not have",
            where=f"model {', '.join(spec.name for spec in models)}",
            fix="Choose ranking tasks with --task or --format, or another model",
        )
    loader = task_loader(options)
    environment = describe_environment(Path(scirepeval_harness.__file__).parent)
    with open_engine(options) as engine, open_store(options) as store:
        try:
            built = deque(build_models(models, options, engine))
            plans = plan_run(built, selection, loader, store)
        except KeyboardInterrupt:
            say("interrupted before the first task")
            return ()
        if options.engine != "local":
            say(str(engine))
        for plan in plans:
            say(summary(plan))
        for folder in folders:
            clock, created = time.perf_counter(), datetime.now(UTC)
            # Taken out of the list, so that a model's weights go before the next one's come.
            spec, model = built.popleft()
            job = _Job(spec, folder, options, arguments, created, clock, environment, engine)
            if _run_model(job, model, selection, loader, store):
                break
    return tuple(folder for folder in folders if (folder / RUN_FILE).is_file())


def _run_model(
    job: _Job, model: Model, selection: Selection, loader: TaskLoader, store: EmbeddingStore
) -> bool:
    """Run one model; True when the user interrupted it."""
    state = _State(earlier=earlier_tasks(job.folder, job.options))
    able = [(suite, task) for suite, task in selection if job.spec.can_run(task)]
    try:
        state.ahead = encode_ahead(model, able, loader, store, partial(_is_finished, job, model))
        for suite, task in able:
            _run_task(job, model, suite, task, loader, store, state)
            _write_run(job, state)
    except KeyboardInterrupt:
        _interrupt(job, able[len(state.runs) :], state)
    except StorageError as error:
        # Written task by task: what is finished is whole, and --resume goes on from there.
        raise IncompleteRunError(error.what, where=error.where, fix=error.fix) from error
    return state.interrupted


def _interrupt(job: _Job, open_tasks: Selection, state: _State) -> None:
    """Write down that the user ended the run, and in which task."""
    state.interrupted = True
    if open_tasks:
        suite, task = open_tasks[0]
        record = _unfinished(job, suite, task, None, "interrupted", "interrupted")
        if finished_task(job.folder, job.options, record) is None:
            write_task(job.folder, record)
        state.records.append(record)
        state.runs.append(
            TaskRun(suite=suite.name, task=task.name, status="interrupted", seconds={})
        )
    say(f"{job.spec.name}  interrupted; finished tasks are kept in {job.folder}")
    _write_run(job, state)


def _run_task(
    job: _Job,
    model: Model,
    suite: SuiteSpec,
    task: TaskSpec,
    loader: TaskLoader,
    store: EmbeddingStore,
    state: _State,
) -> None:
    """Score one task and write it. The one place where any exception is caught: it becomes the
    task's error, and the other tasks go on."""
    phases = Phases()
    trace: str | None = None
    draft: TaskRecord | None = None
    resumed = False
    options = job.options
    try:
        with phases.time("load"):
            loaded = loader.get(task, suite)
        draft = describe(suite, task, loaded, model_record(job.spec, model, task), options)
        record = finished_task(job.folder, job.options, draft, draft.signature)
        resumed = record is not None
        if record is None:
            scored = score_task(
                draft, task, loaded, model, store, options, progress_bar, phases,
                job.engine.fit_samples,
            )  # fmt: skip
            record = scored.record
            state.encoded += scored.encoded
            state.cached += scored.cached
            with phases.time("write"):
                write_task(job.folder, record, scored.outcome.items, scored.draws)
        say(result_line(job.spec.name, record, sum(phases.seconds.values())))
    except Exception as error:  # noqa: BLE001
        trace = traceback.format_exc()
        what = str(error) if isinstance(error, HarnessError) else f"{type(error).__name__}: {error}"
        record = _unfinished(job, suite, task, draft, "failed", what)
        say(f"{job.spec.name}  {task.name}  FAILED  {record.error}")
        write_task(job.folder, record)
    entry = TaskRun(
        suite=suite.name,
        task=task.name,
        status=record.status,
        seconds=phases.seconds,
        traceback=trace,
    )
    if resumed and task.name in state.earlier:
        entry = state.earlier[task.name][0]  # with the seconds that the scores really took
    state.records.append(record)
    state.runs.append(entry)


def _is_finished(
    job: _Job, model: Model, suite: SuiteSpec, task: TaskSpec, loaded: LoadedTask
) -> bool:
    """Whether an earlier run left a record that this one would repeat."""
    draft = describe(suite, task, loaded, model_record(job.spec, model, task), job.options)
    return finished_task(job.folder, job.options, draft, draft.signature) is not None


def _unfinished(
    job: _Job,
    suite: SuiteSpec,
    task: TaskSpec,
    draft: TaskRecord | None,
    status: Status,
    error: str,
) -> TaskRecord:
    if draft is None:
        spec = job.spec
        model = record_of(spec, {})
        draft = outline(suite, task, model, job.options)
    return draft.model_copy(update={"status": status, "error": " ".join(error.split())})


def _write_run(job: _Job, state: _State) -> None:
    everything = state.everything()
    statuses = {entry.status for entry, _ in everything}
    status: Status = (
        "interrupted" if state.interrupted else "failed" if "failed" in statuses else "ok"
    )
    spec, seconds = job.spec, time.perf_counter() - job.clock
    records = [record for _, record in everything]
    roles = {name: value for record in records for name, value in record.model.roles.items()}
    record = RunRecord(
        harness_version=scirepeval_harness.__version__,
        model=record_of(spec, roles),
        suites=tuple(dict.fromkeys(entry.suite for entry, _ in everything)),
        status=status,
        created_at=job.created.isoformat(timespec="seconds"),
        arguments=dict(job.arguments),
        tasks=tuple(entry for entry, _ in everything),
        # Tasks find in the store what was encoded ahead of them; it was not there before.
        documents_encoded=state.encoded + state.ahead,
        documents_cached=max(0, state.cached - state.ahead),
        seconds={"total": round(seconds, 3)},
        packages=dict(job.environment.packages),
        hardware=dict(job.environment.hardware),
        git_commit=job.environment.git_commit,
        git_dirty=job.environment.git_dirty,
        signature=run_signature(records, scirepeval_harness.__version__),
    )
    write_run(job.folder, record)
