"""Bootstrap intervals: items drawn with replacement, each score computed again on every draw."""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from scirepeval_harness.evaluations.base import Outcome
from scirepeval_harness.statistics.measures import accuracy_of_counts, f1_of_counts, kendall_tau

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


Draws = NDArray[np.float64]
Seed = tuple[int, ...]
"""Numbers that together seed a generator."""
CHUNK = 20_000_000
"""Weights held at a time: draws x items."""


def bootstrap(
    outcome: Outcome, *, seed: int, stream: str = "", draws: int = 1000
) -> Mapping[str, Draws]:
    """For each score key, ``draws`` values x 100 under resampling of queries, rows or blocks.

    Which items a draw takes depends on the seed, the stream and the number of items alone: two
    models scored on the same items of one task are resampled alike, and two tasks, whose names are
    their streams, independently. Percentile bootstrap: Efron and Tibshirani (1993), chapter 13.
    """
    make = {"queries": _queries, "classes": _rows, "values": _rows, "blocks": _blocks}
    return make[outcome.kind](outcome, (seed, zlib.crc32(stream.encode())), draws)


def weights(items: int, draws: int, seed: Seed) -> Iterator[NDArray[np.float64]]:
    """How often each draw takes each item, in chunks (draws, items); rows sum to items."""
    random = np.random.default_rng([*seed, items])
    step = max(1, CHUNK // max(items, 1))
    shares = np.full(items, 1.0 / items)
    for start in range(0, draws, step):
        yield random.multinomial(items, shares, size=min(step, draws - start)).astype(np.float64)


def _queries(outcome: Outcome, seed: Seed, draws: int) -> dict[str, Draws]:
    """Means over queries; over several fields of study, the mean of the fields' means."""
    out: dict[str, Draws] = {}
    by_field: dict[str, dict[str, Draws]] = {}
    for (field, metric), rows in outcome.items.groupby(["field", "metric"], sort=True):
        values = rows["value"].to_numpy(np.float64)
        parts = [part @ values / len(values) for part in weights(len(values), draws, seed)]
        by_field.setdefault(str(metric), {})[str(field)] = 100.0 * np.concatenate(parts)
    for score in outcome.scores:
        fields = by_field[score.metric]
        chosen = [fields[score.field]] if score.field else list(fields.values())
        out[score.key] = np.mean(chosen, axis=0)
    return out


def _blocks(outcome: Outcome, seed: Seed, draws: int) -> dict[str, Draws]:
    """B-cubed F1 of weighted mean precision and recall, a data set at a time, then their mean."""
    by_field: dict[str, Draws] = {}
    for field, rows in outcome.items.groupby("field", sort=True):
        wide = rows.pivot(index="item", columns="metric", values="value").sort_index()
        weight = rows.drop_duplicates("item").set_index("item")["weight"].reindex(wide.index)
        size = weight.to_numpy(np.float64)
        precision = wide["b3_precision"].to_numpy(np.float64)
        recall = wide["b3_recall"].to_numpy(np.float64)
        parts = []
        for part in weights(len(wide), draws, seed):
            total = part @ size
            p, r = part @ (size * precision) / total, part @ (size * recall) / total
            parts.append(np.divide(2 * p * r, p + r, out=np.zeros_like(p), where=(p + r) > 0))
        by_field[str(field)] = 100.0 * np.concatenate(parts)
    return {
        score.key: by_field[score.field]
        if score.field
        else np.mean(list(by_field.values()), axis=0)
        for score in outcome.scores
    }


def _rows(outcome: Outcome, seed: Seed, draws: int) -> dict[str, Draws]:
    """Metrics of test rows; a few-shot setting is the mean over its iterations on the same rows."""
    groups = {
        str(setting): [part for _, part in rows.groupby("iteration", sort=True)]
        for setting, rows in outcome.items.groupby("setting", sort=True)
    }
    out: dict[str, Draws] = {}
    for score in outcome.scores:
        measure = _measure(score.metric, outcome)
        parts = [measure(rows, seed, draws) for rows in groups[score.setting]]
        out[score.key] = 100.0 * np.mean(parts, axis=0)
    return out


Measure = Callable[[pd.DataFrame, Seed, int], Draws]


def _measure(metric: str, outcome: Outcome) -> Measure:
    if metric == "kendalltau":
        return _tau_draws
    classes = outcome.notes.get("classes")
    count = classes if isinstance(classes, int) else 0

    def class_draws(rows: pd.DataFrame, seed: Seed, draws: int) -> Draws:
        truth, predicted = (_one_hot(rows[name], count) for name in ("truth", "prediction"))
        width = max(truth.shape[1], predicted.shape[1])
        truth, predicted = _widened(truth, width), _widened(predicted, width)
        single = bool((truth.sum(axis=1) == 1).all() and (predicted.sum(axis=1) == 1).all())
        parts = []
        for part in weights(len(rows), draws, seed):
            hits, said, real = part @ (truth * predicted), part @ predicted, part @ truth
            if metric == "accuracy":
                parts.append(accuracy_of_counts(part, truth, predicted))
            else:
                parts.append(f1_of_counts(hits, said, real, metric, present_only=single))
        return np.concatenate(parts)

    return class_draws


def _tau_draws(rows: pd.DataFrame, seed: Seed, draws: int) -> Draws:
    truth = rows["truth"].to_numpy(np.float64)
    predicted = rows["prediction"].to_numpy(np.float64)
    values = []
    for part in weights(len(rows), draws, seed):
        for counts in part.astype(np.int64):
            taken = np.repeat(np.arange(len(rows)), counts)
            values.append(kendall_tau(truth[taken], predicted[taken]))
    return np.array(values)


def _one_hot(lists: pd.Series, classes: int) -> NDArray[np.float64]:
    indices = [np.asarray(value, dtype=np.int64) for value in lists]
    width = max([classes, *(int(value.max()) + 1 for value in indices if len(value))])
    out = np.zeros((len(indices), width))
    for row, value in enumerate(indices):
        out[row, value] = 1.0
    return out


def _widened(matrix: NDArray[np.float64], width: int) -> NDArray[np.float64]:
    return np.pad(matrix, ((0, 0), (0, width - matrix.shape[1])))


def interval(draws: NDArray[np.float64], level: float = 0.95) -> tuple[float, float]:
    """The percentile interval of ``level`` around the draws' median."""
    import numpy as np

    tail = 50.0 * (1.0 - level)
    low, high = np.percentile(draws, [tail, 100.0 - tail])
    return float(low), float(high)
