"""``fetch``: download models and data ahead of a run on a machine without a network."""

from __future__ import annotations

from typing import Annotated

import typer

from scirepeval_harness.cli.options import TasksDir
from scirepeval_harness.errors import UsageError


def fetch_command(
    model: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME", help="As for run: a name, hub id or model file. May be repeated."
        ),
    ] = None,
    suite: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME", help="All tasks of this suite. May be repeated."),
    ] = None,
    task: Annotated[
        list[str] | None, typer.Option(metavar="NAME", help="This task. May be repeated.")
    ] = None,
    tasks_dir: TasksDir = None,
) -> None:
    """Download the models and the data that a later `run --offline` needs."""
    from scirepeval_harness.models.base import fetch_model
    from scirepeval_harness.models.registry import load_models, resolve_model
    from scirepeval_harness.tasks.load import fetch_task
    from scirepeval_harness.tasks.registry import load_registry

    if not (model or suite or task):
        raise UsageError("nothing to fetch", fix="Give --model, --suite or --task")
    models = load_models()
    for text in model or ():
        for part in fetch_model(resolve_model(text, models)):
            typer.echo(f"{part.location}@{part.revision}  {part.folder}")
    if suite or task:
        for own, spec in load_registry(tasks_dir or ()).select(suite or (), task or (), ()):
            revision = fetch_task(spec, own)
            typer.echo(f"{spec.name}  {revision or 'not on the hub: pass its folder with --data'}")
