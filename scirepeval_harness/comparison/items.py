"""One task's items one by one: a number each, the worst and the best, two systems side by side."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from scirepeval_harness.errors import NotComparableError, UsageError
from scirepeval_harness.results.folder import Result
from scirepeval_harness.results.record import TaskRecord
from scirepeval_harness.schema import unknown

KEYS = ["field", "item", "copy"]
AGREEMENT, ERROR, BLOCK_F1 = "agreement", "error", "b3_f1"


@dataclass(frozen=True)
class ItemValues:
    """A number an item: a metric of a query x 100, B-cubed F1 of a block x 100, the error of a
    regression's row, or the agreement of a row's classes (shared over all named, x 100; a mean
    over the iterations of a few-shot setting).

    ``frame`` has the columns field, item, copy (0 but for an item that stands there several times)
    and value, rows of probes truth and prediction too; in the order of the data.
    """

    measure: str
    frame: pd.DataFrame
    lower_is_better: bool = False

    def worst_first(self, column: str = "value") -> pd.DataFrame:
        """The frame by a column of it, the worst first; equal ones in the order of the data."""
        return self.frame.sort_values(column, ascending=not self.lower_is_better, kind="stable")


def side_by_side(task: str, one: ItemValues, two: ItemValues) -> ItemValues:
    """The items that both have, with the columns other, difference (value - other), and for rows
    other_prediction; raises NotComparableError where they have none, or another measure."""
    theirs = two.frame.rename(columns={"value": "other", "prediction": "other_prediction"})
    columns = [name for name in ("other", "other_prediction") if name in theirs]
    both = one.frame.merge(theirs[[*KEYS, *columns]], on=KEYS, how="inner")
    if one.measure != two.measure or both.empty:
        what = "no item is in both" if one.measure == two.measure else "items of another kind"
        raise NotComparableError(what, where=f"task {task}", fix="Choose another result")
    both["difference"] = both["value"] - both["other"]
    return ItemValues(one.measure, both, one.lower_is_better)


def item_values(
    result: Result, record: TaskRecord, metric: str | None = None, setting: str | None = None
) -> ItemValues:
    """The values of a finished task's items.

    Args:
        metric: of a ranking task; None for its first.
        setting: of a task with few-shot settings (``64-shot``); None for the full one.

    Raises:
        UsageError: a task that is not finished or keeps no items, or no such metric or setting.
        StorageError: items that cannot be read.
    """
    where = f"{result.run.model.name}, task {record.task}"
    if record.status != "ok" or record.item_kind is None:
        why = "no items are kept of this task" if record.status == "ok" else record.status
        raise UsageError(why, where=where, fix="Choose a task with scores of queries or rows")
    items = result.items(record.task)
    if record.item_kind in ("queries", "blocks"):
        if setting is not None:
            raise UsageError("the task has no settings", where=where, fix="Leave the setting out")
        if record.item_kind == "blocks":
            return ItemValues(BLOCK_F1, _counted(_blocks(items)))
        names = list(dict.fromkeys(items["metric"]))
        chosen = record.scores[0].metric if metric is None else metric
        if chosen not in names:
            raise unknown("metric", chosen, names, where)
        own = items[items["metric"] == chosen]
        return ItemValues(chosen, _counted(own.assign(value=100.0 * own["value"])))
    if record.item_kind not in ("classes", "values"):
        what = f"items of kind {record.item_kind!r}, which are not known here"
        raise UsageError(what, where=where, fix="Read them with `Result.items`")
    if metric is not None:
        raise UsageError("a metric of single rows is not known", where=where, fix="Leave it out")
    settings = list(dict.fromkeys(items["setting"]))
    chosen = "full" if setting is None else setting
    if chosen not in settings:
        raise unknown("setting", chosen, settings, where)
    return _of_rows(items[items["setting"] == chosen], record.item_kind)


def _blocks(items: pd.DataFrame) -> pd.DataFrame:
    wide = items.pivot(index=["field", "item"], columns="metric", values="value").reset_index()
    precision, recall = wide["b3_precision"], wide["b3_recall"]
    total = np.maximum(precision + recall, 1e-300)
    return wide[["field", "item"]].assign(value=100.0 * 2 * precision * recall / total)


def _counted(frame: pd.DataFrame) -> pd.DataFrame:
    copies = frame.groupby(["field", "item"], sort=False).cumcount()
    return frame.assign(copy=copies)[[*KEYS, "value"]].reset_index(drop=True)


def _of_rows(rows: pd.DataFrame, kind: str) -> ItemValues:
    """Of a few-shot setting, whose iterations score the same rows, the mean value of a row and the
    prediction of the first."""
    truth, predicted = (rows[name].tolist() for name in ("truth", "prediction"))
    values: Sequence[float]
    if kind == "values":
        values = np.abs(rows["truth"] - rows["prediction"]).tolist()
    else:
        values = [_agreement(a, b) for a, b in zip(truth, predicted, strict=True)]
    iterations = rows.assign(value=values, field="")
    iterations["copy"] = iterations.groupby(["iteration", "item"], sort=False).cumcount()
    grouped = iterations.groupby(KEYS, sort=False)
    first = grouped[["truth", "prediction"]].first().assign(value=grouped["value"].mean())
    frame = first.reset_index()
    return ItemValues(AGREEMENT if kind == "classes" else ERROR, frame, kind == "values")


def _agreement(truth: Sequence[Any], predicted: Sequence[Any]) -> float:
    """Classes that both name over all that either names, x 100; 100 where neither names one."""
    a, b = set(truth), set(predicted)
    return 100.0 * len(a & b) / len(a | b) if a or b else 100.0
