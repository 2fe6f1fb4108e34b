"""``runs``: list result folders, show one, and verify one."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import typer

import scirepeval_harness as sh
from scirepeval_harness.cli.options import AsJson, DataDir, TasksDir
from scirepeval_harness.cli.output import print_fields, print_json, print_table, say
from scirepeval_harness.reporting.table import NONE, range_text, shown

HEADER = ("Folder", "Model", "Suite", "Status", "Averages", "Date", "Signature")
SCORES_HEADER = ("Task", "Score", "Value", "95% interval", "Items", "Documents", "Data")
LEGEND = {
    "Averages": "means over the columns of the suite; (x of y) where numbers are missing",
    "Signature": "the same for runs that score alike: data, model, settings, version",
}
SPARE = ("Signature", "Suite", "Data", "Date", "Documents", "Items", "Status")

UNSEALED = "no (an older version's): an edit shows only where scores and items disagree"
VERIFY_HEADER = ("Task", "Scores from items", "Scores from vectors")


class _ListFirst(typer.core.TyperGroup):
    """A group in which ``runs DIR`` means ``runs list DIR``."""

    def parse_args(self, context: Any, words: list[str]) -> list[str]:
        known = {*self.commands, "--help"}
        if not words or words[0] not in known:
            words = ["list", *words]
        return super().parse_args(context, words)


app = typer.Typer(
    cls=_ListFirst,
    help="List result folders (runs [DIR...]), show or verify one (runs show RESULT).",
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
    found = sh.runs(*folders or (), tasks_dirs=tasks_dir or ())
    if as_json:
        print_json(list(found.records), sort_keys=True)
    elif found.records:
        print_table(HEADER, [_line(record) for record in found.records], SPARE, LEGEND)
    else:
        say("No results.")
    for error in found.unread:
        say(f"Not read: {error}", err=True)


@app.command("show")
def show_command(
    result: Annotated[Path, typer.Argument(help="A result folder.")],
    tasks_dir: TasksDir = None,
    as_json: AsJson = False,
) -> None:
    """Show everything of one result: scores, coverage, settings, times, signatures."""
    results = sh.load_results(result, tasks_dirs=tasks_dir or ())
    only, record = results.only, results.records[0]
    if as_json:
        tasks = {name: task.model_dump(mode="json") for name, task in only.tasks.items()}
        values = {**record, "run": only.run.model_dump(mode="json"), "tasks": tasks}
        print_json(values, sort_keys=True)
    else:
        _show(only, record)


@app.command("verify")
def verify_command(
    result: Annotated[Path, typer.Argument(help="A result folder.")],
    cache: Annotated[
        Path | None,
        typer.Option(help="Compute scores again from the vectors in this folder too."),
    ] = None,
    data: DataDir = None,
    tasks_dir: TasksDir = None,
) -> None:
    """Check every file of a result, and its scores against their items. Exits with 2 where one
    was damaged or edited."""
    found = sh.verify(result, cache=cache, data=data, tasks_dirs=tasks_dir or ())
    print_table(VERIFY_HEADER, [(task.task, task.items, task.vectors) for task in found.tasks])
    if not found.sealed:
        say(f"Sealed: {UNSEALED}.")
    for fault in found.faults:
        say(f"Error: {fault}", err=True)
    say(f"{len(found.faults)} faults." if found.faults else "No fault.")
    if not found.ok:
        raise typer.Exit(sh.HarnessError.exit_code)


def _line(record: Mapping[str, Any]) -> list[str]:
    averages = [
        f"{name} {text}" for cells in record["averages"].values() for name, text in cells.items()
    ]
    return [
        record["folder"],
        shown(record["model"]),
        ", ".join(record["suites"]) + (" (synthetic)" if record["synthetic"] else ""),
        record["status"],
        ", ".join(averages) or NONE,
        record["date"],
        record["signature"],
    ]


def _show(result: sh.Result, record: Mapping[str, Any]) -> None:
    from scirepeval_harness.reporting.provenance import execution

    run = execution(result.run.model.title, result)
    fields = [
        *zip(HEADER, _line(record), strict=True),
        *(("Remark", text) for text in record["remarks"]),
        ("Sealed", "yes" if result.sealed else UNSEALED),
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
    print_fields(fields)
    for role, details in result.run.model.roles.items():
        say("")
        say(f"Vectors for {role}:")
        print_fields((f"  {name}", value) for name, value in sorted(details.items()))
    if rows := _score_rows(result):
        say("")
        print_table(SCORES_HEADER, rows, SPARE)
    for name, task in result.tasks.items():
        if task.status != "ok":
            say(f"{name}: {task.status}: {task.error or 'no reason kept'}")
        for warning in task.warnings:
            say(f"{name}: warning: {warning}")
    say("")
    print_table(("Task", "Signature"), list(run.task_signatures.items()))


def _score_rows(result: sh.Result) -> list[list[str]]:
    rows = []
    for name, task in result.tasks.items():
        coverage, data = task.coverage, task.data
        documents, source = NONE, NONE
        if coverage is not None:
            documents = f"{coverage.documents_found} of {coverage.documents_needed}"
        if data is not None:
            source = f"{data.source}{' (synthetic)' if data.synthetic else ''}"
        rows += [
            [
                name,
                score.key,
                f"{score.value:.2f}",
                range_text(score.interval, sign=False),
                str(score.items),
                documents,
                source,
            ]
            for score in task.scores
        ]
    return rows
