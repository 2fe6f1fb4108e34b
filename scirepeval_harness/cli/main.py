"""The command line: commands are mounted here, errors become one line and an exit code."""

from __future__ import annotations

import sys
import traceback
from collections.abc import Sequence

import typer

from scirepeval_harness import __version__
from scirepeval_harness.cli import cache, data, mdcr, models, runs, s2and, tasks
from scirepeval_harness.cli.check import check_command
from scirepeval_harness.cli.compare import compare_command
from scirepeval_harness.cli.fetch import fetch_command
from scirepeval_harness.cli.leaderboard import leaderboard_command
from scirepeval_harness.cli.report import report_command
from scirepeval_harness.cli.run import run_command
from scirepeval_harness.errors import HarnessError

app = typer.Typer(
    name="scirepeval_harness",
    help="Evaluate embedding models of scientific papers on SciRepEval and MDCR.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
)
app.command("run")(run_command)
app.command("fetch")(fetch_command)
app.command("leaderboard")(leaderboard_command)
app.command("compare")(compare_command)
app.command("check")(check_command)
app.command("report")(report_command)
app.add_typer(runs.app, name="runs")
app.add_typer(tasks.app, name="tasks")
app.add_typer(models.app, name="models")
app.add_typer(s2and.app, name="s2and")
app.add_typer(cache.app, name="cache")
app.add_typer(data.app, name="data")
app.add_typer(mdcr.app, name="mdcr")


def _version(wanted: bool) -> None:
    if wanted:
        typer.echo(__version__)
        raise typer.Exit


@app.callback()
def options(
    debug: bool = typer.Option(False, "--debug", help="Show tracebacks."),
    version: bool = typer.Option(
        False, "--version", callback=_version, is_eager=True, help="Print the version."
    ),
) -> None:
    """Options of every command."""


def main(arguments: Sequence[str] | None = None) -> None:
    """Run a command and exit: 0 done, 1 regression, 2 bad input, 3 incomplete, 4 not comparable."""
    words = list(sys.argv[1:] if arguments is None else arguments)
    try:
        app(words)
    except (HarnessError, OSError) as error:
        if "--debug" in words:
            traceback.print_exc()
        else:
            typer.echo(f"Error: {error}", err=True)
        sys.exit(error.exit_code if isinstance(error, HarnessError) else HarnessError.exit_code)
