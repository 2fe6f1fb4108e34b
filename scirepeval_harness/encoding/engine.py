"""Runs batches on one or more replicas of a model and hands back vectors as they are done."""

from __future__ import annotations

import queue
import threading
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from scirepeval_harness.encoding.batches import Batch, EncodeStats, TokenTable, halves, plan_batches
from scirepeval_harness.errors import ModelError

Finish = Callable[[], NDArray[np.float32]]
Encoded = tuple[NDArray[np.intp], NDArray[np.float32]]
"""Rows of the token table and their vectors (rows, dimensions)."""


class Replica(Protocol):
    """A model on one device."""

    def submit(self, ids: NDArray[np.int64], mask: NDArray[np.int64]) -> Finish:
        """Start a batch (rows, length); the returned call waits for its vectors."""
        ...

    def is_out_of_memory(self, error: RuntimeError) -> bool:
        """Whether an error of ``submit`` means that the batch was too large."""
        ...

    def free(self) -> None:
        """Give cached memory back after such an error."""
        ...


@dataclass
class Work:
    """Batches still to do, shared by the replicas; each batch is taken once."""

    batches: deque[Batch]
    lengths: NDArray[np.int64]
    budget: int
    stats: EncodeStats
    lock: threading.Lock = field(default_factory=threading.Lock)

    def take(self) -> Batch | None:
        """The next batch, cut down to the budget of the moment; None when all are taken."""
        with self.lock:
            if not self.batches:
                return None
            batch = self.batches.popleft()
            while batch.padded_tokens > self.budget and len(batch.rows) > 1:
                batch, rest = halves(batch, self.lengths)
                self.batches.appendleft(rest)
            return batch

    def too_large(self, batch: Batch, error: RuntimeError) -> None:
        """Put a batch back that did not fit and go on with half of its size."""
        if len(batch.rows) == 1:
            raise ModelError(
                f"one document of {batch.length} tokens does not fit into the device's memory",
                fix="Use a smaller --max-length, another --device or --dtype float16",
            ) from error
        with self.lock:
            self.batches.appendleft(batch)
            self.budget = min(self.budget, max(1, batch.padded_tokens // 2))
            self.stats.halvings += 1

    def done(self, batch: Batch) -> None:
        with self.lock:
            self.stats.batches += 1
            self.stats.documents += len(batch.rows)
            self.stats.tokens += int(self.lengths[batch.rows].sum())
            self.stats.padded_tokens += batch.padded_tokens

    def stop(self) -> None:
        with self.lock:
            self.batches.clear()


def run_batches(
    replicas: Sequence[Replica],
    table: TokenTable,
    *,
    budget: int,
    limit: int,
    fill: int,
    stats: EncodeStats,
    batches: Sequence[Batch] | None = None,
) -> Iterator[tuple[Encoded, int]]:
    """Encode all documents of a table; yields each batch when done, with the budget in use.

    Every replica works in a thread of its own on the shared batches. A caller that stops early, or
    an error in any replica, lets the others end their batch and no more.

    Args:
        replicas: one model a device, the same weights on each.
        budget: padded tokens a batch; halved when a device runs out of memory.
        limit: longest length that the model takes.
        fill: token id of the padding.
        batches: the batches, where they were planned before; each is halved until it fits the
            budget.
    """
    lengths = table.lengths
    planned = plan_batches(lengths, budget, limit) if batches is None else batches
    work = Work(deque(planned), lengths, budget, stats)
    results: queue.Queue[Encoded | BaseException | None] = queue.Queue()
    threads = [
        threading.Thread(target=_serve, args=(replica, work, table, fill, results), daemon=True)
        for replica in replicas
    ]
    for thread in threads:
        thread.start()
    running = len(threads)
    try:
        while running:
            result = results.get()
            if result is None:
                running -= 1
            elif isinstance(result, BaseException):
                raise result
            else:
                yield result, work.budget
    finally:
        work.stop()
        for thread in threads:
            thread.join()


def _serve(
    replica: Replica,
    work: Work,
    table: TokenTable,
    fill: int,
    results: queue.Queue[Encoded | BaseException | None],
) -> None:
    """Take batches until none are left. The next one starts before the last one is read back."""
    waiting: tuple[Batch, Finish] | None = None

    def read_back() -> None:
        if waiting is not None:
            batch, finish = waiting
            results.put((batch.rows, finish()))
            work.done(batch)

    try:
        while (batch := work.take()) is not None:
            finish = _submit(replica, work, batch, table.padded(batch.rows, batch.length, fill))
            read_back()
            waiting = None if finish is None else (batch, finish)
            if finish is None:
                replica.free()
        read_back()
    except BaseException as error:  # noqa: BLE001 - handed to the caller's thread, which raises it
        work.stop()
        results.put(error)
    finally:
        results.put(None)


def _submit(
    replica: Replica,
    work: Work,
    batch: Batch,
    inputs: tuple[NDArray[np.int64], NDArray[np.int64]],
) -> Finish | None:
    try:
        return replica.submit(*inputs)
    except RuntimeError as error:
        if not replica.is_out_of_memory(error):
            raise
        work.too_large(batch, error)
        return None
