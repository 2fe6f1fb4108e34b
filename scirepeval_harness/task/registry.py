"""All tasks and suites that a run can choose from: the bundled ones and a user's own folders."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, TypeVar

from scirepeval_harness.errors import SpecError, UsageError
from scirepeval_harness.extensions import BUILT_IN, EVALUATIONS, METRICS, folders
from scirepeval_harness.files import bundled
from scirepeval_harness.roles import Format
from scirepeval_harness.schema import did_you_mean, read_spec, unknown, validate
from scirepeval_harness.task.draw import drawn_suite
from scirepeval_harness.task.official import Refused, read_official, slug_of
from scirepeval_harness.task.spec import HubTable, SuiteSpec, TaskSpec

SUITE_FILE = "suite.toml"
OFFICIAL_FILES = "*tasks.jsonl"
Spec = TypeVar("Spec", TaskSpec, SuiteSpec)


@dataclass(frozen=True)
class Registry:
    """Tasks and suites by name. ``origins`` and ``homes`` give a task's file and first suite;
    ``suite_files`` a suite's file, or its folder where it has none; ``refused`` the tasks of lists
    that cannot be evaluated, with the reason, and ``unusable`` suites of result folders."""

    tasks: dict[str, TaskSpec] = field(default_factory=dict)
    suites: dict[str, SuiteSpec] = field(default_factory=dict)
    origins: dict[str, str] = field(default_factory=dict)
    homes: dict[str, str] = field(default_factory=dict)
    suite_files: dict[str, str] = field(default_factory=dict)
    refused: dict[str, SpecError] = field(default_factory=dict)
    unusable: dict[str, SpecError] = field(default_factory=dict)

    def task(self, name: str) -> TaskSpec:
        """The task of a name; raises UnknownNameError with the nearest names, or SpecError for one
        that was refused."""
        if name in self.refused:
            raise self.refused[name]
        if name not in self.tasks:
            raise unknown("task", name, self.tasks)
        return self.tasks[name]

    def suite(self, name: str) -> SuiteSpec:
        """The suite of a name; raises UnknownNameError with the nearest names, or SpecError for a
        definition that cannot be used here."""
        if name in self.unusable:
            raise self.unusable[name]
        if name not in self.suites:
            raise unknown("suite", name, self.suites)
        return self.suites[name]

    def home(self, task: str) -> SuiteSpec:
        """The suite in whose folder a task is defined."""
        return self.suite(self.homes[self.task(task).name])

    def select(
        self, suites: Sequence[str], tasks: Sequence[str], formats: Sequence[Format]
    ) -> tuple[tuple[SuiteSpec, TaskSpec], ...]:
        """The tasks to run with their suites, in the suites' own order.

        Without ``suites`` these are the homes of ``tasks``, or all suites where no task is named.
        An empty list of tasks or formats means all of them.

        Raises:
            UnknownNameError: a name that is not registered.
            UsageError: a named task that is in none of the chosen suites, or nothing left to run.
        """
        wanted = {self.task(name).name for name in tasks}
        if suites:
            chosen = [self.suite(name) for name in dict.fromkeys(suites)]
        else:
            homes = {self.homes[name] for name in wanted} or set(self.suites)
            chosen = [suite for name, suite in self.suites.items() if name in homes]
        listed = {name for suite in chosen for name in suite.task_names()}
        for name in sorted(wanted - listed):
            raise UsageError(
                f"no task {name!r} in {_words('suite', [suite.name for suite in chosen])}",
                fix=f"It is in suite {self.homes[name]}; {did_you_mean(name, listed)}",
            )
        selection = tuple(
            (suite, self.tasks[name])
            for suite in chosen
            for name in suite.task_names()
            if (not wanted or name in wanted)
            and (not formats or self.tasks[name].format in formats)
        )
        if not selection:
            for name, error in self.refused.items():
                if self.homes[name] in {suite.name for suite in chosen}:
                    raise error
            raise UsageError(
                f"no task of {_words('format', formats)} in "
                f"{_words('suite', [suite.name for suite in chosen])}",
                fix="Choose other formats, tasks or suites; `tasks list` shows what there is",
            )
        return selection


def load_registry(extra: Sequence[Path] = ()) -> Registry:
    """Read the bundled suites, those of installed packages, and those of the user's folders.

    A folder of suites has a subfolder a suite, each with ``suite.toml`` and a file a task. A
    user's folder may also hold task files itself, or a task list in SciRepEval's own form
    (``scirepeval_tasks.jsonl``, ``tasks.jsonl``); without a ``suite.toml`` they form a suite that
    is named after the folder and has no columns. Tasks that a suite's columns do not list are run
    and shown, but are part of no average.

    Raises:
        SpecError: a malformed file, a name used twice, a column with an unknown task, a dataset
            repository without a revision, or a user's folder without tasks.
    """
    found = Registry()
    brought = dict(folders("tasks"))
    places = [bundled("tasks"), *brought, *(path.expanduser() for path in extra)]
    for folder in dict.fromkeys(places):
        _read_folder(folder, brought.get(folder), found)
    for suite in [suite for suite in found.suites.values() if suite.of is not None]:
        _draw_suite(suite, found)
    for suite in found.suites.values():
        _check_suite(suite, found)
    return found


@dataclass(frozen=True)
class Defined:
    """Suites and tasks by name as a result folder holds them: plain values of a file."""

    where: str
    suites: Mapping[str, Mapping[str, Any]]
    tasks: Mapping[str, Mapping[str, Any]]


def with_defined(registry: Registry, folders: Sequence[Defined]) -> Registry:
    """The registry with what result folders define and it lacks.

    Of several definitions of a name that of the highest version is taken, of equal versions the
    first. One that cannot be used here, because a kind of evaluation is not installed, say, is an
    error only where its suite is asked for.
    """
    found = replace(
        registry,
        **{
            name: dict(getattr(registry, name))
            for name in ("tasks", "suites", "homes", "suite_files", "refused", "unusable")
        },
    )
    for defined in folders:
        for name, raw in defined.tasks.items():
            _take(TaskSpec, name, raw, defined.where, found.tasks, registry.tasks, found.refused)
        for name, raw in defined.suites.items():
            if _take(
                SuiteSpec, name, raw, defined.where, found.suites, registry.suites, found.unusable
            ):
                found.suite_files[name] = defined.where
    for name in [name for name in found.suites if name not in registry.suites]:
        try:
            _check_suite(found.suites[name], found)
        except SpecError as error:
            found.unusable[name] = error
            del found.suites[name]
            continue
        for task in found.suites[name].task_names():
            found.homes.setdefault(task, name)
    return found


def _take(
    schema: type[Spec],
    name: str,
    raw: Mapping[str, Any],
    where: str,
    into: dict[str, Spec],
    installed: Mapping[str, Spec],
    errors: dict[str, SpecError],
) -> bool:
    """Put a definition where it is the newest of its name; whether it was."""
    if name in installed:
        return False
    try:
        spec = validate(schema, {**raw, "name": name}, f"{where}, {name}")
    except SpecError as error:
        if name not in into:
            errors.setdefault(name, error)
        return False
    if name in into and into[name].version >= spec.version:
        return False
    into[name] = spec
    errors.pop(name, None)
    return True


def defined_otherwise(registry: Registry, defined: Defined) -> list[str]:
    """What of a folder's definitions is not what stands in the registry under the same version, a
    line each: ``task NAME``, ``the columns of suite NAME``. Another version is no such difference:
    it is seen by its number."""
    found = []
    for name, raw in defined.tasks.items():
        try:
            spec = validate(TaskSpec, raw, defined.where)
        except SpecError:
            continue
        now = registry.tasks.get(name, spec)
        if now.version == spec.version and now.definition_hash() != spec.definition_hash():
            found.append(f"task {name}")
    for name, raw in defined.suites.items():
        suite = registry.suites.get(name)
        if suite is None or raw.get("version") != suite.version:
            continue
        columns = [column.model_dump(mode="json") for column in suite.columns]
        if raw.get("columns") != columns:
            found.append(f"the columns of suite {name}")
    return found


def origins_of(suite: SuiteSpec, task: TaskSpec) -> dict[str, str]:
    """Where a task and what it names come from, without what is built in or a user's own file.

    Keys are ``task``, ``evaluation`` and ``metric NAME``; values as in ``Named.origin``.
    """
    found = {"task": suite.origin or BUILT_IN, "evaluation": EVALUATIONS.origin(task.evaluation)}
    for name in task.metrics:
        if name in METRICS:
            found[f"metric {name}"] = METRICS.origin(name)
    return {part: origin for part, origin in found.items() if origin != BUILT_IN}


def _read_folder(folder: Path, origin: str | None, found: Registry) -> None:
    if not folder.is_dir():
        raise SpecError(
            "no such folder of tasks", where=str(folder), fix="Give a folder with task files"
        )
    inner = sorted(path.parent for path in folder.glob(f"*/{SUITE_FILE}"))
    own = _task_files(folder)
    if own or (folder / SUITE_FILE).is_file():
        _read_suite(folder, own, origin, found)
    elif not inner:
        raise SpecError(
            "no task files (*.toml) and no suites",
            where=str(folder),
            fix=f"Put a task file, a list ({OFFICIAL_FILES}) or a folder with {SUITE_FILE} there",
        )
    for path in inner:
        _read_suite(path, _task_files(path), origin, found)


def _task_files(folder: Path) -> list[Path]:
    files = [path for path in folder.glob("*.toml") if path.name != SUITE_FILE]
    return sorted([*files, *folder.glob(OFFICIAL_FILES)])


def _read_suite(folder: Path, files: Iterable[Path], package: str | None, found: Registry) -> None:
    path = folder / SUITE_FILE
    explicit = path.is_file()
    suite = read_spec(SuiteSpec, path) if explicit else _implicit_suite(folder, found)
    where = str(path if explicit else folder)
    if suite.name in found.suites:
        raise SpecError(
            f"name: suite {suite.name!r} is already defined in {found.suite_files[suite.name]}",
            where=where,
            fix=f"Give it another name in its {SUITE_FILE}",
        )
    names: list[str] = []
    for file in files:
        for task, origin in _read_tasks(file):
            _require_new(task.name, found, origin)
            found.origins[task.name], found.homes[task.name] = origin, suite.name
            if isinstance(task, Refused):
                found.refused[task.name] = task.error
                continue
            found.tasks[task.name] = task
            names.append(task.name)
    adopted = [name for name in names if name not in suite.task_names()]
    if adopted:
        suite = suite.model_copy(update={"unlisted": (*suite.unlisted, *adopted)})
    found.suites[suite.name] = suite.at(folder, package)
    found.suite_files[suite.name] = where


def _draw_suite(suite: SuiteSpec, found: Registry) -> None:
    where = found.suite_files[suite.name]
    drawn, tasks = drawn_suite(suite, found.suites, found.tasks, where)
    for task in tasks:
        _require_new(task.name, found, where)
        found.tasks[task.name] = task
        found.origins[task.name], found.homes[task.name] = where, suite.name
    found.suites[suite.name] = drawn


def _require_new(task: str, found: Registry, where: str) -> None:
    if task in found.origins:
        raise SpecError(
            f"name: task {task!r} is already defined in {found.origins[task]}",
            where=where,
            fix="Rename one of the two",
        )


def _implicit_suite(folder: Path, found: Registry) -> SuiteSpec:
    """A suite for a folder without a suite file; it inherits the pins of the suites read before."""
    name = folder.resolve().name
    pins = {repo: rev for suite in found.suites.values() for repo, rev in suite.revisions.items()}
    return SuiteSpec(name=slug_of(name) or "own-tasks", title=name, task_set="own", revisions=pins)


def _read_tasks(file: Path) -> Iterable[tuple[TaskSpec | Refused, str]]:
    if file.suffix == ".jsonl":
        return read_official(file)
    return [(read_spec(TaskSpec, file), str(file))]


def _check_suite(suite: SuiteSpec, found: Registry) -> None:
    where = found.suite_files[suite.name]
    listed = [
        (f"columns.{number}.tasks", name)
        for number, column in enumerate(suite.columns)
        for name in column.tasks
    ]
    for place, name in [*listed, *(("unlisted", name) for name in suite.unlisted)]:
        if name in found.refused:
            raise found.refused[name]
        if name not in found.tasks:
            raise SpecError(
                f"{place}: unknown task {name!r}", where=where, fix=did_you_mean(name, found.tasks)
            )
    for number, column in enumerate(suite.columns):
        _check_metric(column.metric, column.tasks, f"{where}: columns.{number}.metric", found)
    for name in suite.task_names():
        hub = found.tasks[name].hub
        tables = (hub.documents, hub.labels, hub.reviewers) if hub else ()
        for table in tables:
            if isinstance(table, HubTable) and suite.revision_of(table) is None:
                raise SpecError(
                    f"revisions: {table.repo!r} of task {name!r} is not pinned",
                    where=where,
                    fix=f"Add [revisions] with {table.repo!r} to its {SUITE_FILE}, so that a "
                    "change of the data cannot pass for one of a model",
                )


def _check_metric(metric: str | None, tasks: Iterable[str], where: str, found: Registry) -> None:
    for name in tasks if metric else ():
        metrics = found.tasks[name].metrics
        # Reviewer matching reports each of its metrics twice, as hard_P_5 and soft_P_5.
        if (metric or "").removeprefix("hard_").removeprefix("soft_") not in metrics:
            raise SpecError(
                f"task {name!r} has no metric {metric!r}",
                where=where,
                fix=f"It has {', '.join(metrics)}",
            )


def _words(kind: str, names: Sequence[str]) -> str:
    if not names:
        return f"any {kind}"
    return f"{kind}{'s' if len(names) > 1 else ''} {', '.join(names)}"
