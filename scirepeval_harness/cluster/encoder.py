"""An encoder whose models sit in actors of a Ray cluster and are fed through Ray Data."""

from __future__ import annotations

import copy
import logging
from collections.abc import Iterator, Sequence
from dataclasses import asdict, replace
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from scirepeval_harness.cluster import workers
from scirepeval_harness.cluster.cluster import Cluster, WorkerPlan, cluster_errors
from scirepeval_harness.errors import ModelError
from scirepeval_harness.model.base import Advance, EncodeOptions, Identity, Vectors
from scirepeval_harness.model.engine import EncodeStats
from scirepeval_harness.model.kinds import WeightsSpec
from scirepeval_harness.model.token_encoder import WINDOW, in_order
from scirepeval_harness.roles import Role
from scirepeval_harness.task.dataset import Document
from scirepeval_harness.task.spec import TaskSpec


class RayEncoder:
    """Encodes as the model's own encoder does, in the same batches, on many devices.

    Texts go out in windows; tasks tokenise them and cut the batches; actors that hold the model
    encode these; vectors come back here, in the order in which they are done. Ray starts a lost
    worker again and repeats what it had not handed over. Nothing heavy is loaded on this machine.
    """

    cacheable = True

    def __init__(
        self, spec: WeightsSpec, options: EncodeOptions, cluster: Cluster, plan: WorkerPlan
    ) -> None:
        """``options`` are settled: a precision and a budget that hold for every worker."""
        self.name = spec.name
        self.stats = EncodeStats()
        self._spec, self._options, self._cluster, self._plan = spec, options, cluster, plan
        # For texts, identities and token counts, which need no device.
        self._here = workers.encoder_of(spec, replace(options, device="cpu", elsewhere=True))

    @property
    def devices(self) -> tuple[str, ...]:
        """The cards of the workers; without them, processors, which probes take as well."""
        return ("cuda",) if self._plan.gpus else ("cpu",)

    @property
    def hardware(self) -> str:
        """The workers: what a rate of encoding was measured on."""
        return f"Ray, {self._plan} on {self._cluster.nodes} machines ({self._options.device})"

    @property
    def reading(self) -> str:
        return self._here.reading

    def for_task(self, task: TaskSpec) -> Self:
        """As the encoder of one machine; workers get the prompts with the rest of the model."""
        here = self._here.for_task(task)
        if here is self._here:
            return self
        view = copy.copy(self)
        view._here, view._spec = here, self._spec.for_task(task)
        return view

    def identity(self, role: Role) -> Identity:
        """As of one machine: where a vector was made does not change it."""
        return self._here.identity(role)

    def text(self, document: Document, role: Role) -> str:
        return self._here.text(document, role)

    def prepare(self, documents: Sequence[Document]) -> None:
        """Nothing: a vector depends on its text alone."""

    def count_tokens(self, documents: Sequence[Document], role: Role) -> NDArray[np.int64]:
        return self._here.count_tokens(documents, role)

    def overlong(self, documents: Sequence[Document], role: Role) -> NDArray[np.bool_]:
        return self._here.overlong(documents, role)

    def encode(self, documents: Sequence[Document], role: Role, advance: Advance) -> Vectors:
        """Vectors (len(documents), dimensions), float32, in the order given."""
        batches = self.encode_batches(documents, role)
        return in_order(batches, len(documents), self._here.dimensions, advance)

    def encode_batches(
        self, documents: Sequence[Document], role: Role
    ) -> Iterator[tuple[NDArray[np.intp], Vectors]]:
        """Positions in ``documents`` with their vectors, each position once.

        Raises:
            ModelError: see :meth:`encode_orders`.
        """
        for _, rows, vectors in self.encode_orders([(documents, role)]):
            yield rows, vectors

    def encode_orders(
        self, orders: Sequence[tuple[Sequence[Document], Role]]
    ) -> Iterator[tuple[int, NDArray[np.intp], Vectors]]:
        """Number of the order, positions in its documents, vectors; all in one go of the cluster.

        Raises:
            ModelError: what a worker raises (files that differ, a model that cannot be loaded), or
                a cluster that gives up.
        """
        if not any(documents for documents, _ in orders):
            return
        # Loaded first, so that nothing that it sets up when it is loaded undoes the level below.
        import ray.data  # noqa: F401

        logging.getLogger("ray.data").setLevel(logging.ERROR)
        details = {role: dict(self._here.identity(role).details) for _, role in orders}
        assignment = workers.Assignment(self._spec, self._options, details)
        failed = cluster_errors(ModelError, "encoding on the cluster failed", f"model {self.name}")
        with failed:
            for table in self._tables(orders, assignment):
                for done in workers.Encoded.rows(table):
                    self._count(done.stats)
                    yield done.order, done.places, done.vectors

    def _windows(
        self, orders: Sequence[tuple[Sequence[Document], Role]]
    ) -> Iterator[workers.Window]:
        """The texts in the windows in which one machine would tokenise and sort them."""
        for number, (documents, role) in enumerate(orders):
            for start in range(0, len(documents), WINDOW):
                part = documents[start : start + WINDOW]
                texts = tuple(self._here.text(document, role) for document in part)
                yield workers.Window(number, role, start, texts)

    def _tables(
        self, orders: Sequence[tuple[Sequence[Document], Role]], assignment: workers.Assignment
    ) -> Iterator[Any]:
        """Ray Data's blocks of vectors as they come."""
        from ray.data import ActorPoolStrategy, TaskPoolStrategy, from_arrow

        plan = self._plan
        dataset = from_arrow([window.table() for window in self._windows(orders)])
        dataset.context.enable_progress_bars = False
        dataset.context.print_on_execution_start = False
        # A row is a chunk, and each row is a block of its own: what a worker takes at a time.
        dataset.context.target_max_block_size = 1
        vectors = dataset.map_batches(
            workers.tokenise_windows,
            batch_size=1,
            batch_format="pyarrow",
            fn_kwargs={"assignment": assignment},
            # No processor is set aside: workers may hold them all, and would wait for ever.
            num_cpus=0,
            compute=TaskPoolStrategy(size=self._cluster.nodes),
        ).map_batches(
            workers.ChunkEncoder,
            batch_size=1,
            batch_format="pyarrow",
            fn_constructor_kwargs={"assignment": assignment},
            num_cpus=plan.cpus,
            num_gpus=plan.gpus,
            # Workers that have nothing to do may go, so that small work is no reason to warn.
            compute=ActorPoolStrategy(min_size=1, max_size=plan.workers, initial_size=plan.workers),
        )
        yield from vectors.iter_batches(batch_size=None, batch_format="pyarrow")

    def _count(self, stats: EncodeStats) -> None:
        for name, count in asdict(stats).items():
            setattr(self.stats, name, getattr(self.stats, name) + count)
