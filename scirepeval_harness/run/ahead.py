"""All of a model's encoding before its tasks, for an encoder that is slow to start."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from scirepeval_harness.errors import HarnessError
from scirepeval_harness.evaluations.base import requests_of
from scirepeval_harness.models.base import Model, OrderEncoder
from scirepeval_harness.progress import progress_bar, say
from scirepeval_harness.run.resources import Selection, TaskLoader
from scirepeval_harness.tasks.dataset import EncodeRequest, LoadedTask
from scirepeval_harness.tasks.spec import SuiteSpec, TaskSpec
from scirepeval_harness.vectors.encode import encode_orders, orders_of
from scirepeval_harness.vectors.store import EmbeddingStore

GROUP = 300_000
"""Documents held at a time (about 0.7 GB); as many as the loader keeps."""
Finished = Callable[[SuiteSpec, TaskSpec, LoadedTask], bool]


def encode_ahead(
    model: Model,
    selection: Selection,
    loader: TaskLoader,
    store: EmbeddingStore,
    finished: Finished,
) -> int:
    """Fill the store for the tasks that are not finished; the number of texts encoded.

    Nothing for models that need no preparation. What cannot be read or encoded is left for the
    task itself to report.
    """
    if not isinstance(model, OrderEncoder):
        return 0
    encoded = 0
    for group in _groups(selection, loader, finished):
        try:
            wanted = [(request.documents, request.role) for request in group]
            orders = orders_of(model, wanted, store)
            total = sum(len(order.documents) for order in orders)
            with progress_bar(f"{model.name} · encode", total) as advance:
                encoded += encode_orders(model, orders, advance)
        except HarnessError as error:
            say(f"{model.name}  encoding ahead of the tasks stopped: {error}")
            return encoded
    return encoded


def _groups(
    selection: Selection, loader: TaskLoader, finished: Finished
) -> Iterator[list[EncodeRequest]]:
    """Requests of tasks in their order, cut where they get too many documents to hold."""
    group: list[EncodeRequest] = []
    for suite, task in selection:
        try:
            loaded = loader.get(task, suite)
            if finished(suite, task, loaded):
                continue
        except HarnessError:
            continue
        requests = requests_of(task, loaded.data)
        size = sum(len(request.documents) for request in (*group, *requests))
        if group and size > GROUP:
            yield group
            group = []
        group += requests
    if group:
        yield group
