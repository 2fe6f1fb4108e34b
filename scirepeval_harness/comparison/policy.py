"""The schema of a policy file: how far scores may fall, and what must be there."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Annotated, Literal

from pydantic import Field

from scirepeval_harness.errors import SpecError
from scirepeval_harness.roles import Format
from scirepeval_harness.schema import did_you_mean
from scirepeval_harness.task.spec import Strict, SuiteSpec

RANKED = (Format.PROXIMITY, Format.ADHOC_SEARCH)
# No score can fall by more or reach higher; NaN compares false with everything, and would pass all.
Points = Annotated[float, Field(ge=0, le=100, allow_inf_nan=False)]


class Tolerances(Strict):
    """Points by which a score may fall. The four defaults are by kind of score; an entry in a
    table goes before them: that of a task (``task`` or ``task:key``), then of a format, then of a
    group. ``columns`` are averages by name."""

    ranking: Points = 0.1
    probes: Points = 0.25
    few_shot: Points = 0.75
    averages: Points = 0.1
    tasks: dict[str, Points] = Field(default={})
    formats: dict[Format, Points] = Field(default={})
    groups: dict[str, Points] = Field(default={})
    columns: dict[str, Points] = Field(default={})


class HardLimits(Strict):
    """Points by which a score may fall at most, however few its items and whatever the test says:
    by ``task`` or ``task:key``, else by format; averages by column."""

    tasks: dict[str, Points] = Field(default={})
    formats: dict[Format, Points] = Field(default={})
    columns: dict[str, Points] = Field(default={})


class Floors(Strict):
    """Scores below which a candidate fails whatever the baseline is: by ``task``, which means all
    its scores, or ``task:key``, and averages by column. What has a floor must be there."""

    tasks: dict[str, Points] = Field(default={})
    columns: dict[str, Points] = Field(default={})


class Policy(Strict):
    """How a gate judges.

    A score fails when it falls by more than its tolerance and its p-value, corrected over all
    scores, is at most ``alpha``; with ``alpha = 1`` the tolerance alone decides. It fails also,
    whatever the test says, when it falls by more than a ``hard_limit``. ``fails_on``
    ``change`` also fails a score that rises, for a project whose scores should stay. ``required``
    tasks must be in the candidate even where the baseline does not have them.

    Example:
        >>> import scirepeval_harness as sh
        >>> folder = "results/baselines/sample"
        >>> policy = sh.Policy.model_validate({"tolerance": {"tasks": {"sample-year": 30}}})
        >>> sh.check(baseline=f"{folder}/tfidf", candidate=f"{folder}/minilm", policy=policy).passed
        True
    """

    alpha: float = Field(default=0.05, gt=0, le=1, allow_inf_nan=False)
    fails_on: Literal["drop", "change"] = "drop"
    required: tuple[str, ...] = ()
    tolerance: Tolerances = Tolerances()
    hard_limit: HardLimits = HardLimits()
    floors: Floors = Floors()

    def tolerance_of(self, task: str, key: str, format: str, group: str | None) -> float:
        """Points by which one score of a task may fall."""
        points = self.tolerance
        by_name = (
            points.tasks.get(f"{task}:{key}"),
            points.tasks.get(task),
            points.formats.get(Format(format)),
            points.groups.get(group) if group is not None else None,
        )
        for value in by_name:
            # Not `or`: a tolerance of 0 is one.
            if value is not None:
                return value
        if Format(format) in RANKED:
            return points.ranking
        # A few-shot setting ("f1_macro@64-shot") draws its few rows, and moves the most.
        return points.few_shot if "@" in key else points.probes

    def hard_limit_of(self, task: str, key: str, format: str) -> float | None:
        """Points by which one score of a task may fall at most, or None."""
        limits = self.hard_limit
        of_task = limits.tasks.get(f"{task}:{key}", limits.tasks.get(task))
        return limits.formats.get(Format(format)) if of_task is None else of_task

    def floor_of(self, task: str, key: str) -> float | None:
        """The least score allowed, or None."""
        return self.floors.tasks.get(f"{task}:{key}", self.floors.tasks.get(task))

    def column_tolerance(self, column: str) -> float:
        """Points by which an average may fall."""
        return self.tolerance.columns.get(column, self.tolerance.averages)

    def needs(self, task: str) -> bool:
        """Whether the candidate must have a task: required, or held to a floor."""
        return task in self.required or any(
            name.partition(":")[0] == task for name in self.floors.tasks
        )

    def check_names(
        self, suites: Sequence[SuiteSpec], keys: Mapping[str, Collection[str]], where: str
    ) -> None:
        """Raise SpecError for a name that is in none of the suites or results: it guards nothing.

        Args:
            keys: the score keys of each task that any of the results has.
            where: the policy's file, for the error.
        """
        columns = [column.name for suite in suites for column in suite.columns]
        tasks = [name for suite in suites for name in suite.task_names()]
        tables = (self.tolerance, self.hard_limit, self.floors)
        by_task = [name.partition(":")[::2] for table in tables for name in table.tasks]
        by_column = [name for table in tables for name in table.columns]
        of = f" in {', '.join(suite.name for suite in suites)}"
        _check(where, "task", of, [*(task for task, _ in by_task), *self.required], tasks)
        groups = [suite.group_of(name) or "" for suite in suites for name in suite.task_names()]
        _check(where, "group", of, self.tolerance.groups, dict.fromkeys(filter(None, groups)))
        _check(where, "column", of, by_column, columns)
        for task, key in by_task:
            # A task without any score is a case of its own, or of no interest to either.
            if key and keys.get(task):
                _check(where, "score", f" of task {task}", [key], keys[task])


def _check(where: str, kind: str, of: str, names: Iterable[str], known: Iterable[str]) -> None:
    choices = list(known)
    for name in names:
        if name not in choices:
            raise SpecError(
                f"unknown {kind} {name!r}{of}", where=where, fix=did_you_mean(name, choices)
            )
