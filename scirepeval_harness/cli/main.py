"""The command line: commands are mounted here, errors become one line and an exit code."""

from __future__ import annotations

import sys
import tempfile
import traceback
from collections.abc import Sequence
from typing import Any

import typer
from typer.core import TyperGroup

from scirepeval_harness import __version__
from scirepeval_harness.cli import cache, data, mdcr, models, runs, s2and, tasks
from scirepeval_harness.cli.check import check_command
from scirepeval_harness.cli.compare import compare_command
from scirepeval_harness.cli.display import json_line
from scirepeval_harness.cli.fetch import fetch_command
from scirepeval_harness.cli.items import items_command
from scirepeval_harness.cli.leaderboard import leaderboard_command
from scirepeval_harness.cli.output import LOG_JSON, say
from scirepeval_harness.cli.report import report_command
from scirepeval_harness.cli.run import EXAMPLES, run_command
from scirepeval_harness.errors import HarnessError

DEFECT, INTERRUPTED = 70, 130
LONGEST_PATH = 300


class Boundary(TyperGroup):
    """Where errors of every command become one line and an exit code.

    Within the group, because typer itself would make 1 of a closed pipe, which means a regression.
    """

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        # Records hold the words of the command as UTF-8, and could not be written at the end.
        for word in args:
            if not word.isascii() and any("\ud800" <= letter <= "\udfff" for letter in word):
                raise typer.BadParameter(f"{word!a} is not UTF-8. Rename it", ctx)
        return super().parse_args(ctx, args)

    def invoke(self, ctx: Any) -> Any:
        try:
            return super().invoke(ctx)
        except KeyboardInterrupt as stop:
            _last_words(ctx, "interrupted", str(stop) or "Interrupted", INTERRUPTED)
            raise typer.Exit(INTERRUPTED) from None
        except (HarnessError, OSError) as error:
            code = error.exit_code if isinstance(error, HarnessError) else HarnessError.exit_code
            if ctx.params["debug"]:
                traceback.print_exc()
            elif not isinstance(error, BrokenPipeError):  # who listened is gone, and knows
                _last_words(ctx, "error", f"Error: {_acted_on(error)}", code)
            raise typer.Exit(code) from error
        except Exception as error:
            if isinstance(error, typer.Abort) or hasattr(error, "exit_code"):
                raise  # typer's own: a wrong option, or the end that a command chose
            # Whatever else it is, nobody foresaw it, and a gate must not take it for a regression.
            _last_words(ctx, "defect", f"Error: {_defect(error)}", DEFECT)
            raise typer.Exit(DEFECT) from error


def _last_words(ctx: Any, event: str, line: str, code: int) -> None:
    """Why a command ends, as a line, or as an object where standard error holds objects."""
    say(json_line(event, line, exit_code=code) if ctx.meta.get(LOG_JSON) else line, err=True)


def _acted_on(error: HarnessError | OSError) -> HarnessError:
    """The error with place and advice; the system's own has neither."""
    if isinstance(error, HarnessError):
        return error
    where = str(error.filename or "a file")[:LONGEST_PATH]
    return HarnessError(
        error.strerror or str(error), where=where, fix="Check the path and its permissions"
    )


def _defect(error: Exception) -> str:
    """A line on a defect; its traceback goes to a file, or where none can be written below it."""
    trace = traceback.format_exc()
    what = f"a defect of the harness ({type(error).__name__}: {error})"
    try:
        handle, name = tempfile.mkstemp(".txt", "scirepeval-defect-")
        with open(handle, "w", encoding="utf-8", errors="backslashreplace") as file:
            file.write(trace)
    except OSError:
        return f"{what}. Please report it with this traceback:\n{trace}"
    return " ".join(f"{what}. Please report it with the traceback in {name}".split())


app = typer.Typer(
    name="scirepeval_harness",
    cls=Boundary,
    help="Evaluate embedding models of scientific papers on SciRepEval and MDCR.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
)
app.command("run", epilog="\n\n".join(("Examples:", *EXAMPLES)))(run_command)
app.command("fetch")(fetch_command)
app.command("leaderboard")(leaderboard_command)
app.command("compare")(compare_command)
app.command("check")(check_command)
app.command("report")(report_command)
app.command("items")(items_command)
app.add_typer(runs.app, name="runs")
app.add_typer(tasks.app, name="tasks")
app.add_typer(models.app, name="models")
app.add_typer(s2and.app, name="s2and")
app.add_typer(cache.app, name="cache")
app.add_typer(data.app, name="data")
app.add_typer(mdcr.app, name="mdcr")


def _version(wanted: bool) -> None:
    if wanted:
        say(__version__)
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
    """Run a command and exit.

    Codes: 0 done, 1 regression (`check` alone), 2 bad input, 3 incomplete, 4 not comparable, 70 a
    defect of the harness, 130 interrupted.
    """
    app(list(sys.argv[1:] if arguments is None else arguments))
