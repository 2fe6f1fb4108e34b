"""``compare``: systems against a first one, score by score."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

import scirepeval_harness as sh
from scirepeval_harness.cli.options import (
    AllowMismatch,
    FewShot,
    Reviewers,
    S2and,
    Seed,
    SuiteNames,
    TasksDir,
    reading,
)
from scirepeval_harness.cli.output import print_json, say, show_parts

Shape = Literal["table", "md", "json"]


def compare_command(
    systems: Annotated[
        list[str],
        typer.Argument(
            metavar="A B [C ...]",
            help="Result folders, or published:NAME with a model's name or a published title. "
            "Each of B, C, ... is compared with A.",
        ),
    ],
    suite: SuiteNames = None,
    tasks_dir: TasksDir = None,
    few_shot: FewShot = None,
    s2and: S2and = None,
    reviewers: Reviewers = None,
    shape: Annotated[Shape, typer.Option("--format", help="How to print it.")] = "table",
    output: Annotated[
        Path | None, typer.Option(help="Write to this file; a table is written as markdown.")
    ] = None,
    allow_mismatch: AllowMismatch = False,
    seed: Seed = 42,
) -> None:
    """Compare systems: differences with intervals, paired tests, wins and losses.

    Exits with 4 when scores differ in data or protocol, unless --allow-mismatch is given.
    """
    found = sh.compare(
        *systems,
        allow_mismatch=allow_mismatch,
        seed=seed,
        **reading(suite, tasks_dir, few_shot, s2and, reviewers),
    )
    if output is not None:
        found.write(output, "json" if shape == "json" else "md")
        say(f"Written: {output}")
    elif shape == "json":
        print_json(found.to_json(), sort_keys=True)
    elif shape == "md":
        say(found.to_markdown(), nl=False)
    else:
        show_parts(found.parts())
