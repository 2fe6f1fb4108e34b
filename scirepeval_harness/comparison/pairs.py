"""Two systems' items of one task, item by item, and what the statistics make of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

import numpy as np
from numpy.typing import NDArray

from scirepeval_harness.comparison.systems import System
from scirepeval_harness.errors import StorageError
from scirepeval_harness.evaluations.base import ItemKind, Outcome, Score
from scirepeval_harness.results.record import ScoreRecord, TaskRecord
from scirepeval_harness.statistics.bootstrap import bootstrap
from scirepeval_harness.statistics.permutation import (
    b_cubed_p,
    f1_p,
    sign_flip_p,
    tau_contributions,
)

if TYPE_CHECKING:
    import pandas as pd


Array = NDArray[np.float64]
KEYS = {
    "queries": ["field", "metric", "item"],
    "blocks": ["field", "metric", "item"],
    "classes": ["setting", "iteration", "item"],
    "values": ["setting", "iteration", "item"],
}
"""What names an item in a frame, by its kind."""
SHARED = {"queries": None, "blocks": "weight", "classes": "truth", "values": "truth"}
"""The column that must agree for two items to be the same, beside their names."""


@dataclass(frozen=True)
class Pair:
    """Frames of equal length whose k-th rows are the same item. ``same_draws`` tells that both
    results' own bootstrap draws took the same items."""

    task: str
    a: pd.DataFrame
    b: pd.DataFrame
    record: TaskRecord
    other_record: TaskRecord
    same_draws: bool


def make_pair(base: System, other: System, task: str) -> Pair | str:
    """The pair, or why the two systems were not scored on the same items.

    Raises:
        StorageError: items that cannot be read, or that do not fit their score file.
    """
    a_record, b_record = base.records.get(task), other.records.get(task)
    if base.items is None or other.items is None or a_record is None or b_record is None:
        return "published without items"
    kind = a_record.item_kind
    if kind is None or kind != b_record.item_kind:
        return f"items of kind {kind} against {b_record.item_kind}"
    a, b = base.items.items(task), other.items.items(task)
    for system, frame in ((base, a), (other, b)):
        lacking = set(KEYS[kind]) - set(frame.columns)
        if lacking:
            raise StorageError(
                f"items without {', '.join(sorted(lacking))}",
                where=f"{system.title}, task {task}",
                fix="Run the task again",
            )
    ordered = _same(a, b, kind)
    if not ordered:
        # The same rows may come in another order from another copy of the data.
        a, b = (frame.sort_values(KEYS[kind], kind="stable", ignore_index=True) for frame in (a, b))
        if not _same(a, b, kind):
            return _other_items(a, b, kind)
    seeds = a_record.settings.get("seed") == b_record.settings.get("seed")
    return Pair(task, a, b, a_record, b_record, ordered and seeds)


def _same(a: pd.DataFrame, b: pd.DataFrame, kind: str) -> bool:
    if len(a) != len(b) or any(
        (a[key].to_numpy() != b[key].to_numpy()).any() for key in KEYS[kind]
    ):
        return False
    shared = SHARED[kind]
    if shared is None:
        return True
    first, second = a[shared].to_numpy(), b[shared].to_numpy()
    if first.dtype != object:
        return bool((first == second).all())
    return all(np.array_equal(x, y) for x, y in zip(first, second, strict=True))


def _other_items(a: pd.DataFrame, b: pd.DataFrame, kind: str) -> str:
    first, second = (set(frame["item"]) for frame in (a, b))
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
        a, b = base.items.draws(pair.task), other.items.draws(pair.task)
        if len(a) == len(b):
            return _columns(a), _columns(b)
    return tuple(  # type: ignore[return-value]
        bootstrap(_outcome(frame, record), seed=seed, stream=pair.task)
        for frame, record in ((pair.a, pair.record), (pair.b, pair.other_record))
    )


def _columns(table: pd.DataFrame) -> dict[str, Array]:
    return {str(key): table[key].to_numpy(np.float64) for key in table.columns}


def _outcome(frame: pd.DataFrame, record: TaskRecord) -> Outcome:
    scores = tuple(
        Score(score.metric, score.value, score.setting, score.field) for score in record.scores
    )
    return Outcome(scores, cast(ItemKind, record.item_kind), frame, record.notes)


def paired_p(pair: Pair, score: ScoreRecord, seed: int) -> float:
    """The paired permutation test of one score over all of its items.

    Raises:
        StorageError: the items do not hold the score.
    """
    make = {"queries": _queries_p, "blocks": _blocks_p, "classes": _classes_p, "values": _values_p}
    try:
        return make[str(pair.record.item_kind)](pair, score, seed)
    except (KeyError, ValueError) as error:
        raise StorageError(
            f"items from which {score.key} cannot be computed ({error})",
            where=f"task {pair.task}",
            fix="Run the task again",
        ) from error


def _queries_p(pair: Pair, score: ScoreRecord, seed: int) -> float:
    """A mean over queries; over several fields of study, the mean of the fields' means."""
    wanted = (pair.a["metric"] == score.metric).to_numpy()
    values = (pair.b["value"].to_numpy(np.float64) - pair.a["value"].to_numpy(np.float64))[wanted]
    _, field, counts = np.unique(
        pair.a["field"].to_numpy()[wanted].astype(str), return_inverse=True, return_counts=True
    )
    return sign_flip_p(values / counts[field] / len(counts), seed=seed)


def _blocks_p(pair: Pair, score: ScoreRecord, seed: int) -> float:
    fields = []
    for name in sorted(set(pair.a["field"])):
        rows = (pair.a["field"] == name).to_numpy()
        wide = [
            frame[rows].pivot(index="item", columns="metric", values="value").sort_index()
            for frame in (pair.a, pair.b)
        ]
        size = pair.a[rows].drop_duplicates("item").set_index("item")["weight"]
        values = [table[["b3_precision", "b3_recall"]].to_numpy(np.float64) for table in wide]
        fields.append((size.reindex(wide[0].index).to_numpy(np.float64), values[0], values[1]))
    return b_cubed_p(fields, seed=seed)


def _iterations(frame: pd.DataFrame, setting: str) -> list[pd.DataFrame]:
    rows = frame[frame["setting"] == setting]
    return [part for _, part in rows.groupby("iteration", sort=True)]


def _classes_p(pair: Pair, score: ScoreRecord, seed: int) -> float:
    a, b = _iterations(pair.a, score.setting), _iterations(pair.b, score.setting)
    truth = a[0]["truth"]
    known = [truth, *(part["prediction"] for part in (*a, *b))]
    classes = 1 + max(int(np.max(labels, initial=-1)) for part in known for labels in part)
    noted = pair.record.notes.get("classes")
    width = max(classes, noted if isinstance(noted, int) else 2)
    matrix = _one_hot(truth, width)
    first = [_one_hot(part["prediction"], width) for part in a]
    second = [_one_hot(part["prediction"], width) for part in b]
    if score.metric == "accuracy":
        right = [
            np.mean([(m == matrix).all(axis=1) for m in side], axis=0) for side in (first, second)
        ]
        return sign_flip_p(right[1] - right[0], seed=seed)
    return f1_p(matrix, first, second, score.metric, seed=seed)


def _one_hot(lists: pd.Series[Any], width: int) -> Array:
    out = np.zeros((len(lists), width))
    for row, labels in enumerate(lists):
        out[row, np.asarray(labels, dtype=np.int64)] = 1.0
    return out


def _values_p(pair: Pair, score: ScoreRecord, seed: int) -> float:
    a, b = _iterations(pair.a, score.setting), _iterations(pair.b, score.setting)
    parts = [
        tau_contributions(
            x["truth"].to_numpy(np.float64),
            x["prediction"].to_numpy(np.float64),
            y["prediction"].to_numpy(np.float64),
        )
        for x, y in zip(a, b, strict=True)
    ]
    return sign_flip_p(np.asarray(np.mean(parts, axis=0)), seed=seed)
