from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest
from numpy.typing import NDArray

from scirepeval_harness.errors import DataError, ModelError
from scirepeval_harness.evaluations.scorers import euclidean_scorer, make_run, pools_of, settings_of
from tests.support.tables import Table


def lengths(query: str, candidates: Sequence[str]) -> NDArray[np.float64]:
    return np.array([float(len(item)) for item in candidates])


def test_a_run_scores_every_labelled_candidate_in_plain_floats() -> None:
    run = make_run(lengths, {"q": {"aa": 1, "b": 0}})
    assert run == {"q": {"aa": 2.0, "b": 1.0}}
    assert type(run["q"]["aa"]) is float


def test_pools_and_settings() -> None:
    assert pools_of({"q": {"b": 0, "a": 1}}) == {"q": ("b", "a")}
    assert settings_of(lengths) == {}
    assert settings_of(euclidean_scorer(Table({}), width="float16"))["vector_width"] == "float16"


def test_empty_pools_and_bad_scores_are_refused() -> None:
    with pytest.raises(DataError, match="query q: the query has no candidates"):
        make_run(lengths, {"q": {}})
    with pytest.raises(ModelError, match="candidate b is not a finite number"):
        make_run(lambda query, pool: np.array([1.0, np.nan]), {"q": {"a": 1, "b": 0}})
    with pytest.raises(ModelError, match="2 candidates got scores of shape"):
        make_run(lambda query, pool: np.array([1.0]), {"q": {"a": 1, "b": 0}})
