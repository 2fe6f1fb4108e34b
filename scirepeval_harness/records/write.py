"""Writing a result: score file, items and draws of a task, and the run file."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from scirepeval_harness.atomic import write_json, write_with
from scirepeval_harness.records.layout import RUN_FILE, draws_file, items_file, task_file
from scirepeval_harness.records.schema import RunRecord, TaskRecord

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd
    from numpy.typing import NDArray


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
