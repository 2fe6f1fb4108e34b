"""What a run works with: models, the loader of task data, and the store of vectors."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from scirepeval_harness.data.load import DataOptions, load_task
from scirepeval_harness.encoders.base import Model
from scirepeval_harness.encoders.build import EncodeOptions
from scirepeval_harness.encoding.store import EmbeddingStore
from scirepeval_harness.runner.engines import Engine
from scirepeval_harness.runner.loading import TaskLoader
from scirepeval_harness.runner.options import RunOptions
from scirepeval_harness.specs.model import ModelSpec
from scirepeval_harness.specs.suite import SuiteSpec
from scirepeval_harness.specs.task import TaskSpec

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
        HarnessError: see :func:`~.encoders.build.build_model`.
    """
    chosen = EncodeOptions(
        device=options.device,
        dtype=options.dtype,
        batch_tokens=options.batch_tokens,
        offline=options.offline,
    )
    return [(spec, engine.build(spec, chosen)) for spec in models]
