"""The plan: what is counted, and how it is said."""

from __future__ import annotations

import numpy as np
import pytest

from scirepeval_harness.progress import time_in_words
from scirepeval_harness.run.plan import (
    ModelPlan,
    SpacePlan,
    even_sample,
    tokens_in_words,
)
from scirepeval_harness.vectors.keys import Ledger, key_array, text_key


def keys_of(*texts: str) -> np.ndarray:
    return key_array(text_key(text) for text in texts)


def space(**more: object) -> SpacePlan:
    values = {"roles": ("proximity",), "documents": 9, "texts": 5, "cached": 1, "tokens": 400,
              "exact": True, "rate": 50.0}  # fmt: skip
    return SpacePlan(**{**values, **more})  # type: ignore[arg-type]


def test_a_text_is_new_once_a_space() -> None:
    ledger = Ledger()
    assert ledger.new("s", keys_of("a", "b", "a")).tolist() == [0, 1]
    assert ledger.new("s", keys_of("c", "b", "c", "d")).tolist() == [0, 3]
    assert ledger.new("other", keys_of("b")).tolist() == [0]
    assert ledger.new("s", keys_of()).tolist() == []


def test_tokens_of_a_sample_stand_for_all() -> None:
    tally = SpacePlan()
    tally.add("proximity", 10, 6, 2)
    tally.add_tokens(np.asarray([10, 20]), 4)  # 15 tokens a text, two of four counted
    tally.add("query", 1, 1, 0)
    tally.add("proximity", 3, 0, 0)
    tally.add_tokens(np.asarray([7]), 1)
    tally.rate = 33.5
    assert tally == SpacePlan(("proximity", "query"), 14, 7, 2, 67, False, 33.5)
    assert tally.to_encode == 5
    assert tally.seconds == pytest.approx(2.0)


def test_what_is_unknown_stays_unknown() -> None:
    tally = SpacePlan()
    tally.add("proximity", 2, 2, 0)
    tally.add_tokens(None, 2)
    tally.add_tokens(np.asarray([3]), 1)
    tally.rate = 10.0
    assert tally.tokens is None
    assert tally.seconds is None
    assert space(rate=None).seconds is None
    assert space(rate=None, cached=5).seconds == 0, "nothing to do takes no time at any rate"
    assert ModelPlan("m", "encode", 1, (space(), space(rate=None))).seconds is None
    assert ModelPlan("m", "encode", 1, (space(), space())).seconds == 16


def test_a_sample_is_even() -> None:
    assert even_sample(3, 5).tolist() == [0, 1, 2]
    assert even_sample(10, 5).tolist() == [0, 2, 4, 6, 8]
    big = even_sample(1_000_003, 2_048)
    assert len(np.unique(big)) == 2_048
    assert big[-1] < 1_000_003


@pytest.mark.parametrize(
    ("plan", "line"),
    [
        (ModelPlan("bm25", "rank", 12), "bm25  plan: scores the texts of 12 documents, no vectors"),
        (ModelPlan("t", "fit", 3), "t  plan: 3 documents, fitted on each task, none kept"),
        (ModelPlan("v", "look up", 3), "v  plan: looks up vectors of 3 documents"),
        (
            ModelPlan("m", "encode", 9, (space(),)),
            "m  plan: 9 documents, 5 texts, 1 cached, 4 to encode (400 tokens), about 8 s",
        ),
        (
            ModelPlan("m", "encode", 9, (space(cached=5, tokens=0),)),
            "m  plan: 9 documents, 5 texts, 5 cached, nothing to encode",
        ),
        (
            ModelPlan("m", "encode", 9, (space(rate=None),)),
            "m  plan: 9 documents, 5 texts, 1 cached, 4 to encode (400 tokens), "
            "time unknown (no rate measured here yet)",
        ),
    ],
)
def test_one_line_a_model(plan: ModelPlan, line: str) -> None:
    assert plan.summary == line


def test_numbers_in_words() -> None:
    assert tokens_in_words([space(tokens=1_234_567, exact=False)]) == "about 1,230,000 tokens"
    assert tokens_in_words([space(tokens=42, exact=False)]) == "about 42 tokens"
    assert tokens_in_words([space(), space(tokens=None)]) == "tokens unknown"
    assert time_in_words(0.2) == "about 1 s"
    assert time_in_words(200) == "about 3 min"
    assert time_in_words(36_000) == "about 10.0 h"
