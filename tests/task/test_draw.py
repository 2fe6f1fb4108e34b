"""Draws: the same part of a task for everyone, named as a part, in no table with the whole."""

from __future__ import annotations

import random
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

import scirepeval_harness as sh
from scirepeval_harness.errors import SpecError, UsageError
from scirepeval_harness.task.draw import (
    LEAST_QUERIES,
    drawn_qrels,
    drawn_queries,
    drawn_splits,
    first,
    require_one_scale,
)
from scirepeval_harness.task.places import place_of
from scirepeval_harness.task.registry import Registry, load_registry
from scirepeval_harness.task.spec import Draw, TaskSpec

SUITE = 'name = "{name}"\ntitle = "T"\nof = "{of}"\n{more}[draw]\nshare = 0.4\ncandidates = 6\n'
KEYS = [f"paper-{number}" for number in range(1000)]


def task(draw: Draw, **changes: Any) -> TaskSpec:
    base: dict[str, Any] = {
        "name": "own-nano",
        "title": "Own",
        "format": "classification",
        "evaluation": "probe",
        "metrics": ["f1_macro"],
        "draw": draw.model_dump(),
    }
    return TaskSpec.model_validate({**base, **changes})


def suite_folder(folder: Path, name: str = "small", of: str = "sample", more: str = "") -> Path:
    folder.mkdir(exist_ok=True)
    (folder / "suite.toml").write_text(SUITE.format(name=name, of=of, more=more))
    return folder


@pytest.fixture(scope="module")
def registry() -> Registry:
    return load_registry()


def test_rows_go_by_their_ids_and_not_by_their_order() -> None:
    labels = [number % 4 for number in range(1000)]
    own = task(Draw(documents=200))
    splits = [(KEYS[:700], labels[:700]), (KEYS[700:], labels[700:])]
    chosen = [
        {keys[row] for row in rows}
        for (keys, _), rows in zip(splits, drawn_splits(own, splits), strict=True)
    ]
    dice = random.Random(1)
    shuffled = [dice.sample(range(len(keys)), len(keys)) for keys, _ in splits]
    mixed = [
        ([keys[row] for row in order], [values[row] for row in order])
        for (keys, values), order in zip(splits, shuffled, strict=True)
    ]
    again = [
        {keys[row] for row in rows}
        for (keys, _), rows in zip(mixed, drawn_splits(own, mixed), strict=True)
    ]
    assert chosen == again
    # 70% are train rows, of which a draw has 60% at most.
    assert [len(keys) for keys in chosen] == [120, 80]
    # One place for good: other rows under the same name would be another nano.
    assert {"paper-573", "paper-522", "paper-652"} <= chosen[0]


def test_a_larger_draw_holds_the_smaller_one() -> None:
    splits = [(KEYS[:600], [0.5] * 600), (KEYS[600:], [0.5] * 400)]
    small, large = (
        drawn_splits(task(Draw(share=share), format="regression", metrics=["kendalltau"]), splits)
        for share in (0.1, 0.3)
    )
    for few, many in zip(small, large, strict=True):
        assert set(few) < set(many)


def test_every_class_keeps_its_rows_and_few_shot_settings_find_theirs() -> None:
    rare = [int(number in (3, 333, 666, 667, 999)) for number in range(1000)]
    [train, _] = drawn_splits(task(Draw(documents=60)), [(KEYS, rare), (KEYS[:50], [0, 1] * 25)])
    assert Counter(rare[row] for row in train)[1] == 3
    lists = [(1, int(number % 50 == 0), int(number % 97 == 0)) for number in range(1000)]
    shots = [{"sample_size": 10, "iterations": 2}]
    own = task(Draw(documents=60), multi_label=True, few_shot=shots)
    [train, _] = drawn_splits(own, [(KEYS, lists), (KEYS[:50], lists[:50])])
    assert all(sum(lists[row][label] for row in train) >= 10 for label in range(3))
    own = task(Draw(documents=40), few_shot=[{"sample_size": 64, "iterations": 2}])
    [train, _] = drawn_splits(own, [(KEYS, rare), (KEYS, rare)])
    assert len(train) >= 2 * 64


def test_queries_keep_to_the_budget_and_candidates_to_their_shares() -> None:
    qrels = {f"q{q}": {f"d{q}-{c}": int(c < 10) for c in range(40)} for q in range(100)}
    drawn = drawn_qrels(Draw(documents=200, candidates=12), qrels)
    assert len({q for q in drawn} | {c for own in drawn.values() for c in own}) <= 200
    assert len(drawn) == 200 // 13
    assert {len(own) for own in drawn.values()} == {12}
    assert {sum(own.values()) for own in drawn.values()} == {3}
    one = drawn_qrels(Draw(share=1, candidates=2), {"q": {"a": 1, "b": 0, "c": 0, "d": 0, "e": 0}})
    assert sorted(one["q"].values()) == [0, 1]
    all_relevant = drawn_qrels(Draw(share=1, candidates=2), {"q": {"a": 1, "b": 2, "c": 1}})
    assert len(all_relevant["q"]) == 2
    few = drawn_queries(Draw(documents=20), KEYS, lambda key: [f"{key}-{n}" for n in range(50)])
    assert len(few) == LEAST_QUERIES
    assert first(("c", "a", "b"), None) == ("c", "a", "b")
    assert len(first(("c", "a", "b", "a"), 1)) in (1, 2)


def test_candidates_that_queries_share_are_drawn_for_all_of_them() -> None:
    pool = {f"d{n}": int(n % 5 == 0) for n in range(100)}
    drawn = drawn_qrels(Draw(share=1, candidates=10), {f"q{q}": pool for q in range(20)})
    assert len({c for own in drawn.values() for c in own}) == 10


def test_nano_is_every_task_of_scirepeval_but_s2and(registry: Registry) -> None:
    whole, nano = registry.suite("scirepeval"), registry.suite("scirepeval-nano")
    assert [name.removesuffix("-nano") for name in nano.task_names()] == [
        name for name in whole.task_names() if name != "s2and"
    ]
    assert [column.name for column in nano.columns] == [
        "In-Train nano", "Out-of-Train nano", "Average nano"
    ]  # fmt: skip
    for name in nano.task_names():
        own, of = registry.task(name), registry.task(name.removesuffix("-nano"))
        assert (own.few_shot, own.metrics, own.format) == (of.few_shot, of.metrics, of.format)
        assert own.definition_hash() != of.definition_hash()
        assert registry.home(name) is nano
    assert (nano.task_set, whole.task_set) == ("v2-nano", "v2")
    # Of 950,000 documents (docs/nano.md); several tasks share theirs, so that it is less.
    assert nano.draw is not None
    assert nano.draw.documents is not None
    assert nano.draw.documents * len(nano.task_names()) <= 0.015 * 950_000


def test_a_whole_task_has_no_draw_in_its_definition(registry: Registry) -> None:
    assert "draw" not in registry.task("drsm").model_dump()


def test_a_draw_reads_where_the_whole_reads(registry: Registry, tmp_path: Path) -> None:
    suite = registry.suite("mdcr-nano")
    own = registry.task("mdcr-nano")
    assert place_of({"mdcr": tmp_path}, suite, own) == tmp_path
    assert place_of({"mdcr": tmp_path, "mdcr-nano": tmp_path / "a"}, suite, own) == tmp_path / "a"


def test_scores_of_a_draw_are_named_and_stand_in_no_table_with_whole_ones(tmp_path: Path) -> None:
    folders = [suite_folder(tmp_path / "suite", "sample-small")]
    results = sh.evaluate(
        "tfidf", suite="sample-small", tasks=["sample-year-nano", "sample-search-nano"],
        tasks_dirs=folders, cache=None, output=tmp_path / "out",
    )  # fmt: skip
    results.require_complete()
    record = results["tfidf"].tasks["sample-search-nano"]
    assert record.suite == "sample-small"
    assert record.signature.startswith("task:sample-search-nano|")
    assert record.data is not None
    assert record.data.synthetic
    again = sh.evaluate(
        "tfidf", suite="sample-small", tasks="sample-search-nano", tasks_dirs=folders, cache=None
    )
    assert again["tfidf"].tasks["sample-search-nano"] == record
    whole = "results/baselines/sample/tfidf"
    for call in (
        lambda: sh.leaderboard([tmp_path / "out", whole], tasks_dirs=folders),
        lambda: sh.compare(whole, tmp_path / "out" / "tfidf", tasks_dirs=folders),
        lambda: sh.report([tmp_path / "out", whole], tmp_path / "r", tasks_dirs=folders),
        lambda: sh.evaluate("tfidf", suite=["sample", "sample-small"], tasks_dirs=folders),
        lambda: sh.check(
            baseline=whole,
            candidate=tmp_path / "out" / "tfidf",
            suite=["sample", "sample-small"],
            tasks_dirs=folders,
        ),
    ):
        with pytest.raises(UsageError, match="stand in no table together"):
            call()
    # The gate takes the baseline's suite: nothing of it is in a draw.
    verdict = sh.check(baseline=whole, candidate=tmp_path / "out" / "tfidf", tasks_dirs=folders)
    assert {case.outcome for case in verdict.failures} == {"incomplete"}


def test_suites_of_one_draw_go_together(registry: Registry) -> None:
    nano = registry.suite("scirepeval-nano")
    for names in (("scirepeval", "mdcr"), ("scirepeval-nano", "mdcr-nano")):
        require_one_scale(map(registry.suite, names))
    other = nano.model_copy(update={"name": "other", "draw": Draw(name="micro", share=0.5)})
    with pytest.raises(UsageError, match="scores of scirepeval-nano and of other stand"):
        require_one_scale([nano, other])


@pytest.mark.parametrize(
    ("of", "more", "problem"),
    [
        ("sampel", "", "of: unknown suite 'sampel'"),
        ("mdcr-nano", "", "of: a draw itself is suite 'mdcr-nano'"),
        ("s2and-light", "", "takes no draw"),
        ("sample", 'without = ["sample-yaer"]\n', "without: no task 'sample-yaer'"),
        ("sample", 'task_set = "own"\n', "task_set and columns are those of"),
    ],
)
def test_a_suite_that_cannot_be_drawn(tmp_path: Path, of: str, more: str, problem: str) -> None:
    folder = suite_folder(tmp_path / "suite", "small", of, more)
    with pytest.raises(SpecError, match=problem) as caught:
        load_registry([folder])
    assert str(folder) in str(caught.value)


def test_a_draw_of_nothing_is_refused(tmp_path: Path) -> None:
    folder = suite_folder(tmp_path / "suite")
    (folder / "suite.toml").write_text(
        'name = "a"\ntitle = "T"\nof = "sample"\n[draw]\npapers = 3\n'
    )
    with pytest.raises(SpecError, match="documents, share, or both"):
        load_registry([folder])


@pytest.mark.slow
def test_every_task_of_nano_is_scored(tmp_path: Path) -> None:
    from tests.support.tiny_local import build_local

    build_local(tmp_path / "data")
    results = sh.evaluate(
        "tfidf", suite=["scirepeval-nano", "mdcr-nano"], data=tmp_path / "data", cache=None,
        probe="exact",
    )  # fmt: skip
    results.require_complete()
    board = results.leaderboard(intervals=True)
    assert [column for column in board.columns if "nano" not in column] == []
    assert len(results["tfidf"].tasks) == 23
    settings = set(results["tfidf"].scores.query("task == 'drsm-nano'")["setting"])
    assert settings == {"full", "64-shot", "24-shot"}
