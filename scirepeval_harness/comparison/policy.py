"""The schema of a policy file: how far scores may fall, and what must be there."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Literal

from pydantic import Field

from scirepeval_harness.errors import SpecError
from scirepeval_harness.roles import Format
from scirepeval_harness.schema import did_you_mean, read_spec
from scirepeval_harness.task.spec import Strict, SuiteSpec, TaskSpec

RANKED = (Format.PROXIMITY, Format.ADHOC_SEARCH)


class Tolerances(Strict):
    """Points by which a score may fall. The four defaults are by kind of score; an entry in a
    table goes before them: that of a task (``task`` or ``task:key``), then of a format, then of a
    group. ``columns`` are averages by name."""

    ranking: float = Field(default=0.1, ge=0)
    probes: float = Field(default=0.25, ge=0)
    few_shot: float = Field(default=0.75, ge=0)
    averages: float = Field(default=0.1, ge=0)
    tasks: dict[str, float] = Field(default={})
    formats: dict[Format, float] = Field(default={})
    groups: dict[str, float] = Field(default={})
    columns: dict[str, float] = Field(default={})


class Floors(Strict):
    """Scores below which a candidate fails whatever the baseline is: by ``task``, which means all
    its scores, or ``task:key``, and averages by column."""

    tasks: dict[str, float] = Field(default={})
    columns: dict[str, float] = Field(default={})


class Policy(Strict):
    """How a gate judges.

    A score fails when it falls by more than its tolerance and its p-value, corrected over all
    scores, is at most ``alpha``; with ``alpha = 1`` the tolerance alone decides. ``fails_on``
    ``change`` also fails a score that rises, for a project whose scores should stay. ``required``
    tasks must be in the candidate even where the baseline does not have them.

    Example:
        >>> import scirepeval_harness as sh
        >>> folder = "results/baselines/sample"
        >>> policy = sh.Policy.model_validate({"tolerance": {"tasks": {"sample-year": 30}}})
        >>> sh.check(baseline=f"{folder}/tfidf", candidate=f"{folder}/minilm", policy=policy).passed
        True
    """

    alpha: float = Field(default=0.05, gt=0, le=1)
    fails_on: Literal["drop", "change"] = "drop"
    required: tuple[str, ...] = ()
    tolerance: Tolerances = Tolerances()
    floors: Floors = Floors()

    def tolerance_of(self, task: str, key: str, format: str, group: str | None) -> float:
        """Points by which one score of a task may fall."""
        own = self.tolerance
        chosen = (
            own.tasks.get(f"{task}:{key}"),
            own.tasks.get(task),
            own.formats.get(Format(format)),
            own.groups.get(group) if group is not None else None,
        )
        for value in chosen:
            if value is not None:
                return value
        if Format(format) in RANKED:
            return own.ranking
        return own.few_shot if "@" in key else own.probes

    def floor_of(self, task: str, key: str) -> float | None:
        """The least score allowed, or None."""
        return self.floors.tasks.get(f"{task}:{key}", self.floors.tasks.get(task))

    def column_tolerance(self, column: str) -> float:
        """Points by which an average may fall."""
        return self.tolerance.columns.get(column, self.tolerance.averages)


def read_policy(path: Path, suites: Sequence[SuiteSpec], tasks: Mapping[str, TaskSpec]) -> Policy:
    """The policy of a file, every name of which is known: a misspelt one would guard nothing.

    Raises:
        SpecError: malformed TOML, a wrong type, or an unknown task, group or column.
    """
    policy = read_spec(Policy, path)
    columns = [column.name for suite in suites for column in suite.columns]
    by_task = [*policy.tolerance.tasks, *policy.floors.tasks]
    _check(path, "task", [name.partition(":")[0] for name in by_task], tasks)
    _check(path, "task", policy.required, tasks)
    _check(path, "group", policy.tolerance.groups, columns)
    _check(path, "column", [*policy.tolerance.columns, *policy.floors.columns], columns)
    for name in by_task:
        task, _, key = name.partition(":")
        if key and not any(metric in key for metric in tasks[task].metrics):
            raise SpecError(
                f"task {task!r} has no score {key!r}",
                where=str(path),
                fix=f"Its metrics are {', '.join(tasks[task].metrics)}",
            )
    return policy


def _check(path: Path, kind: str, names: Iterable[str], known: Iterable[str]) -> None:
    choices = list(known)
    for name in names:
        if name not in choices:
            raise SpecError(
                f"unknown {kind} {name!r}", where=str(path), fix=did_you_mean(name, choices)
            )
