"""``tasks``: what can be evaluated."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated

import typer

import scirepeval_harness as sh
from scirepeval_harness.cli.options import AsJson, DataDir, Offline, TasksDir, complete_task
from scirepeval_harness.cli.output import print_fields, print_json, print_table, say, show
from scirepeval_harness.roles import Format

app = typer.Typer(help="Show the tasks that can be evaluated.", no_args_is_help=True)


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
    found = sh.tasks(suite, formats=format, tasks_dirs=tasks_dir or ())
    if as_json:
        print_json(list(found.records))
    else:
        show(found.table, titled=True)


@app.command("show")
def show_task(
    name: Annotated[
        str,
        typer.Argument(
            help="The task's name, as `tasks list` prints it.", autocompletion=complete_task
        ),
    ],
    model: Annotated[
        str | None,
        typer.Option("--model", help="Also show what this model would use for the task."),
    ] = None,
    tasks_dir: TasksDir = None,
    as_json: AsJson = False,
) -> None:
    """Show all that defines a task: data, revisions, metrics, text fields, roles and adapters."""
    found = sh.tasks(tasks_dirs=tasks_dir or ())
    if as_json:
        print_json(found.definition(name, model))
    else:
        print_fields(found.describe(name, model))


@app.command("check")
def check_task(
    name: Annotated[
        str,
        typer.Argument(
            help="The task's name, as `tasks list` prints it.", autocompletion=complete_task
        ),
    ],
    data: DataDir = None,
    tasks_dir: TasksDir = None,
    offline: Offline = False,
    as_json: AsJson = False,
) -> None:
    """Report leaks, gaps and the distribution of labels. Exit code 2 when a run would refuse it."""
    audited = sh.audit(name, data=data, tasks_dirs=tasks_dir or (), offline=offline)
    source = audited.loaded.provenance
    if as_json:
        record = {"task": name, "fingerprint": source.fingerprint, **asdict(audited.audit)}
        print_json(record)
    else:
        say(f"{audited.task.title}: documents {source.documents}, labels {source.labels}")
        print_table(
            ("finding", "count", "of", "such as"),
            [
                [finding.name, str(finding.count), str(finding.total), ", ".join(finding.examples)]
                for finding in audited.audit.findings
            ],
        )
        shares = audited.audit.distribution
        splits = list(dict.fromkeys(key for share in shares for key in share.counts))
        say("")
        print_table(
            ("distribution", *splits),
            [
                [share.name, *(f"{share.counts.get(split, 0):g}" for split in splits)]
                for share in shares
            ],
        )
    audited.require_complete()
