"""``runs``: list result folders, and show one."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from scirepeval_harness.cli.options import AsJson, TasksDir
from scirepeval_harness.cli.tables import show_fields, show_table
from scirepeval_harness.errors import UsageError

if TYPE_CHECKING:
    from scirepeval_harness.report.content import Execution
    from scirepeval_harness.results.folder import Result
    from scirepeval_harness.tasks.registry import Registry


DEFAULT = Path("results") / "runs"
HEADER = ("Folder", "Model", "Suite", "Status", "Averages", "Date", "Signature")


class _ListFirst(typer.core.TyperGroup):
    """A group in which ``runs DIR`` means ``runs list DIR``."""

    def parse_args(self, context: Any, words: list[str]) -> list[str]:
        known = {*self.commands, "--help"}
        if not words or words[0] not in known:
            words = ["list", *words]
        return super().parse_args(context, words)


app = typer.Typer(
    cls=_ListFirst,
    help="List result folders (runs [DIR...]), or show one (runs show RESULT).",
)


@app.command("list")
def list_command(
    folders: Annotated[
        list[Path] | None,
        typer.Argument(metavar="[DIR...]", help="Folders to look through. Default: results/runs."),
    ] = None,
    tasks_dir: TasksDir = None,
    as_json: AsJson = False,
) -> None:
    """List results: model, suite, averages, signature, date. The newest come last."""
    from scirepeval_harness.results.folder import readable_results, result_folders
    from scirepeval_harness.tasks.registry import load_registry

    registry = load_registry(tasks_dir or ())
    found = dict.fromkeys(
        path for folder in folders or [DEFAULT] for path in result_folders(folder)
    )
    results, errors = readable_results(list(found))
    results = tuple(sorted(results, key=lambda own: (own.run.created_at, str(own.folder))))
    entries = [_entry(result, registry) for result in results]
    if as_json:
        import json

        typer.echo(json.dumps(entries, indent=2, sort_keys=True))
    elif entries:
        show_table(HEADER, [_line(entry) for entry in entries])
    else:
        typer.echo("No results.")
    for error in errors:
        typer.echo(f"Not read: {error}", err=True)


@app.command("show")
def show_command(
    result: Annotated[Path, typer.Argument(help="A result folder.")],
    tasks_dir: TasksDir = None,
    as_json: AsJson = False,
) -> None:
    """Show everything of one result: scores, coverage, settings, times, signatures."""
    from scirepeval_harness.report.provenance import execution
    from scirepeval_harness.results.folder import load_results
    from scirepeval_harness.tasks.registry import load_registry

    loaded = load_results([result])
    if len(loaded) > 1:
        names = ", ".join(own.folder.name for own in loaded[:8])
        raise UsageError(
            f"{len(loaded)} results here ({names})", where=str(result), fix="Give the folder of one"
        )
    own = loaded[0]
    entry = _entry(own, load_registry(tasks_dir or ()))
    if as_json:
        import json

        tasks = {name: record.model_dump(mode="json") for name, record in own.tasks.items()}
        values = {**entry, "run": own.run.model_dump(mode="json"), "tasks": tasks}
        typer.echo(json.dumps(values, indent=2, sort_keys=True))
        return
    _show(own, entry, execution(own.run.model.title, own))


def _entry(result: Result, registry: Registry) -> dict[str, Any]:
    """What is listed of a result; averages of suites that are registered."""
    from scirepeval_harness.report.leaderboard import mean_text
    from scirepeval_harness.results.leaderboard import measured_row

    averages: dict[str, dict[str, str]] = {}
    for name in result.run.suites:
        suite = registry.suites.get(name)
        known = suite is not None and all(task in registry.tasks for task in suite.task_names())
        if suite is not None and known and suite.columns:
            means = measured_row(result, [suite], registry.tasks).means
            averages[name] = {column: mean_text(mean) for column, mean in means.items()}
    data = [record.data for record in result.tasks.values() if record.data is not None]
    return {
        "folder": str(result.folder),
        "model": result.run.model.title,
        "suites": list(result.run.suites),
        "status": result.run.status,
        "averages": averages,
        "synthetic": any(own.synthetic for own in data),
        "date": result.run.created_at,
        "signature": result.run.signature,
    }


def _line(entry: Mapping[str, Any]) -> list[str]:
    from scirepeval_harness.report.table import shown

    return [
        entry["folder"],
        shown(entry["model"]),
        ", ".join(entry["suites"]) + (" (synthetic)" if entry["synthetic"] else ""),
        entry["status"],
        _averages(entry["averages"]),
        entry["date"],
        entry["signature"],
    ]


def _averages(found: Mapping[str, Mapping[str, str]]) -> str:
    parts = [f"{name} {text}" for cells in found.values() for name, text in cells.items()]
    return ", ".join(parts) or "-"


def _show(result: Result, entry: Mapping[str, Any], run: Execution) -> None:
    fields = [
        *zip(HEADER, _line(entry), strict=True),
        ("Harness", f"{run.harness_version}" + (f", commit {run.commit}" if run.commit else "")),
        ("Command", run.command),
        ("Documents", f"{run.documents_encoded} encoded, {run.documents_cached} from the store"),
        *((f"Setting {name}", value) for name, value in run.settings.items()),
        *((f"Hardware {name}", value) for name, value in run.hardware.items()),
        *((f"Package {name}", value) for name, value in run.packages.items()),
        *((f"Seconds {name}", f"{value:.2f}") for name, value in run.seconds.items()),
    ]
    if run.total_seconds is not None:
        fields.append(("Seconds total", f"{run.total_seconds:.2f}"))
    show_fields([(name, text) for name, text in fields])
    for role, details in result.run.model.roles.items():
        typer.echo("")
        typer.echo(f"Vectors for {role}:")
        show_fields([(f"  {name}", value) for name, value in sorted(details.items())])
    rows = list(_score_rows(result))
    if rows:
        typer.echo("")
        show_table(("Task", "Score", "Value", "95% interval", "Items", "Documents", "Data"), rows)
    for name, record in result.tasks.items():
        if record.status != "ok":
            typer.echo(f"{name}: {record.status}: {record.error or 'no reason kept'}")
        for warning in record.warnings:
            typer.echo(f"{name}: warning: {warning}")
    typer.echo("")
    show_table(("Task", "Signature"), list(run.task_signatures.items()))


def _score_rows(result: Result) -> list[list[str]]:
    rows = []
    for name, record in result.tasks.items():
        found, data = record.coverage, record.data
        for score in record.scores:
            low_high = score.interval
            rows.append(
                [
                    name,
                    score.key,
                    f"{score.value:.2f}",
                    "-" if low_high is None else f"[{low_high[0]:.2f}, {low_high[1]:.2f}]",
                    str(score.items),
                    "-"
                    if found is None
                    else f"{found.documents_found} of {found.documents_needed}",
                    "-"
                    if data is None
                    else f"{data.source}{' (synthetic)' if data.synthetic else ''}",
                ]
            )
    return rows
