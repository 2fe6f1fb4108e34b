"""The plan of a run on the terminal."""

from __future__ import annotations

from collections.abc import Sequence

import typer

from scirepeval_harness.cli.tables import show_table
from scirepeval_harness.encoding.plan import (
    ModelPlan,
    SpacePlan,
    summary,
    time_in_words,
    tokens_in_words,
)
from scirepeval_harness.errors import IncompleteRunError

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
