"""What a run works with: models, the loader of task data, and the store of vectors."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Protocol

from scirepeval_harness.models.base import EncodeOptions, Model, build_model
from scirepeval_harness.models.spec import ModelSpec
from scirepeval_harness.options import RunOptions
from scirepeval_harness.probes.fit import FitSamples, fit_samples
from scirepeval_harness.tasks.dataset import LoadedTask
from scirepeval_harness.tasks.load import DataOptions, load_task
from scirepeval_harness.tasks.spec import SuiteSpec, TaskSpec
from scirepeval_harness.vectors.store import EmbeddingStore

Selection = Sequence[tuple[SuiteSpec, TaskSpec]]


def task_loader(options: RunOptions) -> TaskLoader:
    """Reads each task's data when first asked for, as the options say."""
    return TaskLoader(lambda task, suite: load_task(task, suite, _data_options(options)))


def _data_options(options: RunOptions) -> DataOptions:
    return DataOptions(
        directory=options.data,
        offline=options.offline,
        allow_missing=options.allow_missing,
        limit=options.limit,
        seed=options.seed,
    )


@contextmanager
def open_store(options: RunOptions) -> Iterator[EmbeddingStore]:
    """The user's store, or without one a temporary one: a text that several tasks share is encoded
    once all the same, and vectors need no memory."""
    with ExitStack() as stack:
        root = options.cache
        if root is None:
            root = Path(stack.enter_context(TemporaryDirectory(prefix="scirepeval-vectors-")))
        store = EmbeddingStore(root)
        stack.callback(store.close)
        yield store


def build_models(
    models: Sequence[ModelSpec], options: RunOptions, engine: Engine
) -> list[tuple[ModelSpec, Model]]:
    """The models, none with its weights yet.

    Raises:
        HarnessError: see :func:`~.models.base.build_model`.
    """
    chosen = EncodeOptions(
        device=options.device,
        dtype=options.dtype,
        batch_tokens=options.batch_tokens,
        offline=options.offline,
    )
    return [(spec, engine.build(spec, chosen)) for spec in models]


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


class Engine(Protocol):
    """Builds models and fits probes. Printed, it says what it works with."""

    fit_samples: FitSamples

    def build(self, spec: ModelSpec, options: EncodeOptions) -> Model:
        """The model, without its weights yet."""
        ...


class LocalEngine:
    """Everything on this machine."""

    def __init__(self) -> None:
        self.fit_samples: FitSamples = fit_samples

    def __str__(self) -> str:
        return "local"

    def build(self, spec: ModelSpec, options: EncodeOptions) -> Model:
        return build_model(spec, options)


@contextmanager
def open_engine(options: RunOptions) -> Iterator[Engine]:
    """The engine that the options name, for the time of a run.

    Raises:
        MissingExtraError: Ray is not installed.
        UsageError: the cluster does not answer, or lacks what was asked for.
    """
    if options.engine == "local":
        yield LocalEngine()
        return
    from scirepeval_harness.cluster.engine import open_ray

    with open_ray(options.ray_address, options.workers, options.device) as engine:
        yield engine
