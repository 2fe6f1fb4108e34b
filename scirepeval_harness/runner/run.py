"""A run: every chosen task with every chosen model. A failing task does not stop the others."""

from __future__ import annotations

import time
import traceback
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

import scirepeval_harness
from scirepeval_harness.data.load import DataOptions, load_task
from scirepeval_harness.encoders.base import Model
from scirepeval_harness.encoders.build import EncodeOptions, build_model
from scirepeval_harness.encoding.store import EmbeddingStore
from scirepeval_harness.errors import HarnessError, StorageError, UsageError
from scirepeval_harness.records.environment import git_state, hardware, packages
from scirepeval_harness.records.layout import RUN_FILE, slug, task_file
from scirepeval_harness.records.read import read_task
from scirepeval_harness.records.schema import (
    ModelRecord,
    RunRecord,
    Status,
    TaskRecord,
    TaskRun,
)
from scirepeval_harness.records.signature import run_signature
from scirepeval_harness.records.write import write_run, write_task
from scirepeval_harness.runner.loading import TaskLoader
from scirepeval_harness.runner.options import RunOptions
from scirepeval_harness.runner.progress import progress_bar, say
from scirepeval_harness.runner.task import Phases, describe, model_record, outline, score_task
from scirepeval_harness.specs.model import ModelSpec
from scirepeval_harness.specs.suite import SuiteSpec
from scirepeval_harness.specs.task import TaskSpec

Selection = Sequence[tuple[SuiteSpec, TaskSpec]]


@dataclass
class _State:
    """What one model's run has so far."""

    records: list[TaskRecord] = field(default_factory=list)
    runs: list[TaskRun] = field(default_factory=list)
    encoded: int = 0
    cached: int = 0
    interrupted: bool = False


def run(
    models: Sequence[ModelSpec],
    selection: Selection,
    options: RunOptions,
    arguments: Mapping[str, object],
) -> tuple[Path, ...]:
    """Evaluate the models one after another; one result folder each, below ``options.output``.

    Ctrl-C ends the run after writing what is finished.

    Raises:
        UsageError: two models of one name, or results that are already there.
    """
    folders = _folders(models, options)
    loader = TaskLoader(lambda task, suite: load_task(task, suite, _data_options(options)))
    for spec, folder in zip(models, folders, strict=True):
        if _run_model(spec, folder, selection, loader, options, arguments):
            break
    return tuple(folder for folder in folders if (folder / RUN_FILE).is_file())


def _data_options(options: RunOptions) -> DataOptions:
    return DataOptions(
        directory=options.data,
        offline=options.offline,
        allow_missing=options.allow_missing,
        limit=options.limit,
        seed=options.seed,
    )


def _folders(models: Sequence[ModelSpec], options: RunOptions) -> list[Path]:
    names = [spec.name for spec in models]
    for name in names:
        if names.count(name) > 1:
            raise UsageError(
                f"two models are named {name!r}", fix="Name one of them with --model TITLE=MODEL"
            )
    folders = [options.output / slug(name) for name in names]
    for folder in folders:
        if options.existing == "refuse" and (folder / RUN_FILE).exists():
            raise UsageError(
                "there are results already",
                where=str(folder),
                fix="Pass --resume to go on, --overwrite to start again, or another --output",
            )
    return folders


def _run_model(
    spec: ModelSpec,
    folder: Path,
    selection: Selection,
    loader: TaskLoader,
    options: RunOptions,
    arguments: Mapping[str, object],
) -> bool:
    """Run one model; True when the user interrupted it."""
    start, created = time.perf_counter(), datetime.now(UTC)
    model = build_model(
        spec,
        EncodeOptions(
            device=options.device,
            dtype=options.dtype,
            batch_tokens=options.batch_tokens,
            offline=options.offline,
        ),
    )
    store = EmbeddingStore(options.cache) if options.cache is not None else None
    state = _State()
    able = [(suite, task) for suite, task in selection if spec.can_run(task)]
    for suite, task in able:
        _run_task(spec, model, suite, task, folder, loader, store, options, state)
        _write_run(spec, folder, state, options, arguments, created, time.perf_counter() - start)
        if state.interrupted:
            break
    return state.interrupted


def _run_task(
    spec: ModelSpec,
    model: Model,
    suite: SuiteSpec,
    task: TaskSpec,
    folder: Path,
    loader: TaskLoader,
    store: EmbeddingStore | None,
    options: RunOptions,
    state: _State,
) -> None:
    """Score one task and write it. The one place where any exception is caught: it becomes the
    task's error, and the other tasks go on."""
    phases = Phases()
    status: Status = "ok"
    trace: str | None = None
    draft: TaskRecord | None = None
    try:
        with phases.time("load"):
            loaded = loader.get(task, suite)
        draft = describe(suite, task, loaded, model_record(spec, model, task), options)
        record = _finished(folder, draft, options)
        if record is None:
            scored = score_task(draft, task, loaded, model, store, options, progress_bar, phases)
            record = scored.record
            state.encoded += scored.encoded
            state.cached += scored.cached
            with phases.time("write"):
                write_task(folder, record, scored.outcome.items, scored.draws)
        say(_line(spec, record, sum(phases.seconds.values())))
    except KeyboardInterrupt:
        status, state.interrupted = "interrupted", True
        record = _unfinished(spec, suite, task, draft, options, "interrupted", "interrupted")
        say(f"{spec.name}  {task.name}  interrupted; finished tasks are kept in {folder}")
    except Exception as error:  # noqa: BLE001
        status, trace = "failed", traceback.format_exc()
        what = str(error) if isinstance(error, HarnessError) else f"{type(error).__name__}: {error}"
        record = _unfinished(spec, suite, task, draft, options, "failed", what)
        say(f"{spec.name}  {task.name}  FAILED  {record.error}")
    if status != "ok":
        write_task(folder, record)
    state.records.append(record)
    state.runs.append(
        TaskRun(
            suite=suite.name, task=task.name, status=status, seconds=phases.seconds, traceback=trace
        )
    )


def _finished(folder: Path, draft: TaskRecord, options: RunOptions) -> TaskRecord | None:
    """The task's record from an earlier run of the same signature, when resuming."""
    if options.existing != "resume":
        return None
    with suppress(StorageError):
        record = read_task(task_file(folder, draft.suite, draft.task))
        if record.status == "ok" and record.signature == draft.signature:
            return record
    return None


def _unfinished(
    spec: ModelSpec,
    suite: SuiteSpec,
    task: TaskSpec,
    draft: TaskRecord | None,
    options: RunOptions,
    status: Status,
    error: str,
) -> TaskRecord:
    if draft is None:
        model = ModelRecord(name=spec.name, title=spec.title, kind=spec.kind.value, roles={})
        draft = outline(suite, task, model, options)
    return draft.model_copy(update={"status": status, "error": " ".join(error.split())})


def _write_run(
    spec: ModelSpec,
    folder: Path,
    state: _State,
    options: RunOptions,
    arguments: Mapping[str, object],
    created: datetime,
    seconds: float,
) -> None:
    statuses = {entry.status for entry in state.runs}
    status: Status = (
        "interrupted" if state.interrupted else "failed" if "failed" in statuses else "ok"
    )
    roles = {name: value for record in state.records for name, value in record.model.roles.items()}
    commit, dirty = git_state(Path(scirepeval_harness.__file__).parent)
    record = RunRecord(
        harness_version=scirepeval_harness.__version__,
        model=ModelRecord(name=spec.name, title=spec.title, kind=spec.kind.value, roles=roles),
        suites=tuple(dict.fromkeys(entry.suite for entry in state.runs)),
        status=status,
        created_at=created.isoformat(timespec="seconds"),
        arguments=dict(arguments),
        tasks=tuple(state.runs),
        documents_encoded=state.encoded,
        documents_cached=state.cached,
        seconds={"total": round(seconds, 3)},
        packages=packages(),
        hardware=hardware(),
        git_commit=commit,
        git_dirty=dirty,
        signature=run_signature(state.records, scirepeval_harness.__version__),
    )
    write_run(folder, record)


def _line(spec: ModelSpec, record: TaskRecord, seconds: float) -> str:
    shown = [score for score in record.scores if score.field is None]
    scores = "  ".join(f"{score.key} {score.value:.2f}" for score in shown)
    partial = "" if record.coverage is None or record.coverage.complete else "  PARTIAL"
    return f"{spec.name}  {record.task}  {scores}  ({seconds:.1f} s){partial}"
