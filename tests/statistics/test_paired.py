from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from scirepeval_harness.evaluations.base import Outcome, Score
from scirepeval_harness.evaluations.items import bootstrap
from scirepeval_harness.statistics.bootstrap import interval
from scirepeval_harness.statistics.permutation import difference_draws, p_of_draws


def draws_of(values: np.ndarray) -> np.ndarray:
    items = pd.DataFrame({"field": "", "item": [str(n) for n in range(len(values))]})
    items = items.assign(metric="map", value=values)
    outcome = Outcome((Score("map", 100 * float(values.mean())),), "queries", items)
    return bootstrap(outcome, seed=42, stream="t", draws=4000)["map"]


def test_the_paired_interval_is_that_of_the_differences_and_not_of_two_samples() -> None:
    random = np.random.default_rng(1)
    easy = random.uniform(size=300)
    a, b = easy + random.normal(0, 0.02, 300), easy + 0.005 + random.normal(0, 0.02, 300)
    ours = interval(difference_draws(draws_of(a), draws_of(b)))
    theirs = stats.bootstrap(
        (a, b),
        lambda x, y, axis=-1: 100 * (np.mean(y, axis=axis) - np.mean(x, axis=axis)),
        paired=True,
        vectorized=True,
        method="percentile",
        n_resamples=4000,
        rng=7,
    ).confidence_interval
    assert ours == pytest.approx((theirs.low, theirs.high), abs=0.03)
    apart = (draws_of(a).std() ** 2 + draws_of(b).std() ** 2) ** 0.5
    assert ours[1] - ours[0] < apart, "pairing takes out what both systems share"


def test_unequal_numbers_of_draws_are_refused() -> None:
    with pytest.raises(ValueError, match="3 draws against 4"):
        difference_draws(np.zeros(3), np.zeros(4))


def test_the_p_value_of_draws_is_that_of_the_paired_t_test_for_many_items() -> None:
    random = np.random.default_rng(2)
    a = random.uniform(size=400)
    b = a + random.normal(0.005, 0.05, 400)
    ours = p_of_draws(100 * float((b - a).mean()), difference_draws(draws_of(a), draws_of(b)))
    assert ours == pytest.approx(stats.ttest_rel(a, b).pvalue, abs=0.01)
    assert 0.01 < ours < 0.5


def test_the_p_value_of_draws_at_its_ends() -> None:
    assert p_of_draws(0.0, np.zeros(100)) == 1.0
    assert p_of_draws(0.5, np.full(100, 0.5)) == pytest.approx(1 / 10_001)
    assert p_of_draws(9.0, np.random.default_rng(1).normal(9, 1, 1000)) == pytest.approx(1 / 10_001)
