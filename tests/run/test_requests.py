from __future__ import annotations

from scirepeval_harness.evaluations.base import requests_of
from scirepeval_harness.evaluations.probe import LabelledSet
from scirepeval_harness.evaluations.ranking import RankingSet
from scirepeval_harness.evaluations.reviewer_matching import ReviewerSet
from scirepeval_harness.roles import Role
from scirepeval_harness.task.dataset import Document
from scirepeval_harness.task.registry import load_registry

TASKS = load_registry().tasks
A, B, C = (Document(name, (name,)) for name in "abc")


def ids(found: object) -> list[tuple[Role, list[str]]]:
    return [(request.role, [item.id for item in request.documents]) for request in found]  # type: ignore[attr-defined]


def test_search_has_two_roles_and_a_paper_on_both_sides_is_a_query() -> None:
    data = RankingSet({"a": A, "b": B}, {"c": C, "a": A}, {})
    assert ids(requests_of(TASKS["search"], data)) == [
        (Role.QUERY, ["a", "b"]),
        (Role.PROXIMITY, ["c"]),
    ]


def test_proximity_has_one_role() -> None:
    found = ids(requests_of(TASKS["relish"], RankingSet({"a": A}, {"b": B}, {})))
    assert found == [(Role.PROXIMITY, ["a"]), (Role.PROXIMITY, ["b"])]


def test_a_probe_uses_the_role_of_its_format() -> None:
    import numpy as np

    labels = np.array([0])
    data = LabelledSet({"a": A, "b": B}, ("a",), labels, ("b",), labels)
    assert ids(requests_of(TASKS["drsm"], data)) == [(Role.CLASSIFICATION, ["a", "b"])]
    assert ids(requests_of(TASKS["max-hindex"], data)) == [(Role.REGRESSION, ["a", "b"])]


def test_reviewers_papers_are_asked_for_once() -> None:
    fields = ReviewerSet.__dataclass_fields__
    data = ReviewerSet(**{name: {} for name in fields} | {"papers": {"a": A, "b": B}})
    assert ids(requests_of(TASKS["reviewer-matching"], data)) == [(Role.PROXIMITY, ["a", "b"])]
