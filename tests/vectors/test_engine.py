"""The engine: order, several replicas, out of memory, errors."""

from __future__ import annotations

import threading
from collections.abc import Callable

import numpy as np
import pytest

from scirepeval_harness.errors import ModelError
from scirepeval_harness.model.engine import EncodeStats, TokenTable, run_batches


class SumReplica:
    """Gives each document the sum of its tokens; refuses batches over a size, like a full card."""

    def __init__(self, room: int = 10**9) -> None:
        self.room, self.sizes, self.freed = room, [], 0

    def submit(self, ids: np.ndarray, mask: np.ndarray) -> Callable[[], np.ndarray]:
        if ids.size > self.room:
            raise RuntimeError("out of memory")
        self.sizes.append(ids.size)
        return lambda: (ids * mask).sum(1, keepdims=True).astype(np.float32)

    def is_out_of_memory(self, error: RuntimeError) -> bool:
        return "out of memory" in str(error)

    def free(self) -> None:
        self.freed += 1


def table_of(lengths: list[int]) -> TokenTable:
    return TokenTable.of([[index + 1] * length for index, length in enumerate(lengths)])


def run(
    replicas: list[SumReplica], lengths: list[int], budget: int
) -> tuple[np.ndarray, EncodeStats]:
    stats, result = EncodeStats(), np.full(len(lengths), np.nan)
    for (rows, vectors), _ in run_batches(
        replicas, table_of(lengths), budget=budget, limit=512, fill=7, stats=stats
    ):
        assert np.isnan(result[rows]).all(), "a document came twice"
        result[rows] = vectors[:, 0]
    return result, stats


LENGTHS = np.random.default_rng(1).integers(1, 200, 300).tolist()
EXPECTED = [(index + 1) * length for index, length in enumerate(LENGTHS)]


@pytest.mark.parametrize("replicas", [1, 2, 5])
def test_results_are_in_the_order_of_the_documents(replicas: int) -> None:
    result, stats = run([SumReplica() for _ in range(replicas)], LENGTHS, 2_000)
    assert result.tolist() == EXPECTED
    assert stats.documents == 300
    assert stats.tokens == sum(LENGTHS)
    assert stats.padded_tokens >= stats.tokens


def test_the_longest_documents_come_first() -> None:
    seen: list[int] = []
    for (rows, _), _ in run_batches(
        [SumReplica()], table_of(LENGTHS), budget=500, limit=512, fill=0, stats=EncodeStats()
    ):
        seen.extend(LENGTHS[row] for row in rows)
    assert seen == sorted(LENGTHS, reverse=True)


@pytest.mark.parametrize("replicas", [1, 3])
def test_out_of_memory_halves_the_budget_and_goes_on(replicas: int) -> None:
    cards = [SumReplica(room=700) for _ in range(replicas)]
    result, stats = run(cards, LENGTHS, 4_000)
    assert result.tolist() == EXPECTED
    assert stats.halvings >= 1
    assert sum(card.freed for card in cards) == stats.halvings
    assert max(size for card in cards for size in card.sizes) <= 700
    assert stats.documents == 300


def test_the_budget_in_use_is_reported() -> None:
    budgets = {
        budget
        for _, budget in run_batches(
            [SumReplica(room=700)],
            table_of(LENGTHS),
            budget=4_000,
            limit=512,
            fill=0,
            stats=EncodeStats(),
        )
    }
    assert max(budgets) <= 1_000


def test_one_document_that_does_not_fit_is_an_error() -> None:
    with pytest.raises(ModelError, match="one document of 200 tokens does not fit"):
        run([SumReplica(room=100)], [200, 3], 400)


def test_an_error_of_a_replica_reaches_the_caller_and_ends_the_others() -> None:
    class Broken(SumReplica):
        def submit(self, ids: np.ndarray, mask: np.ndarray) -> Callable[[], np.ndarray]:
            raise ZeroDivisionError("boom")

    before = threading.active_count()
    with pytest.raises(ZeroDivisionError, match="boom"):
        run([Broken(), SumReplica()], LENGTHS, 300)
    assert threading.active_count() == before


def test_a_caller_that_stops_early_leaves_no_thread_behind() -> None:
    before = threading.active_count()
    batches = run_batches(
        [SumReplica()], table_of(LENGTHS), budget=300, limit=512, fill=0, stats=EncodeStats()
    )
    next(batches)
    batches.close()
    assert threading.active_count() == before
