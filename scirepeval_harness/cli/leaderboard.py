"""``leaderboard``: rows of finished runs and of published tables."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

import scirepeval_harness as sh
from scirepeval_harness.cli.options import FewShot, Reviewers, S2and, TasksDir, reading
from scirepeval_harness.cli.output import say, say_whole, show

Shape = Literal["table", "md", "csv"]


def leaderboard_command(
    results: Annotated[
        list[Path] | None, typer.Argument(help="Result folders, or folders of them.")
    ] = None,
    published: Annotated[bool, typer.Option("--published", help="Add the published rows.")] = False,
    suite: Annotated[
        list[str] | None, typer.Option(metavar="NAME", help="Columns of these suites only.")
    ] = None,
    tasks_dir: TasksDir = None,
    few_shot: FewShot = None,
    s2and: S2and = None,
    reviewers: Reviewers = None,
    intervals: Annotated[
        bool, typer.Option("--intervals", help="Show the 95% bootstrap interval of each average.")
    ] = False,
    by: Annotated[
        Literal["system", "task"],
        typer.Option(help="task: a row for every task's number, a column a system."),
    ] = "system",
    sort: Annotated[
        str | None,
        typer.Option(metavar="COLUMN", help="The highest of this column first, such as Average."),
    ] = None,
    shape: Annotated[Shape, typer.Option("--format", help="How to print it.")] = "table",
) -> None:
    """Print the leaderboard of results, published rows, or both."""
    board = sh.leaderboard(
        results or None,
        published=published,
        by=by,
        sort=sort,
        intervals=intervals or shape == "csv",
        **reading(suite, tasks_dir, few_shot, s2and, reviewers),
    )
    if board.remark:
        say(board.remark, err=True)
    if shape == "md":
        say(board.to_markdown(), nl=False)
    elif shape == "csv":
        say(board.to_csv(), nl=False)
    else:
        say_whole(board.table.caption)
        show(board.table)
