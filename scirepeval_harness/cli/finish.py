"""How ``run`` ends: the leaderboard printed and written, and an error when a task is missing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import typer

from scirepeval_harness.atomic import write_text
from scirepeval_harness.cli.tables import show_table
from scirepeval_harness.errors import IncompleteRunError
from scirepeval_harness.leaderboard.render import caption, columns_of, csv_text, markdown, table
from scirepeval_harness.leaderboard.rows import measured_row
from scirepeval_harness.records.read import Result
from scirepeval_harness.specs.suite import SuiteSpec
from scirepeval_harness.specs.task import TaskSpec

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
        rows = [measured_row(result, suites, tasks) for result in results]
        write_text(output / "leaderboard.md", markdown(rows, suites))
        precise = [measured_row(result, suites, tasks, intervals=True) for result in results]
        write_text(output / "leaderboard.csv", csv_text(precise, suites))
        typer.echo(caption(suites))
        header, *lines = table(rows, columns_of(suites))
        show_table(header, lines)
        for row in rows:
            for note in row.notes:
                typer.echo(f"{row.title}: {note}")
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
