"""``report``: a folder with everything that results say."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from scirepeval_harness.cli.options import (
    FewShot,
    Reviewers,
    S2and,
    SuiteNames,
    TasksDir,
    suites_under,
)
from scirepeval_harness.errors import UsageError

if TYPE_CHECKING:
    from scirepeval_harness.comparison.systems import System
    from scirepeval_harness.results.folder import Result
    from scirepeval_harness.results.leaderboard import PublishedScore
    from scirepeval_harness.tasks.spec import SuiteSpec


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
) -> None:
    """Write a report: markdown, a page, plots, and the leaderboard as CSV, LaTeX and JSON.

    The same results give the same bytes.
    """
    from scirepeval_harness.comparison.compare import examine
    from scirepeval_harness.files import bundled
    from scirepeval_harness.models.registry import load_models
    from scirepeval_harness.report.build import build_report, check_suites
    from scirepeval_harness.report.model_card import add_to_model_card
    from scirepeval_harness.report.pages import default_folder, write_report
    from scirepeval_harness.results.folder import load_results
    from scirepeval_harness.results.leaderboard import read_published
    from scirepeval_harness.tasks.registry import load_registry

    registry = load_registry(tasks_dir or ())
    loaded = load_results(results)
    if model_card is not None and len(loaded) != 1:
        raise UsageError(
            f"{len(loaded)} results, but a model card is of one model",
            fix="Give the folder of one result; --baseline may name another",
        )
    loaded, place = _with_baseline(loaded, baseline)
    names = suite or list(dict.fromkeys(name for result in loaded for name in result.run.suites))
    suites = suites_under(registry, names, few_shot, s2and, reviewers)
    check_suites(suites)
    scores = read_published(bundled("results/published"))
    systems, base = _systems(loaded, place, baseline, scores, suites)
    others = [system for system in systems if system is not base]
    report = build_report(
        loaded,
        suites,
        registry.tasks,
        published=scores if published else (),
        model_titles={model.name: model.title for model in load_models().values()},
        comparisons=[
            examine(base, other, suites, registry.tasks, seed=seed, allow_mismatch=False)
            for other in others
        ],
    )
    folder = output or default_folder(report)
    written = write_report(report, folder)
    if model_card is not None:
        own = loaded[-1]
        row = report.rows[len(loaded) - 1]
        number = add_to_model_card(model_card, own, row, suites, registry.tasks)
        typer.echo(f"Model card: {model_card} ({number} results)")
    typer.echo(f"Report: {folder} ({len(written)} files)")
    typer.echo(f"Open: {folder / 'report.html'}")


def _with_baseline(
    results: Sequence[Result], baseline: str | None
) -> tuple[tuple[Result, ...], int | None]:
    """The results with the baseline among them, and its place; None for a published one."""
    from scirepeval_harness.comparison.systems import find_result

    if baseline is None:
        return tuple(results), 0
    base = find_result(baseline)
    if base is None:
        return tuple(results), None
    for place, result in enumerate(results):
        if result.folder.resolve() == base.folder.resolve():
            return tuple(results), place
    return (base, *results), 0


def _systems(
    results: Sequence[Result],
    place: int | None,
    baseline: str | None,
    scores: Sequence[PublishedScore],
    suites: Sequence[SuiteSpec],
) -> tuple[list[System], System]:
    """The results under the titles of the report, and what they are compared with."""
    from scirepeval_harness.comparison.systems import measured_system, read_systems
    from scirepeval_harness.report.build import unique_titles

    titles = unique_titles(results)
    systems = [
        replace(measured_system(result), title=title)
        for title, result in zip(titles, results, strict=True)
    ]
    if place is not None or baseline is None:
        return systems, systems[place or 0]
    (base,) = read_systems([baseline], scores, suites)
    return systems, base
