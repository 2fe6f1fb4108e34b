"""Whether a result's scores and intervals are those of its items and draws."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

import numpy as np

from scirepeval_harness.errors import HarnessError, StorageError
from scirepeval_harness.evaluations.base import Outcome, Score, evaluation_of
from scirepeval_harness.results.folder import Result, draws_file, items_file, task_file
from scirepeval_harness.results.record import TaskRecord
from scirepeval_harness.statistics.bootstrap import interval
from scirepeval_harness.task.spec import TaskSpec

if TYPE_CHECKING:
    import pandas as pd

# MDCR's fields are rounded to four decimals before their mean, few-shot iterations to two; the
# rest differs by the order of a sum.
TOLERANCE = 6e-5
FIX = "Take an unchanged copy, or run the task again"


def require_consistent(result: Result, tasks: Mapping[str, TaskSpec]) -> None:
    """Raise for the first contradiction in a result.

    Raises:
        StorageError: names the file, the score and both numbers.
    """
    for record in result.tasks.values():
        for error in contradictions(result, record, tasks):
            raise error


def contradictions(
    result: Result, record: TaskRecord, tasks: Mapping[str, TaskSpec]
) -> Iterator[StorageError]:
    """What of a task's score file its items and draws deny; nothing for a task that is not
    finished, without items, or not registered."""
    task = tasks.get(record.task)
    if record.status != "ok" or record.item_kind is None or task is None:
        return
    try:
        found = list(_denied(result, record, task))
    except StorageError as error:
        yield error
        return
    path = task_file(result.folder, record.suite, record.task)
    yield from (StorageError(what, where=str(path), fix=FIX) for what in found)


def _denied(result: Result, record: TaskRecord, task: TaskSpec) -> Iterator[str]:
    items = result.items(record.task)
    scores = tuple(Score(s.metric, s.value, s.setting, s.field) for s in record.scores)
    outcome = Outcome(scores, str(record.item_kind), items, record.notes)
    try:
        again = evaluation_of(task).rescored(task, outcome)
        counts = {s.field: distinct_items(items, s.field) for s in record.scores}
    except (HarnessError, LookupError, TypeError, ValueError, OverflowError) as error:
        raise StorageError(
            f"items that do not hold the scores ({error})",
            where=str(items_file(result.folder, record.suite, record.task)),
            fix=FIX,
        ) from error
    for score in record.scores:
        value = again.get(score.key, score.value)
        # Written so that NaN fails too.
        if not abs(value - score.value) <= TOLERANCE:
            yield f"score {score.key!r} is {score.value:.6g}, but {value:.6g} by its items"
        if counts[score.field] != score.items:
            yield f"score {score.key!r} is of {score.items} items, not {counts[score.field]}"
    drawn = [score for score in record.scores if score.interval is not None]
    if not drawn:
        return
    draws = result.draws(record.task)
    for score in drawn:
        if score.key not in draws.columns:
            where = draws_file(result.folder, record.suite, record.task)
            raise StorageError(f"no draws of {score.key!r}", where=str(where), fix=FIX)
        ends = interval(draws[score.key].to_numpy(np.float64))
        if not np.allclose(ends, score.interval or (), rtol=0, atol=TOLERANCE):
            yield f"the interval of {score.key!r} is {score.interval}, but {ends} by its draws"


def distinct_items(items: pd.DataFrame, field: str | None) -> int:
    """Distinct items of a score: queries of its field or of every one, or test rows."""
    rows = items if field is None else items[items["field"] == field]
    if "field" not in rows.columns:
        return int(rows["item"].nunique(dropna=False))  # of millions, a third of the time
    return len(rows.drop_duplicates(["field", "item"]))
