"""A run: every chosen task with every chosen model. A failing task does not stop the others."""

from __future__ import annotations

import math
import time
import traceback
from collections import Counter, deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import nullcontext, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

import scirepeval_harness
from scirepeval_harness.errors import HarnessError, IncompleteRunError, StorageError, UsageError
from scirepeval_harness.evaluations.base import requests_of
from scirepeval_harness.files import sweep
from scirepeval_harness.model.base import (
    Encoder,
    Metered,
    Model,
    PartialEncoder,
    kept_encoders,
    leaves_processors,
    members_of,
)
from scirepeval_harness.model.spec import ModelSpec
from scirepeval_harness.options import Choices, RunOptions
from scirepeval_harness.progress import DETAIL, FAILED, SILENT, Progress
from scirepeval_harness.results import folder as files
from scirepeval_harness.results.environment import Environment, describe_environment
from scirepeval_harness.results.record import (
    Definitions,
    ModelRecord,
    RunRecord,
    Status,
    TaskRecord,
    TaskRun,
    run_signature,
)
from scirepeval_harness.roles import Role
from scirepeval_harness.run import task as scoring
from scirepeval_harness.run.cost import keep_time
from scirepeval_harness.run.engine import Engine, build_models, open_engine
from scirepeval_harness.run.loading import Selection, TaskLoader, task_loader
from scirepeval_harness.run.overlap import Beside
from scirepeval_harness.run.plan import cost_of, plan_run
from scirepeval_harness.task.dataset import EncodeRequest, LoadedTask
from scirepeval_harness.task.spec import SuiteSpec, TaskSpec
from scirepeval_harness.vectors.encode import encode_ahead
from scirepeval_harness.vectors.store import EmbeddingStore, open_store


class RunInterrupted(KeyboardInterrupt):
    """Ctrl-C ended a run, after what was finished had been written to ``folders``.

    A KeyboardInterrupt, so that whoever runs models in a notebook or a loop of their own is
    interrupted as well, and no ``except Exception`` goes on with half a run.
    """

    def __init__(self, folders: tuple[Path, ...]) -> None:
        super().__init__("interrupted")
        self.folders = folders


def run(
    models: Sequence[ModelSpec],
    selection: Selection,
    options: RunOptions,
    arguments: Mapping[str, object] | None = None,
    progress: Progress = SILENT,
    arrived: Callable[[Selection], Selection] = lambda selection: selection,
    tasks: Mapping[str, TaskSpec] | None = None,
    loader: TaskLoader | None = None,
    announce: Callable[[], None] = lambda: None,
) -> tuple[Path, ...]:
    """Evaluate the models one after another; one result folder each, below ``options.output``.

    A model's texts are encoded first, those of all tasks, and then the tasks are scored. What there
    is to encode is said before the first task.

    Args:
        arguments: what the run's record says it was asked; by default the options and all names.
        progress: where lines and bars go.
        arrived: fetches data once the models are known to be sound; gives the tasks to run.
        tasks: all tasks of the suites by name, whose definitions results keep; by default those
            that are run.
        loader: holds data that earlier runs of the same tasks have read; None for one of this run.
        announce: says what will be downloaded; called before a model is built, which fetches.

    Raises:
        UsageError: two models of one name, results that are already there, those of another model
            among them, or no model that can run any of the tasks.
        HarnessError: an engine that is not there (see :func:`~.engine.open_engine`), or a model
            that cannot be built (see :func:`~.model.base.build_model`).
        IncompleteRunError: results cannot be written.
        RunInterrupted: Ctrl-C; what is finished is written.
    """
    folders = result_folders(models, options)
    if selection and not any(spec.can_run(task) for spec in models for _, task in selection):
        raise UsageError(
            "the chosen tasks need vectors, which the model does not have",
            where=f"model {', '.join(spec.name for spec in models)}",
            fix="Choose ranking tasks with --task or --format, or another model",
        )
    if arguments is None:
        suites = dict.fromkeys(suite.name for suite, _ in selection)
        names, listed = (spec.name for spec in models), (task.name for _, task in selection)
        arguments = options.arguments(
            Choices(models=tuple(names), suites=tuple(suites), tasks=tuple(listed))
        )
    known = tasks if tasks is not None else {task.name: task for _, task in selection}
    definitions = Definitions.of([suite for suite, _ in selection], known)
    # Before the work: a checkout edited while the run goes on is not what is running.
    environment = describe_environment(Path(scirepeval_harness.__file__).parent)
    with (
        task_loader(options) if loader is None else nullcontext(loader) as loader,
        open_engine(options) as engine,
        open_store(options.cache) as store,
    ):
        try:
            announce()
            # All are built before any task: a mistake in the last model costs no hours.
            built = deque(build_models(models, options, engine))
            selection = arrived(selection)
            earlier = [
                earlier_tasks(folder, model, options)
                for folder, (_, model) in zip(folders, built, strict=True)
            ]
            plans = plan_run(built, selection, loader, store)
            costs = cost_of([spec for spec, _ in built], plans, selection, options)
        except KeyboardInterrupt:
            progress.say("interrupted before the first task")
            raise RunInterrupted(()) from None
        if options.engine != "local":
            progress.say(str(engine))
        for _, model in built:
            with suppress(HarnessError):  # files that cannot be read: its tasks say so
                if reading := getattr(model, "reading", ""):
                    progress.say(f"{model.name}  {reading}")
        for plan in plans:
            progress.tell("plan", plan.summary, **plan.facts())
        progress.tell("cost", costs.line, **costs.facts())
        interrupted = False
        sweep(options.output)
        for folder, found in zip(folders, earlier, strict=True):
            # Taken out of the list, so that a model's weights go before the next one's come.
            spec, model = built.popleft()
            one = _ModelRun(
                spec, model, [pair for pair in selection if spec.can_run(pair[1])], folder, options,
                arguments, definitions, environment, engine, store, loader, progress, found,
            )  # fmt: skip
            # An interrupt ends the whole run, not this model's part of it.
            interrupted = one.run()
            if interrupted:
                break
        for damage in store.damaged:
            progress.say(
                f"a damaged file of vectors was set aside ({damage.reason}), {damage.saved:,} rows "
                f"of it are saved, and what else was needed was encoded again: {damage.shard}"
            )
    written = tuple(folder for folder in folders if (folder / files.RUN_FILE).is_file())
    if interrupted:
        raise RunInterrupted(written)
    return written


@dataclass
class _ModelRun:
    """One model's run: what it works with, and what it has so far."""

    spec: ModelSpec
    model: Model
    selection: Selection
    folder: Path
    options: RunOptions
    arguments: Mapping[str, object]
    definitions: Definitions
    environment: Environment
    engine: Engine
    store: EmbeddingStore
    loader: TaskLoader
    progress: Progress
    earlier: Earlier
    created: datetime = field(default_factory=lambda: datetime.now(UTC))
    clock: float = field(default_factory=time.perf_counter)
    entries: dict[str, tuple[TaskRun, TaskRecord]] = field(default_factory=dict)
    """By task: those of the earlier run that this one resumes, each replaced when this run comes to
    it, and then the others of this run."""
    come_to: int = 0
    encoded: int = 0
    cached: int = 0
    ahead: int = 0
    ahead_seconds: float = 0.0
    interrupted: bool = False
    scored: tuple[scoring.Scored, dict[str, float]] | None = None
    """The task at work once it has its scores, and its seconds by phase, until it is noted."""
    warned: set[str] = field(default_factory=set)

    def run(self) -> bool:
        """Run all tasks; True when the user interrupted it."""
        sweep(self.folder)
        self.entries = dict(self.earlier.kept)
        for line in self.earlier.words:
            self.progress.say(f"{self.spec.name}  {line}")
        try:
            self._encode_ahead()
            while self.come_to < len(self.selection):
                self._score_next(self.store)
        except KeyboardInterrupt:
            self._interrupt()
        except StorageError as error:
            # Written task by task: what is finished is whole, and --resume goes on from there.
            raise IncompleteRunError(error.what, where=error.where, fix=error.fix) from error
        if self._usage():
            words = ", ".join(f"{value:,} {key}" for key, value in self._usage().items())
            self.progress.say(f"{self.spec.name}  used in this run: {words}")
        return self.interrupted

    def _score_next(self, store: EmbeddingStore) -> None:
        self._run_task(*self.selection[self.come_to], store)
        # Before the run file: a task with a score file is never called interrupted.
        self.come_to += 1
        self.scored = None
        self._write()

    def _usage(self) -> dict[str, float]:
        used: dict[str, float] = {}
        for one in members_of(self.model):
            counted = one.usage() if isinstance(one, Metered) else {}
            used |= {key: used.get(key, 0) + value for key, value in counted.items()}
        return used

    def _encode_ahead(self) -> None:
        """Fill the store for all tasks that are not finished; those whose vectors are all there are
        scored meanwhile, where encoding leaves the processors free."""
        try:
            # Tasks that share their prompts share the model, and are encoded in one go.
            ways: dict[int, tuple[Encoder, list[int]]] = {}
            for number, (_, task) in enumerate(self.selection):
                for encoder in kept_encoders(self.model, task):
                    ways.setdefault(id(encoder), (encoder, []))[1].append(number)
        except Exception as error:  # noqa: BLE001
            self._stopped(error)
            return
        # The fast probe computes where the encoder does, and would take its memory.
        free = all(leaves_processors(encoder) for encoder, _ in ways.values())
        if ways and free and self.options.probe != "fast":
            beside = self.store.beside()
            with Beside(lambda: self._score_next(beside)) as side:
                self._encode(list(ways.values()), side.ready)
        else:
            self._encode(list(ways.values()), lambda number: None)
        if self.come_to:
            self._write()  # with all that was encoded, and the time that it took

    def _encode(
        self, ways: Sequence[tuple[Encoder, Sequence[int]]], ready: Callable[[int], None]
    ) -> None:
        """Encode, calling ``ready`` with the number of each task whose vectors are all there."""
        start = time.perf_counter()
        lacking = Counter(number for _, numbers in ways for number in numbers)

        def reached(marks: deque[tuple[int, int]], requests: float) -> None:
            while marks and marks[0][0] <= requests:
                _, number = marks.popleft()
                lacking[number] -= 1
                if not lacking[number]:
                    ready(number)

        for number in range(len(self.selection)):
            if not lacking[number]:
                ready(number)
        try:
            for encoder, numbers in ways:
                marks: deque[tuple[int, int]] = deque()
                requests = self._requests(numbers, marks)
                settled = partial(reached, marks)
                encode_ahead(encoder, requests, self.store, self._count, self.progress, settled)
                settled(math.inf)
        except Exception as error:  # noqa: BLE001
            self._stopped(error)
        if self.ahead:
            self.ahead_seconds = time.perf_counter() - start

    def _stopped(self, error: Exception) -> None:
        # Whatever it is, the task that needs the text meets it again, and it is that task's.
        self.progress.say(f"{self.spec.name}  encoding ahead of the tasks stopped: {error}")

    def _count(self, texts: int) -> None:
        self.ahead += texts

    def _requests(
        self, numbers: Sequence[int], marks: deque[tuple[int, int]]
    ) -> Iterator[EncodeRequest]:
        """The requests of some tasks; ``marks`` gets each task's number behind that of its last
        request."""
        count = 0
        for number in numbers:
            suite, task = self.selection[number]
            requests: Sequence[EncodeRequest] = ()
            # What fails here the task itself will say, and the others' texts are encoded.
            with suppress(Exception):
                loaded = self.loader.get(task, suite)
                if self._finished(suite, task, loaded) is None:
                    requests = requests_of(task, loaded.data)
            yield from requests
            count += len(requests)
            marks.append((count, number))

    def _load(self, task: TaskSpec, suite: SuiteSpec) -> LoadedTask:
        """The task's data; with ``--allow-missing``, of the documents that the model can encode."""
        loaded = self.loader.get(task, suite)
        if not self.options.allow_missing or not isinstance(self.model, PartialEncoder):
            return loaded
        requests = requests_of(task, loaded.data)
        lacking = [self.model.lacks(request.documents, request.role) for request in requests]
        absent = frozenset(key for keys in lacking for key in keys)
        return self.loader.without(task, suite, absent) if absent else loaded

    def _describe(self, suite: SuiteSpec, task: TaskSpec, loaded: LoadedTask) -> TaskRecord:
        model = scoring.model_record(self.spec, self.model, task)
        draft = scoring.describe(suite, task, loaded, model, self.options)
        said = (*draft.warnings, *model_warnings(self.spec, self.model, suite, task))
        return draft.model_copy(update={"warnings": said})

    def _finished(self, suite: SuiteSpec, task: TaskSpec, loaded: LoadedTask) -> TaskRecord | None:
        """The task's record from the earlier run, when resuming, if the same model, data, settings
        and harness made it."""
        if self.options.existing != "resume":
            return None
        if task.name in self.earlier.kept:
            record = self.earlier.kept[task.name][1]
        elif task.name in self.earlier.listed:
            return None  # of other settings, or not to be trusted
        else:
            # A run was killed between a score file and its run file.
            try:
                record = files.read_task(files.task_file(self.folder, suite.name, task.name))
            except StorageError:
                return None
            if record.status != "ok" or changed_detail(record.model, self.model) is not None:
                return None
        # With the model as it stands there: its folder may have moved since.
        now = scoring.describe(suite, task, loaded, record.model, self.options)
        return record if now.signature == record.signature else None

    def _run_task(self, suite: SuiteSpec, task: TaskSpec, store: EmbeddingStore) -> None:
        """Score one task and write it. Any exception becomes the task's error, and the other tasks
        go on."""
        phases, draft = scoring.Phases(), None
        trace: str | None = None
        resumed = False
        try:
            with phases.time("load"):
                loaded = self._load(task, suite)
            record = self._finished(suite, task, loaded)
            resumed = record is not None
            if record is None:
                draft = self._describe(suite, task, loaded)
                scored = scoring.score_task(
                    draft, task, loaded, self.model, store, self.options, self.progress,
                    phases, self.engine.fit_samples,
                )  # fmt: skip
                record = scored.record
                self.encoded += scored.encoded
                self.cached += scored.cached
                self.scored = scored, phases.seconds
                with phases.time("write"):
                    self._write_scores(scored)
                encoding = phases.seconds.get("encode", 0.0)
                keep_time(task, self.options, sum(phases.seconds.values()) - encoding)
            seconds = sum(phases.seconds.values())
            self.progress.tell(
                "result",
                _result_line(self.spec.name, record, seconds, self.warned),
                model=self.spec.name,
                task=task.name,
                scores={score.key: score.value for score in record.scores},
                warnings=list(record.warnings),
                seconds=round(seconds, 3),
            )
            parts = ", ".join(f"{phase} {value:.1f} s" for phase, value in phases.seconds.items())
            self.progress.tell(DETAIL, f"{self.spec.name}  {task.name}  {parts}")
        except Exception as error:  # noqa: BLE001
            trace = traceback.format_exc()
            known = isinstance(error, HarnessError)
            what = str(error) if known else f"{type(error).__name__}: {error}"
            if task.name in self.earlier.kept:
                # Of other data, say: what is finished does not become a failure by asking again.
                self._tell_failed(task, f"KEPT as it was; now: {what}", what)
                return
            # The traceback goes to the run file alone: it holds paths of this machine.
            record = self._unfinished(suite, task, draft, "failed", what)
            self._tell_failed(task, f"FAILED  {record.error}", what)
            files.write_task(self.folder, record)
        if resumed and task.name in self.entries:
            return  # its entry has the seconds that the scores really took
        self._note(record, phases.seconds, trace)

    def _tell_failed(self, task: TaskSpec, words: str, error: str) -> None:
        name = self.spec.name
        line = f"{name}  {task.name}  {words}"
        self.progress.tell(FAILED, line, model=name, task=task.name, error=error)

    def _interrupt(self) -> None:
        """Write down that the user ended the run, and in which task."""
        self.interrupted = True
        if self.scored is not None:
            # It came while they were written: they are whole, and may be in their file.
            scored, seconds = self.scored
            self._write_scores(scored)
            self._note(scored.record, seconds, None)
            names = [task.name for _, task in self.selection]
            self.come_to = names.index(scored.record.task) + 1
        for suite, task in self.selection[self.come_to : self.come_to + 1]:
            # When resuming, what the earlier run finished stays.
            if task.name not in self.entries:
                record = self._unfinished(suite, task, None, "interrupted", "interrupted")
                files.write_task(self.folder, record)
                self._note(record, {}, None)
        name = self.spec.name
        self.progress.say(f"{name}  interrupted; finished tasks are kept in {self.folder}")
        self._write()

    def _write_scores(self, scored: scoring.Scored) -> None:
        files.write_task(self.folder, scored.record, scored.outcome.items, scored.draws)

    def _unfinished(
        self, suite: SuiteSpec, task: TaskSpec, draft: TaskRecord | None, status: Status, error: str
    ) -> TaskRecord:
        draft = draft or scoring.outline(
            suite, task, scoring.record_of(self.spec, {}), self.options
        )
        return draft.model_copy(update={"status": status, "error": " ".join(error.split())})

    def _note(self, record: TaskRecord, seconds: dict[str, float], trace: str | None) -> None:
        entry = TaskRun(
            suite=record.suite, task=record.task, status=record.status,
            seconds=seconds, traceback=trace,
            files=files.digests(self.folder, record.suite, record.task),
        )  # fmt: skip
        self.entries[record.task] = entry, record

    def _write(self) -> None:
        entries, records = zip(*self.entries.values(), strict=True) if self.entries else ((), ())
        failed = any(entry.status == "failed" for entry in entries)
        roles = {name: value for record in records for name, value in record.model.roles.items()}
        # Of the time before the first task, only what encoding took can be told apart.
        ahead = {"encode": round(self.ahead_seconds, 3)} if self.ahead else {}
        suites = tuple(dict.fromkeys(entry.suite for entry in entries))
        record = RunRecord(
            harness_version=scirepeval_harness.__version__,
            model=scoring.record_of(self.spec, roles),
            suites=suites,
            status="interrupted" if self.interrupted else "failed" if failed else "ok",
            created_at=self.created.isoformat(timespec="seconds"),
            arguments=dict(self.arguments),
            tasks=entries,
            # Tasks find in the store what was encoded ahead of them; it was not there before.
            documents_encoded=self.encoded + self.ahead,
            documents_cached=max(0, self.cached - self.ahead),
            seconds={"total": round(time.perf_counter() - self.clock, 3), **ahead},
            usage=self._usage(),
            packages=dict(self.environment.packages),
            hardware=dict(self.environment.hardware),
            git_commit=self.environment.git_commit,
            git_dirty=self.environment.git_dirty,
            signature=run_signature(records, scirepeval_harness.__version__),
            definitions=self.definitions.after(self.earlier.definitions, suites),
        )
        files.write_run(self.folder, record)


def model_warnings(
    spec: ModelSpec, model: Model, suite: SuiteSpec, task: TaskSpec
) -> tuple[str, ...]:
    """What a reader of a task's score should know of the model: that it was trained on the data,
    or that its folder has prompts that nobody uses."""
    found = []
    names = (task.name, f"{suite.name}/{suite.group_of(task.name)}", suite.name)
    if trained := [name for name in names if name in spec.trained_on]:
        # Without the task's name: what several tasks say alike is told once.
        found.append(
            f"the model was trained on the training data of {trained[0]}: one that was not is at "
            "a disadvantage here"
        )
    if unused := getattr(model, "unused_prompts", ()):
        found.append(
            f"the model's folder names prompts that are not used: {', '.join(unused)}; "
            "to use one, give its words with --prompt"
        )
    return tuple(found)


def _result_line(model: str, record: TaskRecord, seconds: float, warned: set[str]) -> str:
    """What is said of a finished task: its scores, the time, whether something was missing, and
    what else to beware of that no task before it said, which joins ``warned``."""
    shown = [score for score in record.scores if score.field is None]
    scores = "  ".join(f"{score.key} {score.value:.2f}" for score in shown)
    partial = "" if record.coverage is None or record.coverage.complete else "  PARTIAL"
    # The first warning of a partial score says how much was missing.
    new = [text for text in record.warnings[bool(partial) :] if text not in warned]
    warned.update(new)
    rest = "".join(f"  WARNING: {text}" for text in new)
    return f"{model}  {record.task}  {scores}  ({seconds:.1f} s){partial}{rest}"


def result_folders(models: Sequence[ModelSpec], options: RunOptions) -> list[Path]:
    """A folder a model.

    Raises:
        UsageError: two models of one name, an output that is no folder, or results that are there.
    """
    names = [spec.name for spec in models]
    for name in names:
        if names.count(name) > 1:
            raise UsageError(
                f"two models are named {name!r}", fix="Name one of them with --model TITLE=MODEL"
            )
    if options.output.exists() and not options.output.is_dir():
        raise UsageError("not a folder", where=str(options.output), fix="Check --output")
    folders = [options.output / files.slug(name) for name in names]
    for folder in folders:
        if options.existing == "refuse" and (folder / files.RUN_FILE).exists():
            raise UsageError(
                "there are results already",
                where=str(folder),
                fix="Pass --resume to go on, --overwrite to start again, or another --output",
            )
    return folders


@dataclass(frozen=True)
class Earlier:
    """What an earlier run left in a folder: the tasks that are ``kept`` with their entries, all
    that its run file ``listed``, what is to be said of those that are not kept, and what it holds
    of their definitions."""

    kept: Mapping[str, tuple[TaskRun, TaskRecord]] = field(default_factory=dict)
    listed: frozenset[str] = frozenset()
    words: tuple[str, ...] = ()
    definitions: Definitions | None = None


def earlier_tasks(folder: Path, model: Model, options: RunOptions) -> Earlier:
    """The tasks that an earlier run of the same model, settings and harness finished.

    Raises:
        UsageError: they are another model's: one folder holds the run of one model.
        StorageError: the run file cannot be read.
        HarnessError: what tells the model's identity.
    """
    if options.existing != "resume" or not (folder / files.RUN_FILE).exists():
        return Earlier()
    run = files.read_run(folder)
    kept: dict[str, tuple[TaskRun, TaskRecord]] = {}
    words: list[str] = []
    for entry in run.tasks:
        try:
            record = files.read_entry(folder, run, entry)
        except StorageError as error:
            words.append(f"{entry.task}  not kept: {error}")
            continue
        if record.status != "ok":
            continue
        changed = changed_detail(record.model, model)
        if changed is not None and record.model.identified:
            raise UsageError(
                f"the results here are of another model of this name: {changed}",
                where=str(folder),
                fix="Name this one with --model TITLE=MODEL, give another --output, or --overwrite",
            )
        harness = f"harness:{scirepeval_harness.__version__}"
        if changed is not None:
            words.append(f"{entry.task}  not kept: {changed}")
        elif record.settings != options.scoring():
            words.append(f"{entry.task}  not kept: scored with other settings")
        elif not record.signature.endswith(f"|{harness}"):
            words.append(f"{entry.task}  not kept: scored by another version of the harness")
        else:
            kept[entry.task] = entry.model_copy(update={"status": "ok"}), record
    listed = frozenset(entry.task for entry in run.tasks)
    return Earlier(kept, listed, tuple(words), run.definitions)


def changed_detail(record: ModelRecord, model: Model) -> str | None:
    """What of a record's model is not the model's now, in words; None where it is the same.

    Raises:
        HarnessError: what tells the model's identity.
    """
    if not record.identified:
        return "the model gives no identity"
    for name in sorted(set(Role) & record.roles.keys()):
        identity = model.identity(Role(name))
        before, now = record.roles[name], identity.details
        for key in sorted((before.keys() | now.keys()) - identity.places):
            if before.get(key) != now.get(key):
                was, has = (side.get(key, "none")[:16] for side in (before, now))
                return f"{key} was {was}, now {has}"
    return None
