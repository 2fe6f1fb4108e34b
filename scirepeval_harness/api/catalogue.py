"""What can be evaluated, and with what: tasks and models as tables that can be looked into."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Generic, TypeVar

from scirepeval_harness.api.results import PathLike, as_list, formats_of
from scirepeval_harness.errors import CoverageError
from scirepeval_harness.extensions import BUILT_IN
from scirepeval_harness.reporting.table import NONE, Table, text_table
from scirepeval_harness.roles import Format
from scirepeval_harness.schema import unknown
from scirepeval_harness.task.places import Data, place_of, read_places
from scirepeval_harness.task.registry import Registry, load_registry, origins_of
from scirepeval_harness.task.spec import HubTable, SuiteSpec, TaskSpec

if TYPE_CHECKING:
    import pandas as pd

    from scirepeval_harness.model.spec import ModelSpec
    from scirepeval_harness.task.audit import Audit
    from scirepeval_harness.task.dataset import LoadedTask

T = TypeVar("T")
Record = Mapping[str, object]
Fields = list[tuple[str, str]]


SPARE = ("from", "few-shot", "extra", "evaluation", "group", "base", "title", "suite")
"""Columns that a narrow terminal does without, those that go first at the front."""


TASK_LEGEND = {
    "group": "its column of the leaderboard",
    "metrics": "each counts once in the averages",
    "few-shot": "rows of a fit (of each class, in multi-label tasks) x fits",
}
MODEL_LEGEND = {
    "kind": "what runs it",
    "base": "its weights",
    "roles": "how it tells formats of tasks apart",
    "extra": "needs pip install 'scirepeval-harness[EXTRA]'",
}
"""Of the columns that do not explain themselves."""


@dataclass(frozen=True)
class Catalogue(Mapping[str, T], Generic[T]):
    """Tasks or models by name, in the order of the registry; a table where it is shown.

    ``columns`` are what a table of them shows, ``records`` all that is listed, JSON-ready.

    Example:
        >>> import scirepeval_harness as sh
        >>> sh.models().to_pandas().loc[0, "name"] in sh.models()
        True
    """

    entries: Mapping[str, T]
    columns: tuple[str, ...]
    legend: Mapping[str, str]
    records: tuple[Record, ...]
    sort: str
    _fields: Callable[[str, str | None], Fields]
    _definition: Callable[[str, str | None], dict[str, object]]

    def __getitem__(self, name: str) -> T:
        if name not in self.entries:
            raise unknown(self.sort, name, self.entries)
        return self.entries[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self.entries)

    def __len__(self) -> int:
        return len(self.entries)

    @property
    def table(self) -> Table:
        """The columns as text, a row each."""
        rows = [[_cell(record.get(name)) for name in self.columns] for record in self.records]
        count = f"{len(rows)} {self.sort}{'s' if len(rows) != 1 else ''}"
        return text_table(self.columns, rows, caption=count, spare=SPARE, legend=self.legend)

    def to_pandas(self) -> pd.DataFrame:
        """The records as a frame, a row each."""
        import pandas as pd

        return pd.DataFrame(list(self.records))

    def describe(self, name: str, model: str | None = None) -> Fields:
        """All that defines a task or model, as names and values in the order to print.

        Args:
            model: of a task, also what this model would use for it.

        Raises:
            UnknownNameError: no such task or model.
        """
        return self._fields(name, model)

    def definition(self, name: str, model: str | None = None) -> dict[str, object]:
        """The same, JSON-ready."""
        return self._definition(name, model)

    def _repr_html_(self) -> str:
        return self.table.to_html()


def tasks(
    suite: str | Sequence[str] | None = None,
    *,
    formats: str | Sequence[str] | None = None,
    tasks_dirs: Sequence[PathLike] = (),
) -> Catalogue[TaskSpec]:
    """The tasks that can be evaluated, with their format, metrics, few-shot settings and suite.

    Args:
        suite, formats: only tasks of these.
        tasks_dirs: folders of your own task files.

    Raises:
        UnknownNameError: a suite that is not registered.
        SpecError: a task or suite file that does not follow its schema.

    Example:
        >>> import scirepeval_harness as sh
        >>> sh.tasks("scirepeval", formats="adhoc_search")["search"].metrics
        ('ndcg',)
    """
    registry = load_registry([Path(folder) for folder in tasks_dirs])
    selection = registry.select(as_list(suite), (), formats_of(formats))
    columns = ["name", "format", "evaluation", "group", "metrics", "few-shot", "suite"]
    records = [_task_record(own, task) for own, task in selection]
    if any("from" in record for record in records):
        columns.append("from")
    return Catalogue(
        {task.name: task for _, task in selection},
        tuple(columns),
        TASK_LEGEND,
        tuple(records),
        "task",
        lambda name, model: _task_fields(registry, registry.task(name), model),
        lambda name, model: _task_definition(registry, registry.task(name), model),
    )


def models(*, group: str | None = None, kind: str | None = None) -> Catalogue[ModelSpec]:
    """The registered models by group, with their base and what they have for each role.

    Any other model is given to `evaluate` as a hub repository, a folder, a model file, a file of
    vectors or an object.

    Args:
        group: only models of this group, such as ``scientific``, ``general`` or ``lexical``.
        kind: only models of this kind, such as ``sentence_transformers``.

    Raises:
        UnknownNameError: no registered model is of this group or kind.
        SpecError: a model file of an installed package that does not follow its schema.

    Example:
        >>> import scirepeval_harness as sh
        >>> sh.models()["specter2"].title
        'SPECTER2-Adapters'
    """
    from scirepeval_harness.model.registry import load_models

    everything = load_models().values()
    for sort, wanted, has in (
        ("group", group, [spec.listed_under for spec in everything]),
        ("kind", kind, [spec.kind for spec in everything]),
    ):
        if wanted is not None and wanted not in has:
            raise unknown(sort, wanted, dict.fromkeys(has))
    registered = {
        spec.name: spec
        for spec in sorted(everything, key=lambda spec: (spec.listed_under, spec.name))
        if group in (None, spec.listed_under) and kind in (None, spec.kind)
    }
    columns = ["group", "name", "title", "kind", "base", "roles", "extra"]
    if any(spec.origin for spec in registered.values()):
        columns.append("from")
    return Catalogue(
        registered,
        tuple(columns),
        MODEL_LEGEND,
        tuple(map(_model_record, registered.values())),
        "model",
        lambda name, _: _model_fields(_model_named(name)),
        lambda name, _: _model_definition(_model_named(name)),
    )


@dataclass(frozen=True)
class AuditedTask:
    """A task's data as it was read, and what is odd about it."""

    task: TaskSpec
    loaded: LoadedTask
    audit: Audit

    @property
    def blocked(self) -> bool:
        """Whether a run would refuse this data."""
        return self.audit.blocked

    def require_complete(self) -> AuditedTask:
        """The same; raises CoverageError where a run would refuse the data."""
        if self.blocked:
            raise CoverageError(
                "the data is incomplete",
                where=f"task {self.task.name}",
                fix="Complete it, or run with --allow-missing to score what is there",
            )
        return self


def audit(
    task: str,
    *,
    data: Data = None,
    tasks_dirs: Sequence[PathLike] = (),
    offline: bool = False,
) -> AuditedTask:
    """Leaks, gaps and the distribution of labels of a task's data, before anything is embedded.

    Args:
        task: a task's name.
        data: as in `evaluate`.

    Raises:
        UnknownNameError: no such task.
        DataError: data that cannot be read.

    Example:
        >>> import scirepeval_harness as sh
        >>> sh.audit("sample-search").blocked
        False
    """
    from scirepeval_harness.task.audit import audit as audit_data
    from scirepeval_harness.task.load import DataOptions, load_task

    registry = load_registry([Path(folder) for folder in tasks_dirs])
    [(suite, spec)] = registry.select((), (task,), ())
    directory = place_of(read_places(data), suite, spec)
    options = DataOptions(directory=directory, offline=offline, allow_missing=True)
    loaded = load_task(spec, suite, options)
    return AuditedTask(spec, loaded, audit_data(spec, loaded))


def _task_record(suite: SuiteSpec, task: TaskSpec) -> dict[str, object]:
    origins = origins_of(suite, task)
    return {
        "name": task.name,
        "title": task.title,
        "format": task.format.value + (" (multi-label)" if task.multi_label else ""),
        "evaluation": str(task.evaluation),
        "group": suite.group_of(task.name),
        "metrics": list(task.metrics),
        "few-shot": [f"{shots.sample_size} x {shots.iterations}" for shots in task.few_shot],
        "suite": suite.name,
        "synthetic": task.synthetic,
        **({"from": list(dict.fromkeys(origins.values()))} if origins else {}),
    }


def _task_fields(registry: Registry, task: TaskSpec, model: str | None) -> Fields:
    """All that defines a task, as names and values in the order to print."""
    drawn = "positives a class" if task.multi_label else "rows"
    pairs = [
        ("name", task.name),
        ("title", task.title + (" (synthetic)" if task.synthetic else "")),
        ("version", f"{task.version}, definition {task.definition_hash()}"),
        ("defined in", registry.origins[task.name]),
        ("format", task.format.value + (" (multi-label)" if task.multi_label else "")),
        ("evaluation", str(task.evaluation)),
        ("metrics", ", ".join(task.metrics)),
        *(
            (f"few-shot {shots.setting}", f"{shots.sample_size} {drawn}, {shots.iterations} times")
            for shots in task.few_shot
        ),
        ("text fields", ", ".join(task.fields)),
    ]
    origins = origins_of(registry.home(task.name), task)
    pairs += [(f"{part} from", origin) for part, origin in origins.items()]
    if len(task.roles()) > 1:
        raw = task.format is Format.ADHOC_SEARCH
        pairs.append(("query text", "raw text" if raw else ", ".join(task.query_fields)))
    if task.expected_fields:
        pairs.append((f"{len(task.expected_fields)} fields", ", ".join(task.expected_fields)))
    for suite in _suites_with(registry, task.name):
        group = suite.group_of(task.name)
        pairs.append(("suite", suite.name + (f", {group}" if group else ", in no average")))
        for part, table in _tables(task):
            split = f", split {table.split}" if table.split else ""
            pin = suite.revision_of(table)
            pairs.append((f"hub {part}", f"{table.repo} @ {pin}, config {table.config}{split}"))
    pairs += [
        (f"local {part}", str(path))
        for part, path in task.local.model_dump(exclude_none=True).items()
    ]
    pairs += [(f"role of {side}", role.value) for side, role in task.roles()]
    if model is not None:
        spec = _model_named(model)
        pairs += [(f"{spec.name}: {side}", use) for side, use in _uses(spec, task).items()]
    if task.notes:
        pairs.append(("notes", task.notes))
    return pairs


def _task_definition(registry: Registry, task: TaskSpec, model: str | None) -> dict[str, object]:
    origins = origins_of(registry.home(task.name), task)
    record: dict[str, object] = {
        **task.model_dump(mode="json"),
        "definition_hash": task.definition_hash(),
        "defined_in": registry.origins[task.name],
        **({"origins": origins} if origins else {}),
        "suites": {
            suite.name: {"group": suite.group_of(task.name), "revisions": _revisions(suite, task)}
            for suite in _suites_with(registry, task.name)
        },
        "roles": {side: role.value for side, role in task.roles()},
    }
    if model is not None:
        record["model"] = _uses(_model_named(model), task)
    return record


def _model_record(model: ModelSpec) -> dict[str, object]:
    return {
        "group": model.listed_under,
        "name": model.name,
        "title": model.title,
        "kind": model.kind,
        "base": model.base_in_words(),
        "roles": model.roles_in_words(),
        "extra": model.extra,
        "from": model.origin or BUILT_IN,
    }


def _model_fields(model: ModelSpec) -> Fields:
    """All that defines a model, as names and values in the order to print."""
    pairs = [("name", model.name), ("title", model.title), ("kind", model.kind), *model.rows()]
    if not model.has_vectors:
        pairs.append(("applies to", "rankings and citation pools (it has no vectors)"))
    pairs += model.facts.items()
    if model.assumed:
        pairs.append(("assumed", model.assumed))
    if model.trained_on:
        pairs.append(("trained on", ", ".join(model.trained_on)))
    if model.origin:
        pairs.append(("from", model.origin))
    if model.extra:
        pairs.append(("needs", f"pip install 'scirepeval-harness[{model.extra}]'"))
    pairs += [("published as", name) for name in model.published_as]
    if model.notes:
        pairs.append(("notes", model.notes))
    return pairs


def _model_definition(model: ModelSpec) -> dict[str, object]:
    """The keys of its file, and the package that brought it, where one did."""
    origin = {"origin": model.origin} if model.origin else {}
    return model.model_dump(mode="json") | origin


def _model_named(name: str) -> ModelSpec:
    from scirepeval_harness.model.registry import resolve_model

    return resolve_model(name)


def _uses(model: ModelSpec, task: TaskSpec) -> dict[str, str]:
    """What a model would use for each side of a task."""
    if not model.can_run(task):
        return {side: "does not apply: the task needs vectors" for side, _ in task.roles()}
    return {side: model.use_of(role) for side, role in task.roles()}


def _suites_with(registry: Registry, name: str) -> list[SuiteSpec]:
    return [suite for suite in registry.suites.values() if name in suite.task_names()]


def _tables(task: TaskSpec) -> list[tuple[str, HubTable]]:
    if task.hub is None:
        return []
    parts = ("documents", "labels", "reviewers")
    return [(part, table) for part in parts if (table := getattr(task.hub, part)) is not None]


def _revisions(suite: SuiteSpec, task: TaskSpec) -> dict[str, str | None]:
    return {table.repo: suite.revision_of(table) for _, table in _tables(task)}


def _cell(value: object) -> str:
    if isinstance(value, list):
        return ", ".join(str(item) for item in value) or NONE
    return NONE if value is None else str(value)
