"""``tasks``: what can be evaluated."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

import typer

from scirepeval_harness.cli.options import AsJson, DataDir, Offline, TasksDir
from scirepeval_harness.cli.tables import show_fields, show_table
from scirepeval_harness.errors import CoverageError
from scirepeval_harness.models.registry import load_models, resolve_model
from scirepeval_harness.models.spec import ModelSpec
from scirepeval_harness.roles import Format
from scirepeval_harness.tasks.registry import Registry, load_registry, origins_of
from scirepeval_harness.tasks.spec import HubTable, SuiteSpec, TaskSpec

if TYPE_CHECKING:
    from scirepeval_harness.tasks.audit import Audit


app = typer.Typer(help="Show the tasks that can be evaluated.", no_args_is_help=True)

HEADER = ("name", "format", "evaluation", "group", "metrics", "few-shot", "suite")


@app.command("list")
def list_tasks(
    suite: Annotated[
        list[str] | None,
        typer.Option("--suite", metavar="NAME", help="Only this suite; may be repeated."),
    ] = None,
    format: Annotated[
        list[Format] | None,
        typer.Option(
            "--format", metavar="|".join(Format), help="Only this format; may be repeated."
        ),
    ] = None,
    tasks_dir: TasksDir = None,
    as_json: AsJson = False,
) -> None:
    """List tasks with their format, group, metrics, few-shot settings and suite."""
    registry = load_registry(tasks_dir or ())
    chosen = registry.select(suite or (), (), format or ())
    rows = [summary(own, task) for own, task in chosen]
    if as_json:
        typer.echo(json.dumps(rows, indent=2, ensure_ascii=False))
        return
    # Nothing to say for those who have no packages that bring tasks, evaluations or metrics.
    header = (*HEADER, "from") if any("from" in row for row in rows) else HEADER
    cells = [[_cell(row.get(name)) for name in header] for row in rows]
    show_table(header, cells, title=f"{len(rows)} task{'s' if len(rows) != 1 else ''}")


@app.command("show")
def show_task(
    name: Annotated[str, typer.Argument(help="The task's name, as `tasks list` prints it.")],
    model: Annotated[
        str | None,
        typer.Option("--model", help="Also show what this model would use for the task."),
    ] = None,
    tasks_dir: TasksDir = None,
    as_json: AsJson = False,
) -> None:
    """Show all that defines a task: data, revisions, metrics, text fields, roles and adapters."""
    registry = load_registry(tasks_dir or ())
    task = registry.task(name)
    spec = resolve_model(model, load_models()) if model is not None else None
    if as_json:
        origins = origins_of(registry.home(name), task)
        record = {
            **task.model_dump(mode="json"),
            "definition_hash": task.definition_hash(),
            "defined_in": registry.origins[name],
            **({"origins": origins} if origins else {}),
            "suites": {
                suite.name: {"group": suite.group_of(name), "revisions": _revisions(suite, task)}
                for suite in _suites_with(registry, name)
            },
            "roles": {side: role.value for side, role in task.roles()},
        }
        if spec is not None:
            record["model"] = _use(spec, task)
        typer.echo(json.dumps(record, indent=2, ensure_ascii=False))
        return
    show_fields(details(registry, task, spec))


def summary(suite: SuiteSpec, task: TaskSpec) -> dict[str, object]:
    """A task's row in the list, JSON-ready; ``from`` names the packages that bring parts of it."""
    origins = origins_of(suite, task)
    return {
        "name": task.name,
        "title": task.title,
        "format": task.format.value + (" (multi-label)" if task.multi_label else ""),
        "evaluation": task.evaluation,
        "group": suite.group_of(task.name),
        "metrics": list(task.metrics),
        "few-shot": [f"{shots.sample_size} x {shots.iterations}" for shots in task.few_shot],
        "suite": suite.name,
        "synthetic": task.synthetic,
        **({"from": list(dict.fromkeys(origins.values()))} if origins else {}),
    }


def details(registry: Registry, task: TaskSpec, model: ModelSpec | None) -> list[tuple[str, str]]:
    """All that defines a task, as names and values in the order to print."""
    pairs = [
        ("name", task.name),
        ("title", task.title + (" (synthetic)" if task.synthetic else "")),
        ("version", f"{task.version}, definition {task.definition_hash()}"),
        ("defined in", registry.origins[task.name]),
        ("format", task.format.value + (" (multi-label)" if task.multi_label else "")),
        ("evaluation", task.evaluation),
        ("metrics", ", ".join(task.metrics)),
        *(
            (f"few-shot {shots.setting}", f"{shots.sample_size} rows, {shots.iterations} times")
            if not task.multi_label
            else (
                f"few-shot {shots.setting}",
                f"{shots.sample_size} positives a class, {shots.iterations} times",
            )
            for shots in task.few_shot
        ),
        ("text fields", ", ".join(task.fields)),
    ]
    if len(task.roles()) > 1:
        raw = task.format is Format.ADHOC_SEARCH
        pairs.append(("query text", "raw text" if raw else ", ".join(task.query_fields)))
    if task.expected_fields:
        pairs.append((f"{len(task.expected_fields)} fields", ", ".join(task.expected_fields)))
    origins = origins_of(registry.home(task.name), task)
    pairs += [(f"{part} from", origin) for part, origin in origins.items()]
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
        pairs += [(f"{model.name}: {side}", use) for side, use in _use(model, task).items()]
    if task.notes:
        pairs.append(("notes", task.notes))
    return pairs


def _use(model: ModelSpec, task: TaskSpec) -> dict[str, str]:
    """What a model would use for each side of a task."""
    if not model.can_run(task):
        return {side: "does not apply: the task needs vectors" for side, _ in task.roles()}
    return {side: model.use_of(role) for side, role in task.roles()}


def _suites_with(registry: Registry, name: str) -> list[SuiteSpec]:
    return [suite for suite in registry.suites.values() if name in suite.task_names()]


def _tables(task: TaskSpec) -> list[tuple[str, HubTable]]:
    if task.hub is None:
        return []
    parts = (
        ("documents", task.hub.documents),
        ("labels", task.hub.labels),
        ("reviewers", task.hub.reviewers),
    )
    return [(part, table) for part, table in parts if table is not None]


def _revisions(suite: SuiteSpec, task: TaskSpec) -> dict[str, str | None]:
    return {table.repo: suite.revision_of(table) for _, table in _tables(task)}


def _cell(value: object) -> str:
    if isinstance(value, list):
        return ", ".join(str(item) for item in value) or "-"
    return "-" if value is None else str(value)


@app.command("check")
def check_task(
    name: Annotated[str, typer.Argument(help="The task's name, as `tasks list` prints it.")],
    data: DataDir = None,
    tasks_dir: TasksDir = None,
    offline: Offline = False,
    as_json: AsJson = False,
) -> None:
    """Report leaks, gaps and the distribution of labels. Exit code 2 when a run would refuse it."""
    from scirepeval_harness.tasks.audit import audit
    from scirepeval_harness.tasks.load import DataOptions, load_task
    from scirepeval_harness.tasks.registry import load_registry

    [(suite, task)] = load_registry(tasks_dir or ()).select((), (name,), ())
    loaded = load_task(
        task, suite, DataOptions(directory=data, offline=offline, allow_missing=True)
    )
    found = audit(task, loaded)
    if as_json:
        record = {"task": name, "fingerprint": loaded.provenance.fingerprint, **asdict(found)}
        typer.echo(json.dumps(record, indent=2, ensure_ascii=False))
    else:
        where = f"{loaded.provenance.documents}, labels {loaded.provenance.labels}"
        typer.echo(f"{task.title}: documents {where}")
        _show(found)
    if found.blocked:
        raise CoverageError(
            "the data is incomplete",
            where=f"task {name}",
            fix="Complete it, or run with --allow-missing to score what is there",
        )


def _show(found: Audit) -> None:
    rows = [
        [finding.name, str(finding.count), str(finding.total), ", ".join(finding.examples)]
        for finding in found.findings
    ]
    show_table(("finding", "count", "of", "such as"), rows)
    splits = list(dict.fromkeys(key for share in found.distribution for key in share.counts))
    typer.echo("")
    show_table(
        ("distribution", *splits),
        [
            [share.name, *(f"{share.counts.get(split, 0):g}" for split in splits)]
            for share in found.distribution
        ],
    )
