"""``check``: the regression gate, for CI."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from scirepeval_harness.cli.compare import AllowMismatch, Seed
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
    from scirepeval_harness.comparison.gate import GateReport
    from scirepeval_harness.comparison.systems import System
    from scirepeval_harness.tasks.spec import SuiteSpec


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
) -> None:
    """Fail when a candidate falls behind a baseline by more than its tolerance and noise.

    Exits with 0 when it passes, 1 for a regression, 3 when the candidate lacks a score or
    documents, 4 when the two are not comparable. In GitHub Actions the report is added to the
    step summary.
    """
    from scirepeval_harness.comparison.gate import gate
    from scirepeval_harness.comparison.policy import Policy, read_policy
    from scirepeval_harness.comparison.systems import find_result, read_systems
    from scirepeval_harness.files import bundled, write_json, write_text
    from scirepeval_harness.report.gate import (
        append_step_summary,
        gate_markdown,
        gate_values,
        junit_xml,
    )
    from scirepeval_harness.results.leaderboard import read_published
    from scirepeval_harness.tasks.registry import load_registry

    registry = load_registry(tasks_dir or ())
    own = find_result(candidate)
    if own is None:
        raise UsageError("no such result folder", where=candidate, fix="Give one that `run` wrote")
    of_baseline = find_result(baseline)
    names = suite or list((of_baseline or own).run.suites)
    suites = suites_under(registry, names, few_shot, s2and, reviewers)
    if of_baseline is None and not suite:
        # A published row may cover more suites than the candidate ran: what is missing must show.
        sets = {entry.task_set for entry in suites}
        related = [name for name, entry in registry.suites.items() if entry.task_set in sets]
        suites = suites_under(registry, related, few_shot, s2and, reviewers)
    rules = Policy() if policy is None else read_policy(policy, suites, registry.tasks)
    published = read_published(bundled("results/published"))
    base, other = read_systems([baseline, candidate], published, suites)
    if base.published:
        suites = [entry for entry in suites if _covers(base, entry)]
    report = gate(
        base, other, suites, registry.tasks, rules, seed=seed, allow_mismatch=allow_mismatch
    )
    if not report.cases:
        raise UsageError(
            "the baseline has no score to judge by", where=baseline, fix="Choose another --suite"
        )
    text = gate_markdown(report)
    if json is not None:
        write_json(json, gate_values(report))
    if junit is not None:
        write_text(junit, junit_xml(report))
    if markdown is not None:
        write_text(markdown, text)
    append_step_summary(text, os.environ)
    _show(report)
    raise typer.Exit(report.exit_code)


def _covers(base: System, suite: SuiteSpec) -> bool:
    """Whether a published row has anything of a suite."""
    columns = {column.name for column in suite.columns}
    return bool(columns & set(base.columns) or set(suite.task_names()) & set(base.scores))


def _show(report: GateReport) -> None:
    from scirepeval_harness.report import gate as shape

    typer.echo(shape.names_line(report))
    typer.echo("")
    print_table(shape.gate_table(report.cases))
    blind = shape.blind_line(report)
    if blind:
        typer.echo(f"\n{blind}")
    typer.echo(f"\n{shape.verdict_line(report)}")
