"""``fetch``: download models and data ahead of a run on a machine without a network."""

from __future__ import annotations

from typing import Annotated, Any

import typer

import scirepeval_harness as sh
from scirepeval_harness.cli.display import display
from scirepeval_harness.cli.options import (
    TasksDir,
    complete_model,
    complete_suite,
    complete_task,
)
from scirepeval_harness.cli.output import say


def fetch_command(
    model: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME",
            help="As for run: a name, hub id or model file. May be repeated.",
            autocompletion=complete_model,
        ),
    ] = None,
    suite: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME",
            help="All tasks of this suite. May be repeated.",
            autocompletion=complete_suite,
        ),
    ] = None,
    task: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME", help="This task. May be repeated.", autocompletion=complete_task
        ),
    ] = None,
    tasks_dir: TasksDir = None,
) -> None:
    """Download the models and the data that a later `run --offline` needs."""
    what: dict[str, Any] = {"suite": suite, "tasks": task, "tasks_dirs": tasks_dir or ()}
    with display() as progress:
        for part in sh.fetch(model or (), **what, progress=progress):
            if part.folder is not None:
                name = f"{part.name}@{part.revision}" if part.revision else part.name
                say(f"{name}  {part.folder}")
            else:
                say(f"{part.name}  {part.revision or 'nothing to fetch'}")
