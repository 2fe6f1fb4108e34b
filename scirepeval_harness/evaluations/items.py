"""Items of a finished task: how scores are resampled from them, and two systems' tested by them.

There are four kinds (:class:`~.base.Outcome` has their columns). A metric of probes is resampled
by its own function, unless a shorter way to the same number is known here; no metric ever gets the
draws of another.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from scirepeval_harness.evaluations.base import NOT_RESAMPLED, Outcome, Score
from scirepeval_harness.extensions import METRICS
from scirepeval_harness.statistics import bootstrap as resample
from scirepeval_harness.statistics import permutation as paired
from scirepeval_harness.statistics.bootstrap import Array, Statistic
from scirepeval_harness.statistics.labels import LabelSets, one_hot, width_of
from scirepeval_harness.statistics.tau import tau_of

# Metrics whose draws follow from counts.
COUNTED = ("f1", "f1_macro", "accuracy")
COLUMNS = ("field", "item", "metric", "value")


@dataclass(frozen=True)
class Resampling:
    """How much is drawn, and from what seed."""

    draws: int
    seed: resample.Seed
    multi_label: bool


@dataclass(frozen=True)
class ItemKind:
    """``keys`` name an item in a frame; ``shared`` is the column that must agree beside them for
    two items to be the same."""

    keys: tuple[str, ...]
    shared: str | None
    score: Callable[[Outcome, Score, bool], float]
    draws: Callable[[Outcome, Resampling], dict[str, Array]]
    p_value: Callable[[Outcome, Outcome, Score, int, bool], float]


def bootstrap(
    outcome: Outcome, *, seed: int, stream: str = "", draws: int = 1000, multi_label: bool = False
) -> Mapping[str, Array]:
    """For each score key, ``draws`` values x 100 under resampling of queries, rows or blocks.

    A score that the notes name as not resampled has no key. Two tasks, whose names are their
    streams, are resampled independently, two models on the same items of one task alike.

    Raises:
        UnknownNameError: a metric of rows that is not installed.
    """
    wanted = _without(outcome)
    # Not hash(): Python salts it anew in every process, and equal runs would differ.
    how = Resampling(draws, (seed, zlib.crc32(stream.encode())), multi_label)
    return ITEM_KINDS[outcome.kind].draws(wanted, how) if wanted.scores else {}


def paired_p(
    a: Outcome, b: Outcome, score: Score, *, seed: int, multi_label: bool = False
) -> float | None:
    """The paired permutation test of one score over items that are the same in each row; None for
    a score that is not resampled.

    Raises:
        KeyError, ValueError: the items do not hold the score.
        UnknownNameError: a metric of rows that is not installed.
    """
    if any(score.key in _left_out(side) for side in (a, b)):
        return None
    return ITEM_KINDS[a.kind].p_value(a, b, score, seed, multi_label)


def scores_of_items(outcome: Outcome, *, multi_label: bool = False) -> dict[str, float]:
    """The scores x 100, by key, computed again from the items; without those of a kind of items or
    a metric that is not known here.

    Raises:
        HarnessError, LookupError, TypeError, ValueError: the items do not hold a score.
    """
    kind = ITEM_KINDS.get(outcome.kind)
    if kind is None:
        return {}
    of_rows = kind.p_value is _row_p
    known = [s for s in outcome.scores if not of_rows or s.metric in METRICS]
    return {score.key: kind.score(outcome, score, multi_label) for score in known}


def _left_out(outcome: Outcome) -> Mapping[str, str]:
    found = outcome.notes.get(NOT_RESAMPLED)
    return found if isinstance(found, dict) else {}


def _without(outcome: Outcome) -> Outcome:
    left = _left_out(outcome)
    scores = tuple(score for score in outcome.scores if score.key not in left)
    return Outcome(scores, outcome.kind, outcome.items, outcome.notes)


def _query_score(outcome: Outcome, score: Score, multi_label: bool) -> float:
    rows = outcome.items[outcome.items["metric"] == score.metric]
    means = rows.groupby("field", sort=False)["value"].mean()
    return 100.0 * float(means.loc[score.field] if score.field else means.mean())


def _block_score(outcome: Outcome, score: Score, multi_label: bool) -> float:
    means = {}
    for field, rows in outcome.items.groupby("field", sort=False):
        size, values = _blocks(rows)
        precision, recall = (size / size.sum()) @ values
        means[str(field)] = 2 * precision * recall / max(precision + recall, 1e-300)
    return 100.0 * float(means[score.field] if score.field else np.mean(list(means.values())))


def _row_score(outcome: Outcome, score: Score, multi_label: bool) -> float:
    """The mean over iterations, each of them rounded in a few-shot setting as it was scored."""
    value = METRICS.get(score.metric).value
    parts = _iterations(outcome, score.setting)
    found = [100.0 * value(*_sides(part, outcome, multi_label)) for part in parts]
    return float(np.mean(found if score.setting == "full" else [round(v, 2) for v in found]))


def _query_draws(outcome: Outcome, how: Resampling) -> dict[str, Array]:
    """Means over queries; over several fields of study, the mean of the fields' means."""
    groups = {
        (str(metric), str(field)): rows["value"].to_numpy(np.float64)
        for (field, metric), rows in outcome.items.groupby(["field", "metric"], sort=True)
    }
    means = [resample.mean_of(values, how.draws) for values in groups.values()]
    by_field: dict[str, dict[str, Array]] = {}
    for (metric, field), values in zip(groups, resample.drawn(means, how.seed), strict=True):
        by_field.setdefault(metric, {})[field] = 100.0 * values
    return {score.key: _of_fields(by_field[score.metric], score) for score in outcome.scores}


def _block_draws(outcome: Outcome, how: Resampling) -> dict[str, Array]:
    """B-cubed F1 of weighted mean precision and recall, a data set at a time, then their mean."""
    by_field: dict[str, Array] = {}
    for field, rows in outcome.items.groupby("field", sort=True):
        size, values = _blocks(rows)
        precision, recall = values.T
        [drawn] = resample.drawn(
            [resample.b_cubed_of(size, precision, recall, how.draws)], how.seed
        )
        by_field[str(field)] = 100.0 * drawn
    return {score.key: _of_fields(by_field, score) for score in outcome.scores}


def _of_fields(fields: Mapping[str, Array], score: Score) -> Array:
    chosen = [fields[score.field]] if score.field else list(fields.values())
    return np.asarray(np.mean(chosen, axis=0))


def _blocks(rows: pd.DataFrame) -> tuple[Array, Array]:
    """Signatures (blocks,), and precision and recall (blocks, 2), of one data set's blocks."""
    wide = rows.pivot(index="item", columns="metric", values="value").sort_index()
    weight = rows.drop_duplicates("item").set_index("item")["weight"].reindex(wide.index)
    values = wide[["b3_precision", "b3_recall"]].to_numpy(np.float64)
    return weight.to_numpy(np.float64), values


def _row_draws(outcome: Outcome, how: Resampling) -> dict[str, Array]:
    """Metrics of test rows; a few-shot setting is the mean over its iterations on the same rows."""
    statistics = {score: list(_row_statistics(outcome, score, how)) for score in outcome.scores}
    # All at once: a task's settings and metrics are of the same rows, and share their draws.
    every = iter(resample.drawn([one for own in statistics.values() for one in own], how.seed))
    out: dict[str, Array] = {}
    for score, own in statistics.items():
        values = np.concatenate([np.atleast_2d(next(every)) for _ in own])
        mean = 100.0 * np.mean(values, axis=0)
        # Averages add the draws of tasks up, one by one: a task with fewer repeats them.
        out[score.key] = mean if len(mean) == how.draws else np.resize(mean, how.draws)
    return out


def _row_statistics(outcome: Outcome, score: Score, how: Resampling) -> Iterator[Statistic]:
    parts = _iterations(outcome, score.setting)
    if score.metric in COUNTED:
        for rows in dict.fromkeys(len(part) for part in parts):
            sides = list[tuple[LabelSets, LabelSets]]()
            for real, said in (_label_sides(part) for part in parts if len(part) == rows):
                # One truth for all iterations, where it is the same, as a rule.
                known = sides[-1][0] if sides and real.same(sides[-1][0]) else real
                sides.append((known, said))
            yield resample.counts_of(sides, _classes(outcome, 0), score.metric, how.draws)
        return
    metric = METRICS.get(score.metric)
    count = resample.draws_for(len(parts[0]), len(parts), how.draws)
    for truth, predicted in (_sides(part, outcome, how.multi_label) for part in parts):
        if score.metric == "kendalltau":
            pair = truth.astype(np.float64), predicted.astype(np.float64)
            yield tau_of(*pair, metric.undefined, count)
        else:
            yield resample.value_of(metric.on_resample, truth, predicted, count)


def _classes(outcome: Outcome, otherwise: int) -> int:
    noted = outcome.notes.get("classes")
    return noted if isinstance(noted, int) else otherwise


def _iterations(outcome: Outcome, setting: str) -> list[pd.DataFrame]:
    # Without the ids of millions of rows, which nobody asks for here.
    columns = ["iteration", "truth", "prediction"]
    rows = outcome.items.loc[outcome.items["setting"] == setting, columns]
    if rows.empty:
        raise ValueError(f"no rows of setting {setting}")
    return [part for _, part in rows.groupby("iteration", sort=True)]


def _label_sides(rows: pd.DataFrame) -> tuple[LabelSets, LabelSets]:
    truth, predicted = (LabelSets.of_column(rows[name]) for name in ("truth", "prediction"))
    return truth, predicted


def _sides(
    rows: pd.DataFrame, outcome: Outcome, multi_label: bool
) -> tuple[NDArray[np.generic], NDArray[np.generic]]:
    """Truth and predictions in the form in which the metric was scored."""
    if outcome.kind == "values":
        truth, predicted = (rows[name].to_numpy(np.float64) for name in ("truth", "prediction"))
        return truth, predicted
    sets = _label_sides(rows)
    width = width_of(sets, _classes(outcome, 0))
    if multi_label or any((side.sizes != 1).any() for side in sets):
        truth, predicted = (one_hot(side, width, np.int64) for side in sets)
        return truth, predicted
    return sets[0].values, sets[1].values


def _query_p(a: Outcome, b: Outcome, score: Score, seed: int, multi_label: bool) -> float:
    """A mean over queries; over several fields of study, the mean of the fields' means."""
    wanted = (a.items["metric"] == score.metric).to_numpy()
    first, second = (side.items["value"].to_numpy(np.float64)[wanted] for side in (a, b))
    _, field, counts = np.unique(
        a.items["field"].to_numpy()[wanted].astype(str), return_inverse=True, return_counts=True
    )
    return paired.sign_flip_p((second - first) / counts[field] / len(counts), seed=seed)


def _block_p(a: Outcome, b: Outcome, score: Score, seed: int, multi_label: bool) -> float:
    fields = []
    for name in sorted(set(a.items["field"])):
        rows = (a.items["field"] == name).to_numpy()
        (size, first), (_, second) = (_blocks(side.items[rows]) for side in (a, b))
        fields.append((size, first, second))
    return paired.b_cubed_p(fields, seed=seed)


def _row_p(a: Outcome, b: Outcome, score: Score, seed: int, multi_label: bool) -> float:
    first, second = _iterations(a, score.setting), _iterations(b, score.setting)
    if score.metric in COUNTED:
        return _counted_p(first, second, score.metric, _classes(a, 2), seed)
    one, two = (
        [_sides(part, side, multi_label) for part in parts]
        for side, parts in ((a, first), (b, second))
    )
    if score.metric == "kendalltau":
        # A sum of contributions in all but ties: ten thousand permutations without a new tau.
        shares = [
            paired.tau_contributions(
                x[0].astype(np.float64), x[1].astype(np.float64), y[1].astype(np.float64)
            )
            for x, y in zip(one, two, strict=True)
        ]
        return paired.sign_flip_p(np.asarray(np.mean(shares, axis=0)), seed=seed)
    value = METRICS.get(score.metric).on_resample
    sides = ([predicted for _, predicted in parts] for parts in (one, two))
    return paired.value_p(value, one[0][0], *sides, seed=seed)


def _counted_p(
    a: Sequence[pd.DataFrame], b: Sequence[pd.DataFrame], metric: str, classes: int, seed: int
) -> float:
    columns = [a[0]["truth"], *(part["prediction"] for part in (*a, *b))]
    sets = [LabelSets.of_column(column) for column in columns]
    width = width_of(sets, classes)
    truth, *predicted = (one_hot(side, width) for side in sets)
    first, second = predicted[: len(a)], predicted[len(a) :]
    if metric == "accuracy":
        right = [
            np.mean([(m == truth).all(axis=1) for m in side], axis=0) for side in (first, second)
        ]
        return paired.sign_flip_p(right[1] - right[0], seed=seed)
    return paired.f1_p(truth, first, second, metric, seed=seed)


ITEM_KINDS: dict[str, ItemKind] = {
    "queries": ItemKind(("field", "metric", "item"), None, _query_score, _query_draws, _query_p),
    "blocks": ItemKind(("field", "metric", "item"), "weight", _block_score, _block_draws, _block_p),
    "classes": ItemKind(("setting", "iteration", "item"), "truth", _row_score, _row_draws, _row_p),
    "values": ItemKind(("setting", "iteration", "item"), "truth", _row_score, _row_draws, _row_p),
}


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
