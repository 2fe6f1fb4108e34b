"""``check``: the regression gate, for CI."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated

import typer

import scirepeval_harness as sh
from scirepeval_harness.cli.options import (
    AllowMismatch,
    DataDir,
    FewShot,
    Offline,
    Reviewers,
    S2and,
    Seed,
    SuiteNames,
    TasksDir,
    declared,
    reading,
)
from scirepeval_harness.cli.output import say, show_parts
from scirepeval_harness.errors import UsageError


def check_command(
    baseline: Annotated[
        str, typer.Option(help="A result folder, or published:NAME, judged by tolerance alone.")
    ],
    candidate: Annotated[
        str | None, typer.Option(help="The result folder that may take its place.")
    ] = None,
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
    early: Annotated[
        bool,
        typer.Option(
            "--early",
            help="Evaluate --model on growing parts of the rankings, and stop at the first that "
            "shows a fall.",
        ),
    ] = False,
    model: Annotated[str | None, declared("models")] = None,
    data: DataDir = None,
    output: Annotated[Path | None, declared("output")] = None,
    cache: Annotated[Path | None, declared("cache")] = None,
    no_cache: Annotated[bool, typer.Option("--no-cache", help="Keep no vectors.")] = False,
    device: Annotated[str | None, declared("device")] = None,
    dtype: Annotated[str | None, declared("dtype")] = None,
    offline: Offline = False,
    everything: Annotated[
        bool, typer.Option("--all", help="Show every score, not only what failed.")
    ] = False,
) -> None:
    """Fail when a candidate falls behind a baseline by more than its tolerance and noise.

    Exits with 0 when it passes, 1 for a regression, 3 when the candidate lacks a score or
    documents, 4 when the two are not comparable. In GitHub Actions the report is added to the
    step summary.
    """
    if early:
        if model is None or candidate is not None:
            raise UsageError("--early evaluates the candidate", fix="Give --model, no --candidate")
        found = sh.check_early(
            model,
            baseline=baseline,
            policy=policy,
            suite=suite,
            tasks_dirs=tasks_dir or (),
            data=data,
            output=output,
            cache=None if no_cache else cache or "default",
            offline=offline,
            device=device,
            dtype=dtype,
            seed=seed,
            progress=sh.Terminal(),
        )
        say(f"{found}\n")
        verdict = found.verdict
    elif candidate is None:
        raise UsageError("no candidate", fix="Give --candidate FOLDER, or --early --model NAME")
    else:
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
