"""What evaluators take and give."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal, Protocol

import numpy as np
import pandas as pd
from numpy.typing import NDArray

ItemKind = Literal["queries", "classes", "values", "blocks"]


class VectorTable(Protocol):
    """Vectors of a task by document id."""

    def take(self, ids: Sequence[str]) -> NDArray[np.float32]:
        """Rows (len(ids), dimensions) in the order given; CoverageError for an unknown id."""
        ...


class PairScorer(Protocol):
    """Scores of candidates for a query, higher is better, float64, in the order given."""

    def __call__(self, query: str, candidates: Sequence[str]) -> NDArray[np.float64]: ...


@dataclass(frozen=True, slots=True)
class Score:
    """One number of a task, x 100. ``setting`` is ``full`` or a few-shot setting (``64-shot``);
    ``field`` is a field of study where a task reports one number a field."""

    metric: str
    value: float
    setting: str = "full"
    field: str | None = None

    @property
    def key(self) -> str:
        """Printable, unique within a task: ``f1_macro``, ``f1_macro@64-shot``, ``map[Art]``."""
        shot = "" if self.setting == "full" else f"@{self.setting}"
        return f"{self.metric}{shot}" + (f"[{self.field}]" if self.field else "")


@dataclass(frozen=True)
class Outcome:
    """Scores of a task and the items from which each can be computed again.

    ``items`` by kind, one row an item:
    queries: field (str, empty where none), item (query id), metric, value in 0..1;
    classes: setting, iteration (int), item (row id), truth and prediction (lists of class indices);
    values: setting, iteration, item, truth (float), prediction (float);
    blocks: field (data set), item (block), metric, value, weight (signatures).
    ``notes`` is JSON-ready: chosen C, convergence warnings, classes, settings of the scorer.
    """

    scores: tuple[Score, ...]
    kind: ItemKind
    items: pd.DataFrame
    notes: Mapping[str, object] = field(default_factory=dict)


COLUMNS = ("field", "item", "metric", "value")


def query_items(
    measured: Iterable[tuple[str, str, Mapping[str, Mapping[str, float]]]], metrics: Sequence[str]
) -> pd.DataFrame:
    """One row a query and metric, in the order given.

    Args:
        measured: (field, prefix of the metric names, query id -> metric -> value in 0..1).
        metrics: the metrics to take, outermost within a field.
    """
    rows = [
        (field, query, prefix + metric, values[metric])
        for field, prefix, queries in measured
        for metric in metrics
        for query, values in queries.items()
    ]
    frame = pd.DataFrame(rows, columns=list(COLUMNS))
    return frame.astype({"field": object, "item": object, "metric": object, "value": np.float64})


def mean_over_queries(measured: Mapping[str, Mapping[str, float]], metric: str) -> float:
    """Mean of a metric over all queries, x 100, as ``compute_aggregated_measure`` takes it."""
    return 100.0 * float(np.mean([values[metric] for values in measured.values()]))
