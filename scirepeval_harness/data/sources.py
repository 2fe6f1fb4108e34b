"""Where the tables of a task lie: a folder in the benchmark's own form, or hub repositories."""

from __future__ import annotations

from pathlib import Path
from typing import Literal, Protocol

from scirepeval_harness.data.hub import HubConfig, open_config
from scirepeval_harness.data.rows import Table, csv_table, json_lines
from scirepeval_harness.errors import DataError
from scirepeval_harness.specs.suite import SuiteSpec
from scirepeval_harness.specs.task import Evaluation, HubTable, TaskSpec

Split = Literal["train", "test", "test_hard", "test_soft"]
PACKAGED = "data"
"""Folder beside a suite's file that holds the data of a suite that ships with its data."""


class Source(Protocol):
    """The tables of one task."""

    kind: str

    def documents(self) -> Table: ...

    def labels(self, split: Split) -> Table: ...

    def reviewers(self) -> Table: ...

    def revision(self) -> str | None:
        """The commit of the documents' repository, where there is one."""
        ...

    def described(self, part: Literal["documents", "labels"]) -> str:
        """Repository and config, or relative path, for the record."""
        ...


def choose_source(
    task: TaskSpec, suite: SuiteSpec, directory: Path | None, *, offline: bool
) -> Source:
    """The user's folder if given, else data beside the suite's file, else the hub.

    Raises:
        DataError: the folder does not exist, or the task is in none of these places.
    """
    if directory is not None:
        if not directory.is_dir():
            raise DataError("no such folder", where=str(directory), fix="Check --data")
        return LocalSource(task, directory, "local")
    if suite.folder is not None and (suite.folder / PACKAGED).is_dir():
        return LocalSource(task, suite.folder / PACKAGED, "packaged")
    if task.hub is None:
        raise DataError(
            "the data of this task is not on the hub",
            where=f"task {task.name}",
            fix="Download it (see `tasks show`) and pass its folder with --data",
        )
    return HubSource(task, suite, offline=offline)


class LocalSource:
    """Files below a folder, at the paths that the task file gives."""

    def __init__(self, task: TaskSpec, folder: Path, kind: str) -> None:
        self.kind = kind
        self._task, self._folder = task, folder

    def path(self, part: Literal["documents", "labels", "reviewers", "pools", "blocks"]) -> Path:
        """The path of a part; raises DataError where the task file names none."""
        relative = getattr(self._task.local, part)
        if relative is None:
            raise DataError(
                f"the task file gives no local path for {part}",
                where=f"task {self._task.name}",
                fix=f"Add {part} under [local]",
            )
        return self._folder / str(relative)

    def documents(self) -> Table:
        return json_lines(self.path("documents"))

    def labels(self, split: Split) -> Table:
        folder = self.path("labels")
        if self._task.evaluation is Evaluation.PROBE:
            return csv_table(folder / f"{split}.csv")
        return json_lines(folder / f"{split}_qrel.jsonl")

    def reviewers(self) -> Table:
        name = "reviewer_metadata.jsonl"
        own = self.path("reviewers") / name
        # Older copies of the benchmark keep the list beside the labels.
        return json_lines(own if own.is_file() else self.path("labels") / name)

    def revision(self) -> str | None:
        return None

    def described(self, part: Literal["documents", "labels"]) -> str:
        local = self._task.local
        names = {
            "documents": local.documents or local.blocks,
            "labels": local.labels or local.pools or local.blocks,
        }
        return str(names[part])


class HubSource:
    """Tables of dataset repositories, each config opened once."""

    kind = "hub"

    def __init__(self, task: TaskSpec, suite: SuiteSpec, *, offline: bool) -> None:
        self._task, self._suite, self._offline = task, suite, offline
        self._opened: dict[str, HubConfig] = {}

    def open_all(self) -> None:
        """Download every table of the task."""
        for part in ("documents", "labels", "reviewers"):
            if getattr(self._task.hub, part) is not None:
                self._config(part)

    def documents(self) -> Table:
        table, config = self._config("documents")
        return config.table(table.split or "evaluation")

    def labels(self, split: Split) -> Table:
        table, config = self._config("labels")
        return config.table(table.split or split)

    def reviewers(self) -> Table:
        table, config = self._config("reviewers")
        return config.table(table.split or "metadata")

    def revision(self) -> str | None:
        commits = {
            part: self._config(part)[1].commit
            for part in ("documents", "labels")
            if getattr(self._task.hub, part) is not None
        }
        return ",".join(f"{part}={commit}" for part, commit in commits.items())

    def described(self, part: Literal["documents", "labels"]) -> str:
        table = getattr(self._task.hub, part)
        return f"{table.repo}/{table.config}" if table else ""

    def _config(self, part: str) -> tuple[HubTable, HubConfig]:
        table = getattr(self._task.hub, part)
        if table is None:
            raise DataError(
                f"the task file names no {part} on the hub",
                where=f"task {self._task.name}",
                fix="Pass a local folder with --data",
            )
        key = f"{table.repo}/{table.config}"
        if key not in self._opened:
            revision = self._suite.revision_of(table)
            self._opened[key] = open_config(
                table, revision, offline=self._offline, task=self._task.name
            )
        return table, self._opened[key]
