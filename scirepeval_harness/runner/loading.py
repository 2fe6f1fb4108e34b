"""Task data read once a run where it fits in memory, and again where it does not."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable

from scirepeval_harness.data.records import LoadedTask
from scirepeval_harness.specs.suite import SuiteSpec
from scirepeval_harness.specs.task import TaskSpec

Load = Callable[[TaskSpec, SuiteSpec], LoadedTask]


class TaskLoader:
    """Loads tasks and keeps the latest, up to ``budget`` documents, for the next model.

    Planning and each model need the same rows; 300,000 documents take about 0.7 GB.
    """

    def __init__(self, load: Load, budget: int = 300_000) -> None:
        self._load, self._budget = load, budget
        self._kept: OrderedDict[str, LoadedTask] = OrderedDict()

    def get(self, task: TaskSpec, suite: SuiteSpec) -> LoadedTask:
        """The task's data; raises what the reader raises."""
        if task.name in self._kept:
            self._kept.move_to_end(task.name)
            return self._kept[task.name]
        loaded = self._load(task, suite)
        self._kept[task.name] = loaded
        while len(self._kept) > 1 and self._size() > self._budget:
            self._kept.popitem(last=False)
        if self._size() > self._budget:
            self._kept.clear()
        return loaded

    def _size(self) -> int:
        return sum(loaded.coverage.documents_found for loaded in self._kept.values())
