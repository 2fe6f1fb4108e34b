"""The schema of a suite file: task lists, leaderboard columns, readings and data revisions."""

from __future__ import annotations

from pathlib import Path
from typing import Self

from pydantic import Field, PrivateAttr, model_validator

from scirepeval_harness.specs.task import (
    AuthorReading,
    FewShotReading,
    HubTable,
    ReviewerReading,
    Slug,
    Strict,
)


class Readings(Strict):
    """Which reading of the protocol's open points the averages use (docs/protocol.md)."""

    few_shot: FewShotReading = "mean_of_settings"
    reviewer_matching: ReviewerReading = "mean_of_metrics"
    author_disambiguation: AuthorReading = "measured"
    author_disambiguation_constant: float = 96.5


class Column(Strict):
    """One column of the leaderboard.

    Either a mean over the numbers of ``tasks`` (of one ``metric`` only, when given), or the mean
    over all numbers of the columns named in ``pools``.
    """

    name: str
    tasks: tuple[Slug, ...] = ()
    pools: tuple[str, ...] = ()
    metric: str | None = None

    @model_validator(mode="after")
    def check_kind(self) -> Self:
        if bool(self.tasks) == bool(self.pools):
            raise ValueError("a column has either tasks or pools")
        return self


class SuiteSpec(Strict):
    """A named list of tasks and how their scores become a leaderboard row.

    ``revisions`` pins each dataset repository that the tasks use.
    """

    name: Slug
    title: str
    task_set: str
    version: int = Field(default=1, ge=1)
    synthetic: bool = False
    notes: str = ""
    revisions: dict[str, str] = Field(default={})
    readings: Readings = Readings()
    columns: tuple[Column, ...] = ()
    unlisted: tuple[Slug, ...] = ()
    _folder: Path | None = PrivateAttr(default=None)

    @model_validator(mode="after")
    def check_columns(self) -> Self:
        names = [column.name for column in self.columns]
        for number, column in enumerate(self.columns):
            if column.name in names[:number]:
                raise ValueError(f"columns.{number}.name: {column.name!r} is used twice")
            for name in column.pools:
                if not any(other.tasks for other in self.columns if other.name == name):
                    raise ValueError(f"columns.{number}.pools: {name!r} is no column with tasks")
            twice = [name for name in column.tasks if column.tasks.count(name) > 1]
            if twice:
                raise ValueError(f"columns.{number}.tasks: {twice[0]!r} is listed twice")
        return self

    @property
    def folder(self) -> Path | None:
        """Folder of the suite's file, where packaged data lies; None for one made in memory."""
        return self._folder

    def at(self, folder: Path) -> Self:
        """The same suite, knowing that its file lies in ``folder``."""
        placed = self.model_copy()
        placed._folder = folder
        return placed

    def revision_of(self, table: HubTable) -> str | None:
        """The revision of a table: its own, else the one that the suite pins for its repository."""
        return table.revision or self.revisions.get(table.repo)

    def task_names(self) -> tuple[str, ...]:
        """Every task of the suite, in the order of its columns, each once."""
        listed = [task for column in self.columns for task in column.tasks]
        return tuple(dict.fromkeys([*listed, *self.unlisted]))

    def group_of(self, task: str) -> str | None:
        """Name of the first column that lists the task (``In-Train``, ``Out-of-Train``, ...)."""
        return next((column.name for column in self.columns if task in column.tasks), None)
