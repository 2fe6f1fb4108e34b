"""``compare``: systems against a first one, score by score."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from scirepeval_harness.cli.options import (
    FewShot,
    Reviewers,
    S2and,
    SuiteNames,
    TasksDir,
    suites_under,
)
from scirepeval_harness.cli.tables import print_table
from scirepeval_harness.errors import UsageError

if TYPE_CHECKING:
    from scirepeval_harness.comparison.records import Comparison


Shape = Literal["table", "md", "json"]
AllowMismatch = Annotated[
    bool,
    typer.Option("--allow-mismatch", help="Compare what differs in data or protocol all the same."),
]
Seed = Annotated[int, typer.Option(help="Of the permutations.")]


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
    from scirepeval_harness.comparison.compare import compare
    from scirepeval_harness.comparison.systems import find_result, read_systems
    from scirepeval_harness.files import bundled, write_json, write_text
    from scirepeval_harness.report.comparison import comparison_markdown, comparison_values
    from scirepeval_harness.results.leaderboard import read_published
    from scirepeval_harness.tasks.registry import load_registry

    if len(systems) < 2:
        raise UsageError("one system cannot be compared", fix="Give two or more")
    registry = load_registry(tasks_dir or ())
    results = [result for text in systems if (result := find_result(text)) is not None]
    own = list(dict.fromkeys(name for result in results for name in result.run.suites))
    suites = suites_under(registry, suite or own, few_shot, s2and, reviewers)
    published = read_published(bundled("results/published"))
    base, *others = read_systems(systems, published, suites)
    found = [
        compare(base, other, suites, registry.tasks, seed=seed, allow_mismatch=allow_mismatch)
        for other in others
    ]
    if shape == "json":
        import json

        values = [comparison_values(entry) for entry in found]
        if output is not None:
            write_json(output, values)
        else:
            typer.echo(json.dumps(values, indent=2, sort_keys=True, ensure_ascii=False))
    elif output is not None:
        write_text(output, "\n".join(comparison_markdown(entry) for entry in found))
    elif shape == "md":
        typer.echo("\n".join(comparison_markdown(entry) for entry in found), nl=False)
    else:
        for number, entry in enumerate(found):
            if number:
                typer.echo("")
            _show(entry)
    if output is not None:
        typer.echo(f"Written: {output}")


def _show(comparison: Comparison) -> None:
    from scirepeval_harness.report import comparison as render

    typer.echo(render.heading(comparison))
    if comparison.tasks:
        typer.echo("")
        print_table(replace(render.score_table(comparison), caption=""))
    for means in render.mean_tables(comparison):
        typer.echo("")
        print_table(replace(means, caption=""))
    if comparison.mismatches:
        typer.echo("\nNot comparable:")
        for line in render.mismatch_lines(comparison.mismatches):
            typer.echo(f"  {line}")
    for line in render.untested_lines(comparison):
        typer.echo(f"\n{line}")
    typer.echo(f"\n{render.METHOD}")
