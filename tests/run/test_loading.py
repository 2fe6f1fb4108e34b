from __future__ import annotations

from types import SimpleNamespace
from typing import Any, cast

from scirepeval_harness.run.resources import TaskLoader
from scirepeval_harness.tasks.dataset import Coverage, LoadedTask


def loader(sizes: dict[str, int], budget: int) -> tuple[TaskLoader, list[str]]:
    read: list[str] = []

    def load(task: Any, suite: Any) -> LoadedTask:
        read.append(task.name)
        size = sizes[task.name]
        return cast(LoadedTask, SimpleNamespace(coverage=Coverage(size, size)))

    return TaskLoader(load, budget), read


def get(loader: TaskLoader, *names: str) -> None:
    for name in names:
        loader.get(cast(Any, SimpleNamespace(name=name)), cast(Any, None))


def test_a_task_is_read_once_while_it_fits() -> None:
    made, read = loader({"a": 4, "b": 5}, budget=9)
    get(made, "a", "b", "a", "b")
    assert read == ["a", "b"]


def test_the_task_that_was_used_longest_ago_goes_first() -> None:
    made, read = loader({"a": 4, "b": 4, "c": 4}, budget=8)
    get(made, "a", "b", "a", "c", "a", "b")
    assert read == ["a", "b", "c", "b"]


def test_one_task_beyond_the_budget_is_not_kept() -> None:
    made, read = loader({"a": 4, "large": 10}, budget=8)
    get(made, "a", "large", "large", "a")
    assert read == ["a", "large", "large", "a"]
