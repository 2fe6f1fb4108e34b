from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy import stats
from sklearn.metrics import f1_score

from scirepeval_harness.evaluations.base import Outcome, Score
from scirepeval_harness.evaluations.items import bootstrap
from scirepeval_harness.extensions import METRICS
from scirepeval_harness.statistics import bootstrap as bootstrap_module
from scirepeval_harness.statistics.bootstrap import drawn, interval, mean_of, value_of, weights
from scirepeval_harness.statistics.labels import LabelSets, one_hot, width_of
from scirepeval_harness.statistics.tau import tau_of


def queries(values: list[float]) -> Outcome:
    items = pd.DataFrame(
        {
            "field": "",
            "item": [str(n) for n in range(len(values))],
            "metric": "map",
            "value": values,
        }
    )
    return Outcome((Score("map", 100 * float(np.mean(values))),), "queries", items)


def test_the_interval_of_a_mean_agrees_with_scipy() -> None:
    values = np.random.default_rng(1).beta(2, 3, 200).tolist()
    ours = interval(bootstrap(queries(values), seed=42, draws=4000)["map"])
    theirs = stats.bootstrap(
        (np.array(values),), np.mean, method="percentile", n_resamples=4000, rng=7
    ).confidence_interval
    assert ours == pytest.approx((100 * theirs.low, 100 * theirs.high), abs=0.4)


def test_the_interval_holds_the_truth_in_about_95_of_100_samples() -> None:
    random = np.random.default_rng(3)
    held = 0
    for _ in range(400):
        low, high = interval(
            bootstrap(queries(random.uniform(size=80).tolist()), seed=42, draws=400)["map"]
        )
        held += low <= 50 <= high
    assert 0.91 <= held / 400 <= 0.98


def test_macro_f1_of_each_draw_equals_scikit_learn_on_the_resampled_rows() -> None:
    random = np.random.default_rng(5)
    truth, predicted = random.integers(0, 4, 30), random.integers(0, 4, 30)
    items = pd.DataFrame(
        {"setting": "full", "iteration": 0, "item": [str(n) for n in range(30)],
         "truth": [[int(v)] for v in truth], "prediction": [[int(v)] for v in predicted]}
    )  # fmt: skip
    outcome = Outcome((Score("f1_macro", 0.0),), "classes", items, {"classes": 4})
    drawn = bootstrap(outcome, seed=9, draws=20)["f1_macro"]
    counts = np.concatenate(list(weights(30, 20, (9, 0)))).astype(int)
    for value, count in zip(drawn, counts, strict=True):
        rows = np.repeat(np.arange(30), count)
        assert value == pytest.approx(100 * f1_score(truth[rows], predicted[rows], average="macro"))


def test_fields_are_resampled_apart_and_averaged() -> None:
    items = pd.DataFrame(
        {"field": ["Art"] * 3 + ["Law"], "item": list("abcd"), "metric": "map",
         "value": [0.0, 0.5, 1.0, 0.25]}
    )  # fmt: skip
    scores = (Score("map", 37.5), Score("map", 50.0, field="Art"), Score("map", 25.0, field="Law"))
    drawn = bootstrap(Outcome(scores, "queries", items), seed=1, draws=50)
    assert (drawn["map[Law]"] == 25).all()
    assert drawn["map"] == pytest.approx((drawn["map[Art]"] + 25) / 2)


def test_tau_draws_surround_the_tau_of_the_rows() -> None:
    random = np.random.default_rng(2)
    truth = random.normal(size=120)
    predicted = truth + random.normal(size=120)
    items = pd.DataFrame(
        {"setting": "full", "iteration": 0, "item": [str(n) for n in range(120)], "truth": truth,
         "prediction": predicted}
    )  # fmt: skip
    outcome = Outcome((Score("kendalltau", 0.0),), "values", items)
    low, high = interval(bootstrap(outcome, seed=1, draws=300)["kendalltau"])
    assert low < 100 * stats.kendalltau(truth, predicted).statistic < high


def test_tasks_are_resampled_independently_and_models_alike() -> None:
    outcome = queries(np.random.default_rng(2).uniform(size=50).tolist())
    first, again, other = (
        bootstrap(outcome, seed=42, stream=name)["map"] for name in ("cite", "cite", "read")
    )
    assert np.array_equal(first, again)
    assert abs(np.corrcoef(first, other)[0, 1]) < 0.12


Numbers = tuple[np.ndarray, np.ndarray]


def numbers(kind: str, rows: int) -> Numbers:
    random = np.random.default_rng([rows, len(kind)])
    truth = random.normal(size=rows)
    if kind == "ties":
        return random.integers(0, 4, rows).astype(float), random.integers(0, 3, rows).astype(float)
    if kind == "one constant side":
        return truth, np.zeros(rows)
    if kind == "repeated rows":
        return np.repeat(truth[: -(-rows // 3)], 3)[:rows], np.round(truth)
    return {"same": (truth, truth), "mirrored": (truth, -truth)}.get(
        kind, (truth, truth + random.normal(size=rows))
    )


@pytest.mark.parametrize("rows", [1, 2, 3, 7, 64, 333])
@pytest.mark.parametrize(
    "kind", ["noise", "ties", "same", "mirrored", "one constant side", "repeated rows"]
)
def test_tau_of_all_draws_at_once_is_scipy_s_to_the_last_bit(kind: str, rows: int) -> None:
    truth, predicted = numbers(kind, rows)
    tau = METRICS.get("kendalltau")
    fast, plain = drawn(
        [
            tau_of(truth, predicted, tau.undefined, 70),
            value_of(tau.on_resample, truth, predicted, 70),
        ],
        (3, 4),
    )
    assert np.array_equal(fast, plain)


def few_shot(metric: str, classes: int, *, multi_label: bool) -> Outcome:
    random = np.random.default_rng(classes)
    truth = random.random((90, classes)) < 0.4
    if not multi_label:
        truth = np.eye(classes, dtype=bool)[random.integers(0, classes, 90)]
    frames = []
    for setting, iterations in (("full", 1), ("9-shot", 5)):
        for iteration in range(iterations):
            wrong = np.roll(truth, 1 + iteration, axis=0)
            said = np.where(random.random((90, 1)) < 0.3, wrong, truth)
            lists = [[np.flatnonzero(row).tolist() for row in side] for side in (truth, said)]
            frames.append(
                pd.DataFrame(
                    {"setting": setting, "iteration": iteration,
                     "item": [str(n) for n in range(90)], "truth": lists[0],
                     "prediction": lists[1]}
                )
            )  # fmt: skip
    scores = (Score(metric, 0.0), Score(metric, 0.0, "9-shot"))
    return Outcome(scores, "classes", pd.concat(frames), {"classes": classes})


@pytest.mark.parametrize("arrow", [False, True])
@pytest.mark.parametrize(
    ("metric", "classes", "multi_label"),
    [("f1_macro", 5, True), ("f1_macro", 3, False), ("accuracy", 4, True), ("f1", 2, False)],
)
def test_draws_of_counts_are_the_metric_s_on_the_drawn_rows(
    metric: str, classes: int, multi_label: bool, arrow: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Five iterations at once, or two, two and one.
    monkeypatch.setattr(bootstrap_module, "ASIDE", 90 * 2 * classes * (2 if arrow else 5))
    outcome = few_shot(metric, classes, multi_label=multi_label)
    if arrow:
        columns = {
            name: LabelSets.of_column(outcome.items[name]).column().set_axis(outcome.items.index)
            for name in ("truth", "prediction")
        }
        outcome = Outcome(
            outcome.scores, outcome.kind, outcome.items.assign(**columns), outcome.notes
        )
    found = bootstrap(outcome, seed=4, draws=25, multi_label=multi_label)
    counts = np.concatenate(list(weights(90, 25, (4, 0)))).astype(int)
    for setting, key in (("full", metric), ("9-shot", f"{metric}@9-shot")):
        values = []
        for _, part in outcome.items[outcome.items["setting"] == setting].groupby("iteration"):
            sides = [
                one_hot(LabelSets.of_column(part[name]), classes, np.int64)
                for name in ("truth", "prediction")
            ]
            if not multi_label:
                sides = [side.argmax(axis=1) for side in sides]
            taken = [np.repeat(np.arange(90), count) for count in counts]
            values.append([METRICS.get(metric)(*(side[rows] for side in sides)) for rows in taken])
        assert found[key] == pytest.approx(100 * np.mean(values, axis=0), abs=1e-12)


def test_statistics_of_as_many_items_share_one_drawing(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []
    plain = bootstrap_module.counted

    def counting(*given: Any) -> Any:
        asked.append(given)
        return plain(*given)

    monkeypatch.setattr(bootstrap_module, "counted", counting)
    monkeypatch.setattr(bootstrap_module, "CHUNK", 300)
    bootstrap(few_shot("f1_macro", 3, multi_label=True), seed=1, draws=20, multi_label=True)
    assert asked == [(90, 20, (1, 0))]


def test_fewer_draws_are_the_first_of_more(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bootstrap_module, "CHUNK", 50 * 7)
    values = np.random.default_rng(0).uniform(size=50)
    few, many = drawn([mean_of(values, 10), mean_of(values, 30)], (2,))
    assert np.array_equal(few, many[:10])


def test_a_label_column_gives_its_labels_back() -> None:
    lists = [[2, 0], [], [1], [4, 3, 2]]
    labels = LabelSets.of_column(pd.Series(lists))
    column = labels.column()
    assert column.tolist() == lists
    assert LabelSets.of_column(column).same(labels)
    assert LabelSets.of_column(column[[False, True, False, True]]).values.tolist() == [4, 3, 2]
    assert not LabelSets.of_column(pd.Series([[0, 2], [], [1], [4, 3, 2]])).same(labels)
    with pytest.raises(ValueError, match="without labels"):
        LabelSets.of_column(column.where([True, True, False, True]))
    with pytest.raises(ValueError, match="from 0 to 1000000000"):
        width_of([LabelSets.of_column(pd.Series([[0], [10**9]]))], 3)
