"""Dataset repositories on the hub: parquet files found, downloaded and read. The one importer of
``datasets``."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from scirepeval_harness.data.rows import Row, Table
from scirepeval_harness.errors import DataError, OfflineError
from scirepeval_harness.specs.task import HubTable

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


def open_config(table: HubTable, revision: str | None, *, offline: bool, task: str) -> HubConfig:
    """Download a config's parquet files, or find them in the hub's local cache when offline.

    Both forms of the repositories are read: ``<config>/<split>/0000.parquet`` (the converted
    branch) and ``<config>/<split>-00000-of-00001.parquet`` (main).

    Raises:
        OfflineError: offline and not in the cache, or the hub does not answer.
        DataError: no such repository, revision or config.
    """
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import (
        HfHubHTTPError,
        HFValidationError,
        LocalEntryNotFoundError,
        OfflineModeIsEnabled,
    )

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
    except (LocalEntryNotFoundError, OfflineModeIsEnabled, ConnectionError) as error:
        what = "not in the local cache" if offline else "the hub does not answer"
        raise OfflineError(what, where=where, fix=f"{fetch} where there is a network") from error
    except (HfHubHTTPError, HFValidationError) as error:
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


def _by_split(folder: Path, config: str) -> dict[str, tuple[Path, ...]]:
    splits: dict[str, list[Path]] = {}
    for path in sorted((folder / config).glob("**/*.parquet")):
        parts = path.relative_to(folder / config).parts
        name = parts[0] if len(parts) > 1 else re.sub(r"-\d{5}-of-\d{5}$", "", path.stem)
        splits.setdefault(name, []).append(path)
    return {name: tuple(paths) for name, paths in splits.items()}


def _rows(paths: tuple[Path, ...]) -> Iterator[tuple[int, Row]]:
    from datasets import Dataset

    number = 0
    for path in paths:
        for batch in Dataset.from_parquet(str(path), keep_in_memory=False).iter(BATCH):
            columns = list(batch)
            for values in zip(*batch.values(), strict=True):
                number += 1
                yield number, dict(zip(columns, values, strict=True))
