"""Results made by hand: items first, scores from them, as a run would leave them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pandas as pd

from scirepeval_harness.comparison.systems import System
from scirepeval_harness.evaluations.base import Outcome, Score
from scirepeval_harness.evaluations.items import bootstrap
from scirepeval_harness.results.folder import digests, slug, write_run, write_task
from scirepeval_harness.results.record import (
    CoverageRecord,
    DataRecord,
    ModelRecord,
    RunRecord,
    ScoreRecord,
    TaskRecord,
    TaskRun,
)
from scirepeval_harness.task.spec import Column, SuiteSpec, TaskSpec

SETTINGS = {
    "seed": 42,
    "limit": None,
    "probe": "reference",
    "width": "float32",
    "allow_missing": False,
}


@dataclass(frozen=True)
class MadeTask:
    """A task's record with its items and draws."""

    record: TaskRecord
    items: pd.DataFrame
    draws: Mapping[str, np.ndarray]

    def with_record(self, **update: object) -> MadeTask:
        return replace(self, record=self.record.model_copy(update=update))


@dataclass(frozen=True)
class MadeItems:
    """Items and draws by task, as a result gives them."""

    tasks: Mapping[str, MadeTask]

    def items(self, task: str) -> pd.DataFrame:
        return self.tasks[task].items

    def draws(self, task: str) -> pd.DataFrame:
        return pd.DataFrame(dict(self.tasks[task].draws))


def query_task(name: str = "t", **update: object) -> TaskSpec:
    """A proximity task with one metric."""
    values = {"title": f"Task {name}", "format": "proximity", "evaluation": "ranking"}
    return TaskSpec(name=name, **{**values, "metrics": ("map",), **update})  # type: ignore[arg-type]


def suite_of(*tasks: TaskSpec, **update: object) -> SuiteSpec:
    """A suite with one column of all tasks."""
    columns = (Column(name="Average", tasks=tuple(task.name for task in tasks)),)
    values = {"name": "made", "title": "Made", "task_set": "made", "columns": columns}
    return SuiteSpec(**{**values, **update})  # type: ignore[arg-type]


def made_task(
    suite: SuiteSpec,
    task: TaskSpec,
    outcome: Outcome,
    model: str,
    draws: Mapping[str, np.ndarray] | None = None,
) -> MadeTask:
    """The record that a run would write for an outcome; ``draws`` where they are known already."""
    if draws is None:
        draws = bootstrap(outcome, seed=42, stream=task.name, draws=1000)
    # Distinct ones, as a run counts them.
    items = len(outcome.items.drop_duplicates([*{"field", "item"} & {*outcome.items}]))
    record = TaskRecord(
        suite=suite.name,
        task=task.name,
        title=task.title,
        version=task.version,
        definition_hash=task.definition_hash(),
        format=task.format,
        evaluation=task.evaluation,
        group=suite.group_of(task.name),
        status="ok",
        data=DataRecord(
            source="made", documents="d", labels="l", revision=None, fingerprint="f" * 64,
            synthetic=True,
        ),
        model=ModelRecord(name=model, title=model, kind="vectors", roles={}),
        settings=SETTINGS,
        coverage=CoverageRecord(documents_needed=items, documents_found=items),
        item_kind=outcome.kind,
        scores=tuple(
            ScoreRecord(key=s.key, metric=s.metric, setting=s.setting, value=s.value, items=items)
            for s in outcome.scores
        ),
        notes=dict(outcome.notes),
        signature="made",
    )  # fmt: skip
    return MadeTask(record, outcome.items, draws)


def queries(
    suite: SuiteSpec,
    task: TaskSpec,
    values: Sequence[float] | np.ndarray,
    model: str = "m",
    draws: Mapping[str, np.ndarray] | None = None,
) -> MadeTask:
    """A ranking task from one value (0..1) a query, the same for each of its metrics."""
    own = np.asarray(values, dtype=np.float64)
    names = [f"q{number}" for number in range(len(own))]
    frames = [
        pd.DataFrame({"field": "", "item": names, "metric": metric, "value": own})
        for metric in task.metrics
    ]
    scores = tuple(Score(metric, 100 * float(own.mean())) for metric in task.metrics)
    items = pd.concat(frames, ignore_index=True)
    return made_task(suite, task, Outcome(scores, "queries", items), model, draws)


def system(title: str, *tasks: MadeTask) -> System:
    """A system in memory."""
    by_name = {task.record.task: task for task in tasks}
    return System(
        title=title,
        scores={
            name: {score.key: score.value for score in task.record.scores}
            for name, task in by_name.items()
            if task.record.status == "ok"
        },
        records={name: task.record for name, task in by_name.items()},
        items=MadeItems(by_name),
        suites=tuple(dict.fromkeys(task.record.suite for task in tasks)),
    )


def write_result(folder: Path, title: str, *tasks: MadeTask) -> Path:
    """A result folder of the tasks; returns it."""
    own = folder / slug(title)
    model = ModelRecord(name=title, title=title, kind="vectors", roles={})
    tasks = tuple(task.with_record(model=model) for task in tasks)
    for task in tasks:
        write_task(own, task.record, task.items, task.draws)
    write_run(
        own,
        RunRecord(
            harness_version="0",
            model=model,
            suites=tuple(dict.fromkeys(task.record.suite for task in tasks)),
            status="ok",
            created_at="2026-01-01T00:00:00+00:00",
            arguments={},
            tasks=tuple(
                TaskRun(
                    suite=t.record.suite,
                    task=t.record.task,
                    status=t.record.status,
                    seconds={},
                    files=digests(own, t.record.suite, t.record.task),
                )
                for t in tasks
            ),
            documents_encoded=0,
            documents_cached=0,
            seconds={},
            packages={},
            hardware={},
            git_commit=None,
            git_dirty=None,
            signature="made",
        ),
    )
    return own
