from __future__ import annotations

import numpy as np
import pytest

from scirepeval_harness.statistics.permutation import holm


def test_holm_as_computed_by_hand() -> None:
    # Sorted .005 .01 .03 .04 times 4 3 2 1 = .02 .03 .06 .04, and never falling: .06 at the end.
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert holm([0.7, 0.9]) == [1.0, 1.0]
    assert holm([]) == []
    assert holm([0.03]) == [0.03]


def test_among_true_null_hypotheses_one_is_rejected_in_about_5_of_100_families() -> None:
    random = np.random.default_rng(11)
    families = [min(holm(list(random.uniform(size=20)))) <= 0.05 for _ in range(4000)]
    assert 0.035 <= np.mean(families) <= 0.06
