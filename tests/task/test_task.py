"""The rules of a task."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from scirepeval_harness.task.spec import TaskSpec

BASES = {
    "classification": ("classification", "probe", "f1_macro"),
    "regression": ("regression", "probe", "kendalltau"),
    "ranking": ("proximity", "ranking", "map"),
    "search": ("adhoc_search", "ranking", "ndcg"),
    "reviewers": ("proximity", "reviewer_matching", "P_5"),
    "pools": ("proximity", "citation_pools", "recall_5"),
    "authors": ("proximity", "author_disambiguation", "b3_f1"),
}


def task(base: str, **changes: Any) -> TaskSpec:
    format_, evaluation, metric = BASES[base]
    raw = {
        "name": "toy",
        "title": "Toy",
        "format": format_,
        "evaluation": evaluation,
        "metrics": (metric,),
        **changes,
    }
    return TaskSpec.model_validate(raw)


@pytest.mark.parametrize(
    ("base", "metric"),
    [
        ("classification", "kendalltau"),
        ("classification", "map"),
        ("regression", "f1"),
        ("ranking", "f1_macro"),
        ("ranking", "P_0"),
        ("ranking", "recall"),
        ("search", "b3_f1"),
        ("reviewers", "hard_P_5"),
        ("pools", "recall_"),
        ("authors", "map"),
    ],
)
def test_a_metric_of_another_evaluation_is_refused(base: str, metric: str) -> None:
    with pytest.raises(ValidationError, match=f"metrics: '{metric}' does not fit"):
        task(base, metrics=(metric,))


@pytest.mark.parametrize(
    ("base", "metrics"),
    [
        ("classification", ("f1", "f1_macro", "accuracy")),
        ("regression", ("kendalltau",)),
        ("ranking", ("map", "ndcg", "ndcg_cut_10", "recip_rank", "recall_5", "P_10")),
        ("authors", ("b3_f1",)),
    ],
)
def test_metrics_of_the_evaluation_are_taken(base: str, metrics: tuple[str, ...]) -> None:
    assert task(base, metrics=metrics).metrics == metrics


def test_binary_f1_does_not_fit_several_labels() -> None:
    with pytest.raises(ValidationError, match="which takes f1_macro, accuracy"):
        task("classification", multi_label=True, metrics=("f1",))


def test_evaluations_of_proximity_take_no_other_format() -> None:
    with pytest.raises(ValidationError, match="citation_pools needs format proximity"):
        task("pools", format="adhoc_search")


def test_expected_fields_belong_to_citation_pools() -> None:
    assert task("pools", expected_fields=("Art",)).expected_fields == ("Art",)
    with pytest.raises(ValidationError, match="expected_fields needs"):
        task("ranking", expected_fields=("Art",))


@pytest.mark.parametrize(
    "changes",
    [
        {"metrics": ("map", "map")},
        {"fields": ("title", "title")},
        {"query_fields": ("title", "title")},
    ],
)
def test_repeated_entries_are_refused(changes: dict[str, Any]) -> None:
    with pytest.raises(ValidationError, match="an entry is repeated"):
        task("ranking", **changes)


def test_roles_queries_first_and_search_splits_them() -> None:
    def named(base: str) -> list[tuple[str, str]]:
        return [(side, role.value) for side, role in task(base).roles()]

    assert named("search") == [("queries", "query"), ("candidates", "proximity")]
    assert named("ranking") == [("queries", "proximity"), ("candidates", "proximity")]
    assert named("pools") == [("queries", "proximity"), ("candidates", "proximity")]
    assert named("reviewers") == [("documents", "proximity")]
    assert named("authors") == [("documents", "proximity")]
    assert named("classification") == [("documents", "classification")]
    assert named("regression") == [("documents", "regression")]


def test_the_definition_hash_follows_what_moves_a_score_only() -> None:
    plain = task("ranking").definition_hash()
    assert task("ranking", title="Other", notes="x", synthetic=True).definition_hash() == plain
    for change in ({"version": 2}, {"fields": ("title",)}, {"metrics": ("map", "ndcg")}):
        assert task("ranking", **change).definition_hash() != plain
