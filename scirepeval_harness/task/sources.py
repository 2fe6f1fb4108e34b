"""Where the tables of a task lie: a folder in the benchmark's own form, or hub repositories."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal, Protocol

from scirepeval_harness.errors import DataError, OfflineError
from scirepeval_harness.files import regular
from scirepeval_harness.task.download import obtain
from scirepeval_harness.task.spec import HubTable, SuiteSpec, TaskSpec
from scirepeval_harness.task.tables import Row, Table, csv_table, is_list, json_lines

Split = Literal["train", "test", "test_hard", "test_soft"]
# Folder beside a suite's file that holds the data of a suite that ships with its data.
PACKAGED = "data"


class Source(Protocol):
    """The tables of one task."""

    kind: str

    def documents(self) -> Table: ...

    def labels(self, split: Split) -> Table:
        """A label for each document: ``paper_id``, ``label``."""
        ...

    def qrels(self, split: Split) -> Table:
        """Graded pairs: ``query_id``, ``cand_id``, ``score``."""
        ...

    def reviewers(self) -> Table: ...

    def files(self) -> LocalSource:
        """The folder itself, for data in a form of its own; DataError where there is none."""
        ...

    def revision(self) -> str | None:
        """The commit of the documents' repository, where there is one."""
        ...

    def described(self, part: Literal["documents", "labels"]) -> str:
        """Repository and config, or relative path, for the record."""
        ...


def choose_source(
    task: TaskSpec,
    suite: SuiteSpec,
    directory: Path | None,
    *,
    offline: bool,
    opened: Opened | None = None,
) -> Source:
    """The user's folder if given, else data beside the suite's file, else the hub (for ``opened``
    see :class:`HubSource`), else the task's download.

    Raises:
        DataError: the folder does not exist, or the task is in none of these places.
        OfflineError, StorageError: as :func:`~.download.obtain`.
    """
    if directory is not None:
        if not directory.is_dir():
            raise DataError("no such folder", where=str(directory), fix="Check --data")
        return LocalSource(task, directory, "local")
    if suite.folder is not None and is_packaged(suite):
        return LocalSource(task, suite.folder / PACKAGED, "packaged")
    if task.hub is not None:
        return HubSource(task, suite, offline=offline, opened=opened)
    if task.download is not None:
        return LocalSource(task, obtain(task, offline=offline), "download")
    raise _not_on_the_hub(task)


def is_packaged(suite: SuiteSpec) -> bool:
    """Whether a suite's data lies beside its file."""
    return suite.folder is not None and (suite.folder / PACKAGED).is_dir()


def _not_on_the_hub(task: TaskSpec) -> DataError:
    return DataError(
        "the data of this task is not on the hub",
        where=f"task {task.name}",
        fix="Download it (see `tasks show`) and pass its folder with --data",
    )


class Without:
    """A source whose tables of documents lack some; everything else is as it was."""

    def __init__(self, source: Source, absent: frozenset[str]) -> None:
        self._source, self._absent = source, absent

    def __getattr__(self, name: str) -> Any:
        return getattr(self._source, name)

    def documents(self) -> Table:
        table = self._source.documents()
        return replace(table, rows=lambda: self._kept(table))

    def _kept(self, table: Table) -> Iterator[tuple[int, Row]]:
        for number, row in table.rows():
            pool: Any = row.get("candidates")
            if is_list(pool):
                # A row of its own holds a query with documents.
                kept = [one for one in pool if str(one.get("doc_id")) not in self._absent]
                row = {**row, "candidates": kept}
                if not kept:
                    continue
            elif str(row.get("doc_id", row.get("paper_id"))) in self._absent:
                continue
            yield number, row


class LocalSource:
    """Files below a folder, at the paths that the task file gives."""

    def __init__(self, task: TaskSpec, folder: Path, kind: str) -> None:
        self.kind = kind
        self._task, self.folder = task, folder

    def path(self, part: Literal["documents", "labels", "reviewers", "pools", "blocks"]) -> Path:
        """The path of a part; raises DataError where the task file names none."""
        relative = getattr(self._task.local, part)
        if relative is None:
            raise DataError(
                f"the task file gives no local path for {part}",
                where=f"task {self._task.name}",
                fix=f"Add {part} under [local]",
            )
        return self.folder / str(relative)

    def documents(self) -> Table:
        return json_lines(self.path("documents"))

    def labels(self, split: Split) -> Table:
        return csv_table(self.path("labels") / f"{split}.csv")

    def qrels(self, split: Split) -> Table:
        return json_lines(self.path("labels") / f"{split}_qrel.jsonl")

    def files(self) -> LocalSource:
        return self

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
        # A kind of another package may name its files elsewhere.
        return str(names[part] or "")


class HubSource:
    """Tables of dataset repositories, each config opened once: ``opened`` are those of other
    sources of a run, which this one's join."""

    kind = "hub"

    def __init__(
        self, task: TaskSpec, suite: SuiteSpec, *, offline: bool, opened: Opened | None = None
    ) -> None:
        self._task, self._suite, self._offline = task, suite, offline
        self._opened = {} if opened is None else opened

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

    def qrels(self, split: Split) -> Table:
        return self.labels(split)

    def files(self) -> LocalSource:
        raise _not_on_the_hub(self._task)

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
        revision = self._suite.revision_of(table)
        key = table.repo, table.config, revision
        if key not in self._opened:
            self._opened[key] = open_config(
                table, revision, offline=self._offline, task=self._task.name
            )
        return table, self._opened[key]


BATCH = 2_000


@dataclass(frozen=True)
class HubConfig:
    """The parquet files of one config at one commit, by split, downloaded."""

    name: str
    commit: str
    files: dict[str, tuple[Path, ...]]

    def table(self, split: str) -> Table:
        """The rows of a split; raises DataError where the config has no such split."""
        if split not in self.files:
            raise DataError(
                f"no split {split}",
                where=self.name,
                fix=f"It has {', '.join(sorted(self.files)) or 'no parquet files'}",
            )
        return Table(f"{self.name}/{split}", lambda: _rows(self.files[split]))


Opened = dict[tuple[str, str, str | None], HubConfig]
"""By repository, config and revision."""


def open_config(table: HubTable, revision: str | None, *, offline: bool, task: str) -> HubConfig:
    """Download a config's parquet files, or find them in the hub's local cache when offline.

    Both forms of the repositories are read: ``<config>/<split>/0000.parquet`` (the converted
    branch) and ``<config>/<split>-00000-of-00001.parquet`` (main).

    Raises:
        OfflineError: offline and not in the cache, or the hub does not answer.
        DataError: no such repository, revision or config.
    """
    from huggingface_hub import errors, snapshot_download

    where = f"{table.repo}@{revision or 'main'}, config {table.config}"
    fetch = f"Run: python -m scirepeval_harness fetch --task {task}"
    try:
        folder = Path(
            snapshot_download(
                table.repo,
                repo_type="dataset",
                revision=revision,
                allow_patterns=[f"{table.config}/*.parquet", f"{table.config}/*/*.parquet"],
                local_files_only=offline,
            )
        )
    except (errors.LocalEntryNotFoundError, errors.OfflineModeIsEnabled, ConnectionError) as error:
        what = "not in the local cache" if offline else "the hub does not answer"
        raise OfflineError(what, where=where, fix=f"{fetch} where there is a network") from error
    except (errors.HfHubHTTPError, errors.HFValidationError) as error:
        raise DataError(
            f"the hub refuses ({str(error).splitlines()[0]})",
            where=where,
            fix="Check the repository and revision in the suite file",
        ) from error
    files = _by_split(folder, table.config)
    if not files:
        if offline:
            raise OfflineError("not in the local cache", where=where, fix=fetch)
        raise DataError("no parquet files", where=where, fix="Check config and revision")
    return HubConfig(f"{table.repo}/{table.config}", folder.name, files)


def cached_repositories(tasks: Iterable[TaskSpec]) -> Iterator[tuple[str, Path, int]]:
    """The repositories of the tasks that the hub's local cache holds, with folder and bytes."""
    from huggingface_hub import scan_cache_dir
    from huggingface_hub.errors import CacheNotFound

    hubs = [task.hub for task in tasks if task.hub is not None]
    named = {
        table.repo for hub in hubs for table in (hub.documents, hub.labels, hub.reviewers) if table
    }
    with suppress(CacheNotFound):
        for repo in sorted(scan_cache_dir().repos, key=lambda one: str(one.repo_id)):
            if repo.repo_type == "dataset" and repo.repo_id in named:
                yield str(repo.repo_id), Path(repo.repo_path), int(repo.size_on_disk)


def _by_split(folder: Path, config: str) -> dict[str, tuple[Path, ...]]:
    splits: dict[str, list[Path]] = {}
    for path in sorted((folder / config).glob("**/*.parquet")):
        parts = path.relative_to(folder / config).parts
        name = parts[0] if len(parts) > 1 else re.sub(r"-\d{5}-of-\d{5}$", "", path.stem)
        splits.setdefault(name, []).append(path)
    return {name: tuple(paths) for name, paths in splits.items()}


def _rows(paths: tuple[Path, ...]) -> Iterator[tuple[int, Row]]:
    import pyarrow as pa
    from datasets import Dataset
    from datasets.exceptions import DatasetsError

    number = 0
    for path in paths:
        try:
            table = Dataset.from_parquet(str(regular(path)), keep_in_memory=False)
        except (DatasetsError, pa.ArrowException, OSError, ValueError) as error:
            raise DataError(
                f"not a parquet file that can be read ({error.__cause__ or error})",
                where=str(path),
                fix="Delete it, and run `python -m scirepeval_harness fetch` for the task",
            ) from error
        for batch in table.iter(BATCH):
            columns = list(batch)
            for values in zip(*batch.values(), strict=True):
                number += 1
                yield number, dict(zip(columns, values, strict=True))
