"""A result folder: its layout, writing it, and reading it back, of older schema versions too.

The run file holds the SHA-256 of every other file and a seal over itself; reading checks them all,
so that a folder that was damaged or edited gives no numbers. Folders of version 1 have neither: of
them only what a score file may say is checked here, and its items where numbers are judged
(:mod:`.verify`).
"""

from __future__ import annotations

import hashlib
import json
import re
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from pydantic import BaseModel, ValidationError

from scirepeval_harness.errors import StorageError, UsageError
from scirepeval_harness.files import read_json, regular, sha256_of, write_json, write_with
from scirepeval_harness.results.record import (
    RUN_VERSION,
    SCHEMA_VERSION,
    RunRecord,
    TaskRecord,
    TaskRun,
    score_faults,
)
from scirepeval_harness.task.registry import Defined, Registry, defined_otherwise

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd
    from numpy.typing import NDArray

    from scirepeval_harness.task.spec import TaskSpec

Schema = TypeVar("Schema", bound=BaseModel)
RUN_FILE = "run.json"
AGAIN = "Run the task again"
OTHERWISE = "run with other definitions of the same version than are used here"
DEPTH = 3
"""Levels of folders that are looked through: a run's folder holds one folder a model."""
SCORE_COLUMNS = (
    *("task", "suite", "format", "metric", "setting", "field"),
    *("key", "value", "low", "high", "items", "status"),
)


@dataclass(frozen=True)
class Result:
    """One model's result folder; items and draws are read when asked for. ``remarks`` are
    footnotes on its definitions (`as_of`).

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
    remarks: tuple[str, ...] = ()

    @property
    def sealed(self) -> bool:
        """Whether the run file holds digests, which were checked when it was read."""
        return self.run.seal is not None

    @property
    def defined(self) -> Defined | None:
        """The suites and tasks as the run had them; None in folders of older versions."""
        held = self.run.definitions
        if held is None:
            return None
        return Defined(str(self.folder / RUN_FILE), held.suites, held.tasks)

    def as_of(self, registry: Registry) -> Result:
        """The result `under` the registry's tasks, with a remark where the folder defines a task
        or suite otherwise under the same version."""
        other = defined_otherwise(registry, self.defined) if self.defined else []
        said = (f"{OTHERWISE}: {', '.join(other)}",) if other else ()
        return replace(self.under(registry.tasks), remarks=said)

    def under(self, tasks: Mapping[str, TaskSpec]) -> Result:
        """The result as of the tasks' present versions: what was scored under another version has
        the status ``outdated``, and so no score among those of today."""
        found = {}
        for name, record in self.tasks.items():
            now = tasks[name].version if name in tasks else record.version
            if record.status == "ok" and record.version != now:
                error = f"scored under version {record.version} of the task, which is at {now}"
                record = record.model_copy(update={"status": "outdated", "error": error})
            found[name] = record
        return replace(self, tasks=found)

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
    """Results of the given folders; a folder of result folders gives all that it holds, and one of
    runs, where the results of each lie a level further down, those of all runs.

    Raises:
        UsageError: a path without results.
        StorageError: a file that is damaged or of a newer schema.
    """
    return tuple(load_result(folder) for path in paths for folder in nearest_folders(path))


def nearest_folders(path: Path) -> tuple[Path, ...]:
    """The result folders of the first level, from the folder itself down, that has any; raises
    UsageError where none has."""
    depths = range(DEPTH + 1) if path.is_dir() else ()
    folders = next(filter(None, (result_folders(path, depth) for depth in depths)), ())
    if not folders:
        fix = f"Give a folder that holds {RUN_FILE}"
        raise UsageError("no results here", where=str(path), fix=fix)
    return folders


def load_result(folder: Path) -> Result:
    """The result of one folder; raises StorageError for a file that cannot be used."""
    run = read_run(folder)
    # The run file says which tasks there are: a score file of an earlier run may lie beside them.
    return Result(folder, run, {entry.task: read_entry(folder, run, entry) for entry in run.tasks})


def read_run(folder: Path) -> RunRecord:
    """The run file; raises StorageError where it is missing, damaged, edited or newer."""
    path = folder / RUN_FILE
    run = _read(RunRecord, path, RUN_VERSION)
    names = [entry.task for entry in run.tasks]
    if twice := [name for name in names if names.count(name) > 1]:
        raise _refused(path, f"task {twice[0]!r} stands there twice")
    for entry in run.tasks:
        if entry.suite not in run.suites:
            raise _refused(path, f"task {entry.task!r} is of suite {entry.suite!r}, the run not")
        if run.seal is not None and entry.files is None:
            raise _refused(path, f"no digests of task {entry.task!r}")
    return run


def read_entry(folder: Path, run: RunRecord, entry: TaskRun) -> TaskRecord:
    """The score file of one task of a run, after the digests of all of the task's files.

    Raises:
        StorageError: a file that is missing, damaged, edited, or of another task or model.
    """
    path = task_file(folder, entry.suite, entry.task)
    for name, own in _files(folder, entry.suite, entry.task).items():
        wanted = entry.files.get(name) if entry.files is not None else None
        if wanted is not None and not own.is_file():
            raise _refused(own, "no such file")
        if wanted is not None and _digest(own) != wanted:
            raise _refused(own, f"not as the run wrote it: {RUN_FILE} has another digest")
    record = read_task(path)
    for what, found, here in (
        ("suite", record.suite, entry.suite),
        ("task", record.task, entry.task),
        ("model", record.model.name, run.model.name),
    ):
        if found != here:
            raise _refused(path, f"of {what} {found!r}, not {here!r}")
    return record


def read_task(path: Path) -> TaskRecord:
    """One score file; raises StorageError where it is missing, damaged, newer, or says what no
    metric can give."""
    record = _read(TaskRecord, path, SCHEMA_VERSION)
    for fault in score_faults(record):
        raise _refused(path, fault)
    return record


def _refused(path: Path, what: str) -> StorageError:
    # A run file is of all tasks, and --resume would stop at it.
    again = "run again with --overwrite" if path.name == RUN_FILE else AGAIN.lower()
    return StorageError(what, where=str(path), fix=f"Take an unchanged copy, or {again}")


def _read(schema: type[Schema], path: Path, newest: int) -> Schema:
    if path.exists() and not path.is_file():
        # A named pipe would be waited for.
        raise _refused(path, "not a file")
    try:
        raw: dict[str, Any] = read_json(path, finite=True)
        # Before the schema is checked: a newer file would be refused for a field unknown here,
        # and the message would not say that an upgrade helps.
        version = raw["schema_version"]
        if version > newest:
            raise StorageError(
                f"schema version {version}, newer than {newest}",
                where=str(path),
                fix="Upgrade scirepeval-harness",
            )
        if schema is RunRecord and version >= RUN_VERSION and raw.get("seal") != seal_of(raw):
            raise _refused(path, "damaged or edited: its seal does not fit its content")
        return schema.model_validate(raw)
    except FileNotFoundError as error:
        raise _refused(path, "no such file") from error
    except (OSError, ValueError, KeyError, TypeError, OverflowError, RecursionError) as error:
        what = str(error)
        if isinstance(error, ValidationError):
            first = error.errors()[0]
            what = f"{'.'.join(map(str, first['loc']))}: {first['msg']}"
        raise _refused(path, f"not a result file ({what})") from error


def seal_of(raw: Mapping[str, Any]) -> str:
    """SHA-256 over the values of a run file, in whatever order and layout, without its seal."""
    rest = {key: value for key, value in raw.items() if key != "seal"}
    return hashlib.sha256(json.dumps(rest, sort_keys=True).encode()).hexdigest()


def digests(folder: Path, suite: str, task: str) -> dict[str, str]:
    """The SHA-256 of each file that a task has in a result folder."""
    files = _files(folder, suite, task)
    return {name: _digest(path) for name, path in files.items() if path.is_file()}


def _digest(path: Path) -> str:
    try:
        return sha256_of(path)
    except OSError as error:
        raise StorageError(
            f"cannot be read ({error.strerror})", where=str(path), fix=AGAIN
        ) from error


def _files(folder: Path, suite: str, task: str) -> dict[str, Path]:
    return {
        "scores": task_file(folder, suite, task),
        "items": items_file(folder, suite, task),
        "draws": draws_file(folder, suite, task),
    }


def _read_parquet(path: Path) -> pd.DataFrame:
    import pandas as pd
    import pyarrow as pa
    import pyarrow.parquet as pq

    def lists(kind: pa.DataType) -> pd.ArrowDtype | None:
        # Seven million lists of Python would take gigabytes.
        return pd.ArrowDtype(kind) if pa.types.is_list(kind) else None

    if path.exists() and not path.is_file():
        raise StorageError("not a file", where=str(path), fix=AGAIN)
    try:
        table: pd.DataFrame = pq.read_table(regular(path)).to_pandas(types_mapper=lists)
        return table
    except (OSError, ValueError, KeyError, TypeError, OverflowError, pa.ArrowException) as error:
        raise StorageError(f"cannot be read ({error})", where=str(path), fix=AGAIN) from error


def write_task(
    folder: Path,
    record: TaskRecord,
    items: pd.DataFrame | None = None,
    draws: Mapping[str, NDArray[np.float64]] | None = None,
) -> None:
    """Write a task's files; the score file last, so that it never stands without its items.

    Raises:
        StorageError: the disk is full or the folder cannot be written; a score that its metric
            cannot give.
    """
    for fault in score_faults(record):
        raise StorageError(fault, where=f"task {record.task}", fix="Mend the metric or evaluation")
    if items is not None:
        _write_parquet(items_file(folder, record.suite, record.task), items)
    if draws is not None:
        import pandas as pd

        # Sorted, so that the order in which scores were computed does not show in the bytes.
        table = pd.DataFrame({key: draws[key] for key in sorted(draws)})
        _write_parquet(draws_file(folder, record.suite, record.task), table)
    write_json(task_file(folder, record.suite, record.task), record.model_dump(mode="json"))


def write_run(folder: Path, record: RunRecord) -> None:
    """Write the run file of a result folder, sealed; its entries hold the digests of their files
    (:func:`digests`)."""
    raw = record.model_dump(mode="json")
    write_json(folder / RUN_FILE, {**raw, "seal": seal_of(raw)})


def _write_parquet(path: Path, table: pd.DataFrame) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    # Without pandas' metadata, which names library versions: equal scores give equal bytes.
    arrow = pa.Table.from_pandas(table, preserve_index=False).replace_schema_metadata()
    # In one piece: where pieces meet must not show in the bytes.
    arrow = arrow.combine_chunks()
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
