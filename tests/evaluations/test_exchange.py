from __future__ import annotations

import json
import math
from pathlib import Path

import pytest

from scirepeval_harness.errors import CoverageError, DataError, StorageError
from scirepeval_harness.evaluations.citation_pools import CitationPools
from scirepeval_harness.evaluations.exchange import (
    exchange_scorer,
    pairs_of,
    read_scores,
    write_scores,
)

RUN = {"q_1": {"a": -0.1, "b_c": 1e-30}, "q": {"ü": 3.0, 'x"y': -2.5}}
POOLS = {query: tuple(row) for query, row in RUN.items()}


def test_a_run_comes_back_as_it_was(tmp_path: Path) -> None:
    file = tmp_path / "scores.json"
    write_scores(file, RUN)
    assert json.loads(file.read_text()) == {
        "q_1_a": -0.1,
        "q_1_b_c": 1e-30,
        "q_ü": 3.0,
        'q_x"y': -2.5,
    }
    assert read_scores(file, POOLS) == RUN
    write_scores(file, {})
    assert json.loads(file.read_text()) == {}


def test_pairs_of_other_pools_are_left_aside_and_missing_ones_refused(tmp_path: Path) -> None:
    file = tmp_path / "scores.json"
    write_scores(file, RUN)
    assert read_scores(file, {"q": ("ü",)}) == {"q": {"ü": 3.0}}
    with pytest.raises(CoverageError, match=r"1 of 2 pairs have no score, the first is q_z"):
        read_scores(file, {"q": ("ü", "z")})


def test_pairs_with_the_same_key_are_refused_on_both_ways(tmp_path: Path) -> None:
    file = tmp_path / "scores.json"
    with pytest.raises(DataError, match="same key"):
        write_scores(file, {"a": {"b_c": 1.0}, "a_b": {"c": 2.0}})
    assert not file.exists()
    file.write_text('{"a_b_c": 1.0}')
    with pytest.raises(DataError, match="same key"):
        read_scores(file, {"a": ("b_c",), "a_b": ("c",)})


def test_scores_that_are_not_finite_are_never_written(tmp_path: Path) -> None:
    file = tmp_path / "scores.json"
    file.write_text("old")
    with pytest.raises(DataError, match=r"query q, candidate a.*finite"):
        write_scores(file, {"q": {"a": math.nan}})
    assert file.read_text() == "old"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('{"q_a": NaN}', "finite"),
        ('{"q_a": "1"}', "not a number"),
        ('{"q_a": true}', "not a number"),
        ('{"q_a": 1,\n "q_a": 2}', "'q_a' stands there twice"),
        ('{"q_a": 1,\n', "line 2"),
        ("[1]", "not a JSON object"),
    ],
)
def test_malformed_files_are_refused(tmp_path: Path, text: str, message: str) -> None:
    file = tmp_path / "scores.json"
    file.write_text(text)
    with pytest.raises(DataError, match=message) as caught:
        read_scores(file, {"q": ("a",)})
    assert "scores.json" in str(caught.value)


def test_files_that_cannot_be_opened(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"none\.json"):
        read_scores(tmp_path / "none.json", {"q": ("a",)})
    (tmp_path / "file").write_text("")
    with pytest.raises(StorageError):
        write_scores(tmp_path / "file" / "scores.json", {"q": {"a": 1.0}})


def test_the_pairs_of_a_benchmark_are_those_of_all_fields() -> None:
    data = CitationPools(
        {}, {"Art": {"q": {"a": 1}}, "Music": {"q": {"a": 0, "b": 1}, "r": {"a": 1}}}
    )
    assert pairs_of(data) == {"q": ("a", "b"), "r": ("a",)}


def test_a_scorer_from_a_file(tmp_path: Path) -> None:
    data = CitationPools({}, {"Art": {"q": {"a": 1, "b": 0}}})
    write_scores(tmp_path / "s.json", {"q": {"b": 2.0, "a": 1.0}})
    score = exchange_scorer(tmp_path / "s.json", data)
    assert score("q", ["a", "b"]).tolist() == [1.0, 2.0]
    with pytest.raises(CoverageError, match="candidate c"):
        score("q", ["c"])
