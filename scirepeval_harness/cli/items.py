"""``items``: single queries and rows of a result."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

import scirepeval_harness as sh
from scirepeval_harness.cli.options import AllowMismatch, AsJson, DataDir, TasksDir
from scirepeval_harness.cli.output import print_json, show_parts


def items_command(
    result: Annotated[Path, typer.Argument(help="A result folder.")],
    task: Annotated[str, typer.Argument(help="The name of one of its tasks.")],
    against: Annotated[
        Path | None,
        typer.Option(help="A second result: show where the first is behind it and ahead of it."),
    ] = None,
    worst: Annotated[int, typer.Option(min=0, help="So many of the worst.")] = 5,
    best: Annotated[int, typer.Option(min=0, help="So many of the best.")] = 5,
    query: Annotated[
        list[str] | None, typer.Option(metavar="ID", help="This one instead. May be repeated.")
    ] = None,
    metric: Annotated[
        str | None, typer.Option(help="By this metric of a ranking. Default: its first.")
    ] = None,
    setting: Annotated[
        str | None, typer.Option(help="Of this few-shot setting, such as 64-shot.")
    ] = None,
    candidates: Annotated[
        int, typer.Option(min=0, help="So many candidates of a query, and as many relevant ones.")
    ] = 5,
    data: DataDir = None,
    cache: Annotated[
        Path | None,
        typer.Option(help="Folder of the vectors by which candidates are ranked again."),
    ] = None,
    tasks_dir: TasksDir = None,
    allow_mismatch: AllowMismatch = False,
    as_json: AsJson = False,
) -> None:
    """Show the worst and the best queries or rows of a task, with texts and ranked candidates.

    Texts come from the task's data where it is here, ranks from vectors in the store: nothing is
    downloaded or encoded. --json prints the number of every item.
    """
    found = sh.items(
        result,
        task,
        against=against,
        worst=worst,
        best=best,
        query=query,
        metric=metric,
        setting=setting,
        candidates=candidates,
        data=data,
        cache=cache or "default",
        tasks_dirs=tasks_dir or (),
        allow_mismatch=allow_mismatch,
    )
    if as_json:
        print_json(found.to_json())
    else:
        show_parts(found.parts())
