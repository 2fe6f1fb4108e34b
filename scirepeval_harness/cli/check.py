"""``check``: the regression gate, for CI."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated

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
from scirepeval_harness.cli.output import show_parts


def check_command(
    baseline: Annotated[
        str, typer.Option(help="A result folder, or published:NAME, judged by tolerance alone.")
    ],
    candidate: Annotated[str, typer.Option(help="The result folder that may take its place.")],
    policy: Annotated[
        Path | None, typer.Option(help="TOML: tolerances, alpha, required tasks, floors.")
    ] = None,
    json: Annotated[Path | None, typer.Option("--json", help="Write all numbers here.")] = None,
    junit: Annotated[Path | None, typer.Option(help="Write JUnit XML here.")] = None,
    markdown: Annotated[Path | None, typer.Option(help="Write a markdown report here.")] = None,
    suite: SuiteNames = None,
    tasks_dir: TasksDir = None,
    few_shot: FewShot = None,
    s2and: S2and = None,
    reviewers: Reviewers = None,
    allow_mismatch: AllowMismatch = False,
    seed: Seed = 42,
    everything: Annotated[
        bool, typer.Option("--all", help="Show every score, not only what failed.")
    ] = False,
) -> None:
    """Fail when a candidate falls behind a baseline by more than its tolerance and noise.

    Exits with 0 when it passes, 1 for a regression, 3 when the candidate lacks a score or
    documents, 4 when the two are not comparable. In GitHub Actions the report is added to the
    step summary.
    """
    verdict = sh.check(
        baseline=baseline,
        candidate=candidate,
        policy=policy,
        allow_mismatch=allow_mismatch,
        seed=seed,
        **reading(suite, tasks_dir, few_shot, s2and, reviewers),
    )
    verdict.write(json=json, junit=junit, markdown=markdown)
    verdict.append_step_summary(os.environ)
    show_parts(verdict.parts(everything=everything))
    raise typer.Exit(verdict.exit_code)
