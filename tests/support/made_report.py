"""A small report made by hand: two results, one of them with a failed and a partial task."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from scirepeval_harness.comparison.compare import examine
from scirepeval_harness.comparison.systems import measured_system
from scirepeval_harness.reporting.build import build_report, unique_titles
from scirepeval_harness.reporting.content import Report
from scirepeval_harness.results.folder import Result, load_result
from scirepeval_harness.results.leaderboard import PublishedScore
from scirepeval_harness.results.record import CoverageRecord
from scirepeval_harness.statistics.bootstrap import interval
from scirepeval_harness.task.spec import Column, SuiteSpec, TaskSpec
from tests.support.made_results import MadeTask, queries, query_task, write_result

START = np.linspace(0.3, 0.7, 40)
WAVE = 0.01 * np.sin(np.arange(40))
SECONDS = {"load": 0.5, "encode": 2.0, "score": 0.25}
PUBLISHED = (
    PublishedScore("", "Old Model", "column", "In-Train", "mean", 61.2, "published", "made", "a"),
    PublishedScore("", "Old Model", "task", "related", "map", 52.5, "published", "made", "b"),
    PublishedScore("", "Other Set", "column", "In-Train", "mean", 99.0, "published", "v1", "a"),
)


@dataclass(frozen=True)
class Made:
    """A report with what it was made of."""

    report: Report
    results: tuple[Result, ...]
    suite: SuiteSpec
    tasks: dict[str, TaskSpec]


def made_suite(**update: object) -> tuple[SuiteSpec, dict[str, TaskSpec]]:
    """Two groups and their mean, over three tasks of two formats."""
    title = str(update.pop("task_title", "Related Papers"))
    related = query_task("related", title=title)
    search = query_task("search", title="Search", format="adhoc_search", metrics=("map", "ndcg"))
    lost = query_task("lost", title="Lost")
    values = {
        "name": "made",
        "title": "Made Suite",
        "task_set": "made",
        "columns": (
            Column(name="In-Train", tasks=("related", "search")),
            Column(name="Out-of-Train", tasks=("lost",)),
            Column(name="Average", pools=("In-Train", "Out-of-Train")),
        ),
    }
    suite = SuiteSpec(**{**values, **update})  # type: ignore[arg-type]
    return suite, {task.name: task for task in (related, search, lost)}


def finished(task: MadeTask, data: dict[str, bool]) -> MadeTask:
    """The task as a run writes it: the interval of its draws beside each score."""
    scores = tuple(
        score.model_copy(update={"interval": interval(task.draws[score.key])})
        for score in task.record.scores
    )
    assert task.record.data is not None
    return task.with_record(scores=scores, data=task.record.data.model_copy(update=data))


def made_results(
    folder: Path, suite: SuiteSpec, tasks: dict[str, TaskSpec], titles: tuple[str, str]
) -> tuple[Result, ...]:
    """Two results on disk: the second is 1 point better and 2 worse, and lost a task."""
    related, search, lost = (tasks[name] for name in ("related", "search", "lost"))
    made = {"synthetic": suite.synthetic}
    first = [queries(suite, task, START, titles[0]) for task in (related, search, lost)]
    half = CoverageRecord(documents_needed=40, documents_found=20)
    second = [
        queries(suite, related, START + 0.01 + WAVE, titles[1]),
        queries(suite, search, START - 0.02 + WAVE, titles[1]).with_record(coverage=half),
        queries(suite, lost, START, titles[1]).with_record(
            status="failed", error=f"no vectors: {titles[1]}", scores=(), warnings=(titles[1],)
        ),
    ]
    return tuple(
        _timed(load_result(write_result(folder, title, *(finished(o, made) for o in own))), place)
        for place, (title, own) in enumerate(zip(titles, (first, second), strict=True))
    )


def _timed(result: Result, place: int) -> Result:
    entries = tuple(entry.model_copy(update={"seconds": SECONDS}) for entry in result.run.tasks)
    update = {
        "tasks": entries,
        "seconds": {"total": 9.0},
        "documents_encoded": 300 * (1 - place),
        "documents_cached": 300 * place,
        "hardware": {"cpu": "Made CPU", "cores": "2"},
        "packages": {"python": "3.11.0", "numpy": "2.0.0"},
        "arguments": {"models": [result.run.model.title], "suites": ["made"], "seed": 42},
    }
    return replace(result, run=result.run.model_copy(update=update))


def made_report(
    folder: Path,
    titles: tuple[str, str] = ("Model A", "Model B"),
    published: bool = True,
    **update: object,
) -> Made:
    """The whole report; ``update`` changes the suite, or ``task_title``."""
    suite, tasks = made_suite(**update)
    results = made_results(folder, suite, tasks, titles)
    names = unique_titles(results)
    base, other = (
        replace(measured_system(result), title=name)
        for result, name in zip(results, names, strict=True)
    )
    comparison = examine(base, other, [suite], tasks, seed=1, allow_mismatch=False)
    report = build_report(
        results,
        [suite],
        tasks,
        published=PUBLISHED if published else (),
        comparisons=[comparison],
    )
    return Made(report, results, suite, tasks)
