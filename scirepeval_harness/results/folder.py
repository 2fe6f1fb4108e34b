"""A result folder: its layout, writing it, and reading it back, of older schema versions too."""

from __future__ import annotations

import hashlib
import re
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from pydantic import BaseModel, ValidationError

from scirepeval_harness.errors import StorageError, UsageError
from scirepeval_harness.files import read_json, regular, write_json, write_with
from scirepeval_harness.results.record import SCHEMA_VERSION, RunRecord, TaskRecord, TaskRun

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd
    from numpy.typing import NDArray


Schema = TypeVar("Schema", bound=BaseModel)
RUN_FILE = "run.json"
DEPTH = 3
"""Levels of folders that are looked through: a run's folder holds one folder a model."""
SCORE_COLUMNS = (
    *("task", "suite", "format", "metric", "setting", "field"),
    *("key", "value", "low", "high", "items", "status"),
)


@dataclass(frozen=True)
class Result:
    """One model's result folder; items and draws are read when asked for.

    Example:
        >>> import scirepeval_harness as sh
        >>> result = sh.load_results("results/baselines/sample")["tfidf"]
        >>> frame = result.scores.set_index(["task", "key"])
        >>> bool(frame.loc[("sample-search", "ndcg"), "low"] < 100)
        True
        >>> sorted(result.items("sample-search").columns)
        ['field', 'item', 'metric', 'value']
    """

    folder: Path
    run: RunRecord
    tasks: Mapping[str, TaskRecord]

    @property
    def scores(self) -> pd.DataFrame:
        """A tidy frame, one row per score x 100, under `SCORE_COLUMNS`; ``low`` and ``high`` end
        its 95% interval. A task without scores has one row, whose status says why."""
        import pandas as pd

        rows: list[tuple[object, ...]] = []
        for name, record in self.tasks.items():
            of_task = (name, record.suite, record.format.value)
            for score in record.scores:
                low, high = score.interval or (None, None)
                of_score = (score.metric, score.setting, score.field, score.key, score.value)
                rows.append((*of_task, *of_score, low, high, score.items, record.status))
            if not record.scores:
                rows.append((*of_task, *[None] * 7, 0, record.status))
        frame = pd.DataFrame(rows, columns=list(SCORE_COLUMNS))
        # A column of None only would be of objects, and frames of two results would not join well.
        return frame.astype(dict.fromkeys(("value", "low", "high"), "float64"))

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
    results: list[Result] = []
    for path in paths:
        inside = sorted(run.parent for run in path.glob(f"*/{RUN_FILE}"))
        folders = [path] if (path / RUN_FILE).is_file() else inside
        if not folders:
            raise UsageError(
                "no results here", where=str(path), fix=f"Give a folder that holds {RUN_FILE}"
            )
        results += map(load_result, folders)
    return tuple(results)


def load_result(folder: Path) -> Result:
    """The result of one folder; raises StorageError for a file that cannot be used."""
    run = read_run(folder)
    # The run file says which tasks there are: a score file of an earlier run may lie beside them.
    return Result(folder, run, {entry.task: read_entry(folder, run, entry) for entry in run.tasks})


def read_run(folder: Path) -> RunRecord:
    """The run file; raises StorageError where it is missing, damaged or newer."""
    return _read(RunRecord, folder / RUN_FILE)


def read_entry(folder: Path, run: RunRecord, entry: TaskRun) -> TaskRecord:
    """The score file of one task of a run; raises StorageError where it cannot be used."""
    return read_task(task_file(folder, entry.suite, entry.task))


def read_task(path: Path) -> TaskRecord:
    """One score file; raises StorageError where it is missing, damaged or newer."""
    return _read(TaskRecord, path)


def _read(schema: type[Schema], path: Path) -> Schema:
    try:
        raw: dict[str, Any] = read_json(path)
        # Before the schema is checked: a newer file would be refused for a field unknown here,
        # and the message would not say that an upgrade helps.
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
        return pd.read_parquet(regular(path))
    except (OSError, ValueError) as error:
        raise StorageError(
            f"cannot be read ({error})", where=str(path), fix="Run the task again"
        ) from error


def write_task(
    folder: Path,
    record: TaskRecord,
    items: pd.DataFrame | None = None,
    draws: Mapping[str, NDArray[np.float64]] | None = None,
) -> None:
    """Write a task's files; the score file last, so that it never stands without its items.

    Raises:
        StorageError: the disk is full or the folder cannot be written.
    """
    if items is not None:
        _write_parquet(items_file(folder, record.suite, record.task), items)
    if draws is not None:
        import pandas as pd

        # Sorted, so that the order in which scores were computed does not show in the bytes.
        table = pd.DataFrame({key: draws[key] for key in sorted(draws)})
        _write_parquet(draws_file(folder, record.suite, record.task), table)
    write_json(task_file(folder, record.suite, record.task), record.model_dump(mode="json"))


def write_run(folder: Path, record: RunRecord) -> None:
    """Write the run file of a result folder."""
    write_json(folder / RUN_FILE, record.model_dump(mode="json"))


def _write_parquet(path: Path, table: pd.DataFrame) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    # Without pandas' metadata, which names library versions: equal scores give equal bytes.
    arrow = pa.Table.from_pandas(table, preserve_index=False).replace_schema_metadata()
    write_with(path, lambda temporary: pq.write_table(arrow, temporary, compression="zstd"))


def slug(name: str) -> str:
    """A folder name for a model of any name: readable, harmless, and different for other names."""
    plain = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode()
    safe = re.sub(r"[^A-Za-z0-9._-]+", "-", plain).strip("-.")[:60]
    # Two names that clean up to the same letters ("a/b", "a-b") must not share a folder.
    if safe and safe == name:
        return safe
    return f"{safe or 'model'}-{hashlib.sha256(name.encode()).hexdigest()[:8]}"


def task_file(folder: Path, suite: str, task: str) -> Path:
    """The score file of a task in a result folder."""
    return folder / suite / f"{task}.json"


def items_file(folder: Path, suite: str, task: str) -> Path:
    """The items from which the task's scores can be computed again."""
    return folder / suite / f"{task}.items.parquet"


def draws_file(folder: Path, suite: str, task: str) -> Path:
    """The bootstrap draws of the task's scores, one column a score key."""
    return folder / suite / f"{task}.draws.parquet"


def result_folders(folder: Path, depth: int = DEPTH) -> tuple[Path, ...]:
    """Every result folder in ``folder``, itself included, at most ``depth`` levels down, sorted.

    Raises:
        UsageError: no such folder.
    """
    if not folder.is_dir():
        raise UsageError("no such folder", where=str(folder), fix="Give a folder of results")
    # Not "**": any folder may be named, a home folder too, which is not to be walked to the end.
    patterns = ("*/" * level + RUN_FILE for level in range(depth + 1))
    return tuple(sorted(path.parent for pattern in patterns for path in folder.glob(pattern)))


def readable_results(
    folders: Sequence[Path],
) -> tuple[tuple[Result, ...], tuple[StorageError, ...]]:
    """The results of the folders, and why the others cannot be read."""
    results: list[Result] = []
    errors: list[StorageError] = []
    for folder in folders:
        try:
            results.append(load_result(folder))
        except StorageError as error:
            errors.append(error)
    return tuple(results), tuple(errors)
