"""The suite's shape: every kind of task, in the groups of the real benchmark, marked as made."""

from __future__ import annotations

from scirepeval_harness.extensions import EVALUATIONS
from scirepeval_harness.roles import Format
from scirepeval_harness.task.registry import load_registry

REGISTRY = load_registry()
SUITE = REGISTRY.suite("sample")
TASKS = {name: REGISTRY.task(name) for name in SUITE.task_names()}


def test_everything_is_said_to_be_synthetic() -> None:
    assert SUITE.synthetic
    assert all(task.synthetic for task in TASKS.values())
    assert all(task.hub is None for task in TASKS.values())
    others = [s for name, s in REGISTRY.suites.items() if name != "sample"]
    assert not any(suite.synthetic for suite in others)


def test_both_groups_hold_every_format() -> None:
    for group in ("In-Train", "Out-of-Train"):
        formats = {task.format for name, task in TASKS.items() if SUITE.group_of(name) == group}
        assert formats == set(Format)


def test_every_kind_of_evaluation_but_author_disambiguation() -> None:
    assert {task.evaluation for task in TASKS.values()} == set(EVALUATIONS.names()) - {
        "author_disambiguation"
    }
    assert any(task.multi_label and task.few_shot for task in TASKS.values())
    assert any(task.metrics == ("f1",) and task.few_shot for task in TASKS.values())
    assert any({"venue", "year"} <= set(task.fields) for task in TASKS.values())
    shared = [task.local.documents for task in TASKS.values()]
    assert len(set(shared)) < len(shared)


def test_the_columns_are_the_cards() -> None:
    real = [*REGISTRY.suite("scirepeval").columns, *REGISTRY.suite("mdcr").columns]
    assert [(c.name, c.pools, c.metric) for c in SUITE.columns] == [
        (c.name, c.pools, c.metric) for c in real
    ]
    # 5 + 7 numbers go into the average: the one that has map and ndcg counts twice.
    numbers = [
        2 if TASKS[name].metrics == ("map", "ndcg") else 1
        for column in SUITE.columns[:2]
        for name in column.tasks
    ]
    assert (sum(numbers[:5]), sum(numbers[5:])) == (5, 7)
