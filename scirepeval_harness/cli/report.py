"""``report``: a folder with everything that results say."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

import scirepeval_harness as sh
from scirepeval_harness.cli.options import (
    DataDir,
    FewShot,
    Reviewers,
    S2and,
    SuiteNames,
    TasksDir,
    reading,
)
from scirepeval_harness.cli.output import say


def report_command(
    results: Annotated[list[Path], typer.Argument(help="Result folders, or folders of them.")],
    published: Annotated[bool, typer.Option("--published", help="Add the published rows.")] = False,
    baseline: Annotated[
        str | None,
        typer.Option(
            help="Show differences from this result folder or published:NAME. Default: the first "
            "result.",
        ),
    ] = None,
    output: Annotated[
        Path | None, typer.Option(help="Folder to write. Default: below results/reports.")
    ] = None,
    model_card: Annotated[
        Path | None,
        typer.Option(
            help="Add the one result's scores to this Hugging Face model card, made when missing."
        ),
    ] = None,
    suite: SuiteNames = None,
    tasks_dir: TasksDir = None,
    few_shot: FewShot = None,
    s2and: S2and = None,
    reviewers: Reviewers = None,
    seed: Annotated[int, typer.Option(help="Of the permutation tests.")] = 42,
    items: Annotated[
        int, typer.Option(min=0, help="So many of each task's worst and best items on the page.")
    ] = 3,
    texts: Annotated[
        bool, typer.Option("--texts", help="Show their texts, read from the tasks' data.")
    ] = False,
    data: DataDir = None,
) -> None:
    """Write a report: markdown, a page, plots, and the leaderboard as CSV, LaTeX and JSON.

    The same results give the same bytes.
    """
    written = sh.report(
        results,
        output,
        published=published,
        baseline=baseline,
        model_card=model_card,
        seed=seed,
        items=items,
        texts=texts,
        data=data,
        **reading(suite, tasks_dir, few_shot, s2and, reviewers),
    )
    if model_card is not None:
        say(f"Model card: {model_card} ({written.model_card_results} results)")
    say(f"Report: {written.folder} ({len(written.files)} files)")
    say(f"Open: {written.page}")
