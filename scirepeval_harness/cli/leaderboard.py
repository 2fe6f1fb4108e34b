"""``leaderboard``: rows of finished runs and of published tables."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Annotated, Literal

import typer

from scirepeval_harness.cli.options import FewShot, Reviewers, S2and, TasksDir, suites_under
from scirepeval_harness.cli.tables import print_table
from scirepeval_harness.errors import UsageError
from scirepeval_harness.tasks.registry import load_registry

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
    shape: Annotated[Shape, typer.Option("--format", help="How to print it.")] = "table",
) -> None:
    """Print the leaderboard of results, published rows, or both."""
    from scirepeval_harness.files import bundled
    from scirepeval_harness.models.registry import load_models
    from scirepeval_harness.report.leaderboard import Leaderboard
    from scirepeval_harness.results.folder import load_results
    from scirepeval_harness.results.leaderboard import measured_row, published_rows, read_published

    if not results and not published:
        raise UsageError("nothing to show", fix="Give result folders, --published, or both")
    registry = load_registry(tasks_dir or ())
    loaded = load_results(results or ())
    names = suite or list(dict.fromkeys(name for result in loaded for name in result.run.suites))
    suites = suites_under(registry, names, few_shot, s2and, reviewers)
    wanted = intervals or shape == "csv"
    rows = [measured_row(r, suites, registry.tasks, intervals=wanted) for r in loaded]
    if published:
        task_sets = {own.task_set for own in suites}
        if len(task_sets) != 1:
            raise UsageError(
                f"task sets {', '.join(sorted(task_sets))} do not compare", fix="Choose one --suite"
            )
        titles = {model.name: model.title for model in load_models().values()}
        scores = read_published(bundled("results/published"))
        rows += published_rows(scores, task_sets.pop(), titles)
    board = Leaderboard(tuple(rows), tuple(suites), intervals)
    if shape == "md":
        typer.echo(board.to_markdown(), nl=False)
    elif shape == "csv":
        typer.echo(board.to_csv(), nl=False)
    else:
        typer.echo(board.table.caption)
        print_table(replace(board.table, caption=""))
