"""Two systems' items of one task, item by item, and what the statistics make of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from scirepeval_harness.comparison.systems import System
from scirepeval_harness.errors import StorageError
from scirepeval_harness.evaluations.base import Outcome, Score, evaluation_of
from scirepeval_harness.results.record import ScoreRecord, TaskRecord
from scirepeval_harness.statistics.labels import LabelSets
from scirepeval_harness.task.spec import TaskSpec

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Pair:
    """Frames of equal length whose k-th rows are the same item. ``same_draws`` tells that both
    results' own bootstrap draws took the same items."""

    task: TaskSpec
    a: pd.DataFrame
    b: pd.DataFrame
    record: TaskRecord
    other_record: TaskRecord
    same_draws: bool


def make_pair(base: System, other: System, task: TaskSpec) -> Pair | str:
    """The pair, or why the two systems were not scored on the same items.

    Raises:
        StorageError: items that cannot be read, or that do not fit their score file.
    """
    a_record, b_record = base.records.get(task.name), other.records.get(task.name)
    if base.items is None or other.items is None or a_record is None or b_record is None:
        return "published without items"
    kind = a_record.item_kind
    if kind is None or kind != b_record.item_kind:
        return f"items of kind {kind} against {b_record.item_kind}"
    keys, shared = evaluation_of(task).item_keys(kind)
    a, b = base.items.items(task.name), other.items.items(task.name)
    for system, frame in ((base, a), (other, b)):
        lacking = set(keys) - set(frame.columns)
        if lacking:
            raise StorageError(
                f"items without {', '.join(sorted(lacking))}",
                where=f"{system.title}, task {task.name}",
                fix="Run the task again",
            )
    ordered = _same(a, b, keys, shared)
    if not ordered:
        # The same rows may come in another order from another copy of the data.
        a, b = (frame.sort_values(list(keys), kind="stable", ignore_index=True) for frame in (a, b))
        if not _same(a, b, keys, shared):
            return _other_items(a, b)
    # A seed says which items a draw takes only together with their order.
    seeds = a_record.settings.get("seed") == b_record.settings.get("seed")
    return Pair(task, a, b, a_record, b_record, ordered and seeds)


def _same(a: pd.DataFrame, b: pd.DataFrame, keys: Sequence[str], shared: str | None) -> bool:
    if len(a) != len(b) or any((a[key].to_numpy() != b[key].to_numpy()).any() for key in keys):
        return False
    if shared is None:
        return True
    if a[shared].dtype.kind == "f":
        return bool((a[shared].to_numpy() == b[shared].to_numpy()).all())
    # Lists of classes, which == would compare element by element.
    return LabelSets.of_column(a[shared]).same(LabelSets.of_column(b[shared]))


def _other_items(a: pd.DataFrame, b: pd.DataFrame) -> str:
    first, second = set(a["item"]), set(b["item"])
    if first == second:
        return "the same items with other labels, metrics or settings"
    return f"other items: {len(first & second)} in both of {len(first)} and {len(second)}"


def paired_draws(
    pair: Pair, base: System, other: System, seed: int
) -> tuple[Mapping[str, Array], Mapping[str, Array]]:
    """Bootstrap draws of both, by score key, in which draw k takes the same items.

    Those in the results where they fit, else drawn again from the items.
    """
    if pair.same_draws and base.items is not None and other.items is not None:
        a, b = base.items.draws(pair.task.name), other.items.draws(pair.task.name)
        # Results of another version may hold another number of draws.
        if len(a) == len(b):
            return _columns(a), _columns(b)
    draws, task = evaluation_of(pair.task).draws, pair.task
    return draws(task, _outcome(pair.a, pair.record), seed), draws(
        task, _outcome(pair.b, pair.other_record), seed
    )


def _columns(table: pd.DataFrame) -> dict[str, Array]:
    return {str(key): table[key].to_numpy(np.float64) for key in table.columns}


def _outcome(frame: pd.DataFrame, record: TaskRecord) -> Outcome:
    scores = tuple(map(_score, record.scores))
    return Outcome(scores, str(record.item_kind), frame, record.notes)


def _score(score: ScoreRecord) -> Score:
    return Score(score.metric, score.value, score.setting, score.field)


def paired_p(pair: Pair, score: ScoreRecord, seed: int) -> float | None:
    """The paired permutation test of one score over all of its items; None where its metric is not
    resampled.

    Raises:
        StorageError: the items do not hold the score.
    """
    a, b = _outcome(pair.a, pair.record), _outcome(pair.b, pair.other_record)
    try:
        return evaluation_of(pair.task).p_value(pair.task, a, b, _score(score), seed)
    except (KeyError, ValueError) as error:
        raise StorageError(
            f"items from which {score.key} cannot be computed ({error})",
            where=f"task {pair.task.name}",
            fix="Run the task again",
        ) from error
