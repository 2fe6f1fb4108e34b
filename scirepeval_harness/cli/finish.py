"""How ``run`` ends: the leaderboard printed and written, and an error when a task is missing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import typer

from scirepeval_harness.cli.tables import print_table, show_table
from scirepeval_harness.errors import IncompleteRunError
from scirepeval_harness.files import write_text
from scirepeval_harness.report.leaderboard import Leaderboard
from scirepeval_harness.results.folder import Result
from scirepeval_harness.results.leaderboard import columns_of, measured_row
from scirepeval_harness.run.plan import (
    ModelPlan,
    SpacePlan,
    summary,
    time_in_words,
    tokens_in_words,
)
from scirepeval_harness.tasks.spec import SuiteSpec, TaskSpec

SHOWN = 5


def show_results(
    results: Sequence[Result],
    suites: Sequence[SuiteSpec],
    tasks: Mapping[str, TaskSpec],
    output: Path,
) -> None:
    """Print the leaderboard of a run and write it beside the results.

    Raises:
        IncompleteRunError: a task failed, or the run was interrupted.
    """
    if columns_of(suites):
        rows = [measured_row(result, suites, tasks, intervals=True) for result in results]
        board = Leaderboard(tuple(rows), tuple(suites))
        write_text(output / "leaderboard.md", board.to_markdown())
        write_text(output / "leaderboard.csv", board.to_csv())
        typer.echo(board.table.caption)
        print_table(replace(board.table, caption=""))
    typer.echo(f"Results: {output}")
    unfinished = [
        f"{result.run.model.name}/{name}"
        for result in results
        for name, record in result.tasks.items()
        if record.status != "ok"
    ]
    if unfinished or not results or any(result.run.status != "ok" for result in results):
        listed = f": {', '.join(unfinished[:SHOWN])}" if unfinished else ""
        error = IncompleteRunError(
            f"{len(unfinished)} tasks did not finish{listed}",
            where=str(output),
            fix="Mend the cause and run again with --output of this folder and --resume",
        )
        for result in results:
            for entry in result.run.tasks:
                if entry.traceback:
                    # Notes are printed with a traceback only, which is what --debug asks for.
                    error.add_note(f"{result.run.model.name}/{entry.task}: {entry.traceback}")
        raise error


HEADER = ("model", "roles", "documents", "texts", "cached", "to encode", "tokens", "time")


def show_plan(plans: Sequence[ModelPlan]) -> None:
    """Print one line a model, then a table of the ways of encoding.

    Raises:
        IncompleteRunError: tasks that could not be planned, after all the others were shown.
    """
    for plan in plans:
        typer.echo(summary(plan))
    rows = [_row(plan, space) for plan in plans for space in plan.spaces]
    if rows:
        typer.echo("")
        show_table(HEADER, rows)
        typer.echo(
            "documents: every mention in every task; texts: distinct ones, each encoded once"
        )
    problems = list(dict.fromkeys(problem for plan in plans for problem in plan.problems))
    for problem in problems:
        typer.echo(f"not planned: {problem}", err=True)
    if problems:
        raise IncompleteRunError(f"{len(problems)} tasks could not be planned")


def _row(plan: ModelPlan, space: SpacePlan) -> tuple[str, ...]:
    counts = (space.documents, space.texts, space.cached, space.to_encode)
    open_work = space.to_encode > 0
    return (
        plan.model,
        ", ".join(space.roles),
        *(f"{count:,}" for count in counts),
        tokens_in_words([space]).removesuffix(" tokens") if open_work else "0",
        time_in_words(space.seconds) if open_work else "none",
    )
