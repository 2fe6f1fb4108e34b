"""Options that several commands share, so that they read and mean the same everywhere."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from scirepeval_harness.options import CHOICES, LAST_SEED, OPTIONS
from scirepeval_harness.task.spec import AuthorReading, FewShotReading, ReviewerReading

TasksDir = Annotated[
    list[Path] | None,
    typer.Option(
        "--tasks-dir", metavar="FOLDER", help="A folder of your own task files. May be repeated."
    ),
]
DataDir = Annotated[
    list[str] | None,
    typer.Option("--data", metavar="[NAME=]FOLDER", help=OPTIONS["data"].help),
]
Offline = Annotated[bool, typer.Option("--offline", help="Never open a connection.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")]
SuiteNames = Annotated[
    list[str] | None,
    typer.Option("--suite", metavar="NAME", help="These suites only. May be repeated."),
]
FewShot = Annotated[
    FewShotReading | None, typer.Option("--few-shot", help="Reading of few-shot tasks.")
]
S2and = Annotated[AuthorReading | None, typer.Option("--s2and", help="Reading of S2AND.")]
Reviewers = Annotated[
    ReviewerReading | None, typer.Option("--reviewers", help="Reading of reviewer matching.")
]
AllowMismatch = Annotated[
    bool,
    typer.Option("--allow-mismatch", help="Compare what differs in data or protocol all the same."),
]
Seed = Annotated[int, typer.Option(min=0, max=LAST_SEED, help="Of the permutations.")]


def reading(
    suite: list[str] | None,
    tasks_dir: list[Path] | None,
    few_shot: FewShotReading | None,
    s2and: AuthorReading | None,
    reviewers: ReviewerReading | None,
) -> dict[str, Any]:
    """The options of commands that read results, as the library's arguments."""
    return {
        "suite": suite,
        "tasks_dirs": tasks_dir or (),
        "few_shot": few_shot,
        "s2and": s2and,
        "reviewers": reviewers,
    }


def declared(name: str, metavar: str | None = None) -> Any:
    """The option of a run as options.py declares it."""
    option = {**CHOICES, **OPTIONS}[name]
    return typer.Option(
        option.flag, help=option.help, min=option.least, max=option.most, metavar=metavar
    )
