from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from scirepeval_harness.statistics.bootstrap import interval


def test_percentiles_of_the_draws() -> None:
    assert interval(np.arange(1001.0)) == pytest.approx((25.0, 975.0))
    assert interval(np.arange(1001.0), level=0.5) == pytest.approx((250.0, 750.0))


def test_near_the_exact_interval_of_a_normal_mean() -> None:
    draws = np.random.default_rng(0).normal(10, 2, 200_000)
    assert interval(draws) == pytest.approx(stats.norm(10, 2).interval(0.95), abs=0.05)
