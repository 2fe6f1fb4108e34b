"""Reading results back, of this schema version and of older ones."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from pydantic import BaseModel, ValidationError

from scirepeval_harness.errors import StorageError, UsageError
from scirepeval_harness.records.layout import RUN_FILE, draws_file, items_file, task_file
from scirepeval_harness.records.schema import SCHEMA_VERSION, RunRecord, TaskRecord

if TYPE_CHECKING:
    import pandas as pd

Schema = TypeVar("Schema", bound=BaseModel)


@dataclass(frozen=True)
class Result:
    """One model's result folder; items and draws are read when asked for."""

    folder: Path
    run: RunRecord
    tasks: Mapping[str, TaskRecord]

    def items(self, task: str) -> pd.DataFrame:
        """The items of a task; raises StorageError where they cannot be read."""
        return _read_parquet(items_file(self.folder, self.tasks[task].suite, task))

    def draws(self, task: str) -> pd.DataFrame:
        """The bootstrap draws of a task; raises StorageError where they cannot be read."""
        return _read_parquet(draws_file(self.folder, self.tasks[task].suite, task))


def load_results(paths: Sequence[Path]) -> tuple[Result, ...]:
    """Results of the given folders; a folder of result folders gives all that it holds.

    Raises:
        UsageError: a path without results.
        StorageError: a file that is damaged or of a newer schema.
    """
    found: list[Result] = []
    for path in paths:
        folders = [path] if (path / RUN_FILE).is_file() else sorted(_inside(path))
        if not folders:
            raise UsageError(
                "no results here", where=str(path), fix=f"Give a folder that holds {RUN_FILE}"
            )
        found.extend(load_result(folder) for folder in folders)
    return tuple(found)


def load_result(folder: Path) -> Result:
    """The result of one folder; raises StorageError for a file that cannot be used."""
    run = _read(RunRecord, folder / RUN_FILE)
    tasks = {}
    for entry in run.tasks:
        tasks[entry.task] = read_task(task_file(folder, entry.suite, entry.task))
    return Result(folder, run, tasks)


def read_task(path: Path) -> TaskRecord:
    """One score file; raises StorageError where it is missing, damaged or newer."""
    return _read(TaskRecord, path)


def _inside(path: Path) -> list[Path]:
    return [run.parent for run in path.glob(f"*/{RUN_FILE}")]


def _read(schema: type[Schema], path: Path) -> Schema:
    try:
        raw: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        version = raw["schema_version"]
        if version > SCHEMA_VERSION:
            raise StorageError(
                f"schema version {version}, newer than {SCHEMA_VERSION}",
                where=str(path),
                fix="Upgrade scirepeval-harness",
            )
        return schema.model_validate(raw)
    except FileNotFoundError as error:
        raise StorageError("no such file", where=str(path), fix="Run the task again") from error
    except (OSError, ValueError, KeyError, TypeError) as error:
        what = error.errors()[0]["msg"] if isinstance(error, ValidationError) else str(error)
        raise StorageError(
            f"not a result file ({what})", where=str(path), fix="Run the task again"
        ) from error


def _read_parquet(path: Path) -> pd.DataFrame:
    import pandas as pd

    try:
        return pd.read_parquet(path)
    except (OSError, ValueError) as error:
        raise StorageError(
            f"cannot be read ({error})", where=str(path), fix="Run the task again"
        ) from error
