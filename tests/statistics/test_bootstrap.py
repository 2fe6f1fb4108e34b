from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy import stats
from sklearn.metrics import f1_score

from scirepeval_harness.evaluations.base import Outcome, Score
from scirepeval_harness.evaluations.items import bootstrap
from scirepeval_harness.statistics.bootstrap import interval, weights


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
