"""Options that several commands share, so that they read and mean the same everywhere."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer

from scirepeval_harness.tasks.registry import Registry
from scirepeval_harness.tasks.spec import AuthorReading, FewShotReading, ReviewerReading, SuiteSpec

TasksDir = Annotated[
    list[Path] | None,
    typer.Option(
        "--tasks-dir", metavar="FOLDER", help="A folder of your own task files. May be repeated."
    ),
]
DataDir = Annotated[
    Path | None, typer.Option("--data", help="Read data from this folder, not from the hub.")
]
Offline = Annotated[bool, typer.Option("--offline", help="Never open a connection.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")]


PUBLISHED_SUITES = ("scirepeval", "mdcr")
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


def suites_under(
    registry: Registry,
    names: Sequence[str],
    few_shot: FewShotReading | None,
    s2and: AuthorReading | None,
    reviewers: ReviewerReading | None,
) -> list[SuiteSpec]:
    """The suites of the names, or those that published rows are of, under the chosen readings.

    Raises:
        UnknownNameError: a suite that is not registered.
    """
    chosen = {
        "few_shot": few_shot,
        "author_disambiguation": s2and,
        "reviewer_matching": reviewers,
    }
    update = {name: value for name, value in chosen.items() if value is not None}
    return [
        suite.model_copy(update={"readings": suite.readings.model_copy(update=update)})
        for suite in (registry.suite(name) for name in names or PUBLISHED_SUITES)
    ]
