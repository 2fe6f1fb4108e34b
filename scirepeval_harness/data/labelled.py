"""Supervised tasks: documents with train and test labels."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from scirepeval_harness.data.documents import check_coverage, read_flat
from scirepeval_harness.data.limit import sample_rows
from scirepeval_harness.data.records import Coverage, LabelledSet
from scirepeval_harness.data.rows import Table
from scirepeval_harness.errors import DataError
from scirepeval_harness.roles import Format
from scirepeval_harness.specs.task import TaskSpec

Labels = NDArray[np.generic]


def read_labelled(
    task: TaskSpec,
    documents: Table,
    train: Table,
    test: Table,
    *,
    limit: int | None,
    seed: int,
    allow_missing: bool,
) -> tuple[LabelledSet, Coverage]:
    """A classification or regression task; rows keep their order, which decides the folds.

    Raises:
        DataError: a label outside the task's kind, an empty split, a document without text.
        CoverageError: a label without a document.
    """
    splits = [_rows(task, table) for table in (train, test)]
    values, classes = _encode(task, [labels for _, labels in splits])
    ids = [list(keys) for keys, _ in splits]
    if limit is not None:
        for place in (0, 1):
            kept = sample_rows(values[place], limit, seed, stratified=bool(classes))
            ids[place] = [ids[place][row] for row in kept]
            values[place] = values[place][kept]
    needed = [*ids[0], *ids[1]]
    found = read_flat(documents, task.fields, frozenset(needed))
    coverage = check_coverage(task.name, found.documents, found.empty, needed, allow_missing)
    for place in (0, 1):
        rows = [row for row, key in enumerate(ids[place]) if key in found.documents]
        ids[place] = [ids[place][row] for row in rows]
        values[place] = values[place][rows]
    data = LabelledSet(found.documents, tuple(ids[0]), values[0], tuple(ids[1]), values[1], classes)
    return data, coverage


def _rows(task: TaskSpec, table: Table) -> tuple[list[str], list[Any]]:
    keys, labels = [], []
    for number, row in table.rows():
        keys.append(table.id(number, row, "paper_id", "doc_id"))
        labels.append(_label(task, table.value(number, row, "label"), table.where(number)))
    if not keys:
        raise DataError("no rows", where=table.name, fix="Both splits need labels")
    return keys, labels


def _label(task: TaskSpec, value: Any, where: str) -> Any:
    """A label in the task's kind: float, tuple of 0/1, or class name."""
    if task.format is Format.REGRESSION:
        try:
            number = float(value)
        except (TypeError, ValueError):
            number = math.nan
        if not math.isfinite(number):
            raise DataError(f"label is {value!r}", where=where, fix="Give a finite number")
        return number
    if task.multi_label:
        listed = _parse_list(value)
        if not isinstance(listed, (list, tuple, np.ndarray)) or not all(
            v in (0, 1) for v in listed
        ):
            raise DataError(
                f"label is {str(value)[:40]!r}", where=where, fix="Give a list of 0 and 1"
            )
        return tuple(int(v) for v in listed)
    if value is None or isinstance(value, (list, dict, float)) or str(value).strip() == "":
        whole = isinstance(value, float) and value.is_integer()
        if not whole:
            raise DataError(f"label is {value!r}", where=where, fix="Give one class a row")
        return str(int(value))
    return str(value)


def _parse_list(value: Any) -> Any:
    if isinstance(value, str):
        try:
            return json.loads(value)
        except json.JSONDecodeError:
            return None
    return value


def _encode(
    task: TaskSpec, splits: Sequence[Sequence[Any]]
) -> tuple[list[Labels], tuple[str, ...]]:
    if task.format is Format.REGRESSION:
        return [np.array(labels, dtype=np.float64) for labels in splits], ()
    if task.multi_label:
        widths = {len(label) for labels in splits for label in labels}
        if len(widths) != 1:
            raise DataError(
                f"label lists of lengths {', '.join(map(str, sorted(widths)))}",
                where=f"task {task.name}",
                fix="Give every row one entry a class",
            )
        classes = tuple(str(number) for number in range(widths.pop()))
        return [np.array(labels, dtype=np.int64) for labels in splits], classes
    names = sorted({label for labels in splits for label in labels}, key=_class_order)
    index = {name: number for number, name in enumerate(names)}
    if "f1" in task.metrics and len(names) != 2:
        raise DataError(
            f"{len(names)} classes, where f1 needs two",
            where=f"task {task.name}",
            fix="Use f1_macro, or check the labels",
        )
    arrays: list[Labels] = [
        np.array([index[label] for label in labels], dtype=np.int64) for labels in splits
    ]
    return arrays, tuple(names)


def _class_order(name: str) -> tuple[int, float, str]:
    try:
        return (0, float(name), name)
    except ValueError:
        return (1, 0.0, name)
