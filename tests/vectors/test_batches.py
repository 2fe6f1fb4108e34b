"""Batches by token budget: every document once, within the budget, little padding."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from scirepeval_harness.model.engine import (
    PADDING_LIMIT,
    Batch,
    EncodeStats,
    TokenTable,
    halves,
    padding_share,
    plan_batches,
)


def lengths_of(values: list[int]) -> np.ndarray:
    return np.asarray(values, dtype=np.int64)


@settings(max_examples=200, deadline=None)
@given(
    values=st.lists(st.integers(1, 512), min_size=1, max_size=300),
    budget=st.integers(1, 20_000),
)
def test_every_document_once_within_the_budget_longest_first(
    values: list[int], budget: int
) -> None:
    lengths = lengths_of(values)
    batches = plan_batches(lengths, budget, 512)
    rows = [int(row) for batch in batches for row in batch.rows]
    assert sorted(rows) == list(range(len(values)))
    assert [values[row] for row in rows] == sorted(values, reverse=True)
    for batch in batches:
        assert len(batch.rows) == 1 or len(batch.rows) * batch.length <= budget
        assert max(values[row] for row in batch.rows) <= batch.length <= 512


def test_padding_stays_small_on_texts_of_usual_lengths() -> None:
    lengths = np.clip(np.random.default_rng(0).normal(240, 90, 4_000), 8, 512).astype(np.int64)
    for budget in (4_096, 8_192, 65_536):
        batches = plan_batches(lengths, budget, 512)
        padded = sum(len(batch.rows) * batch.length for batch in batches)
        assert padding_share(batches, lengths) == 1 - lengths.sum() / padded
        assert padding_share(batches, lengths) < 0.03


def test_lengths_are_aligned_only_where_it_costs_little() -> None:
    long = lengths_of([505] * 100)  # 505 -> 512 is 1.4% of padding
    assert {batch.length for batch in plan_batches(long, 8_192, 512)} == {512}
    short = lengths_of([9] * 100)  # 9 -> 16 would be 44%
    assert {batch.length for batch in plan_batches(short, 8_192, 512)} == {9}
    assert padding_share(plan_batches(long, 8_192, 512), long) <= PADDING_LIMIT


def test_batches_that_are_done_leave_the_others_as_they_were() -> None:
    """A run that goes on after a kill must meet the batches that it would have met."""
    lengths = np.random.default_rng(3).integers(3, 512, 700)
    whole = plan_batches(lengths, 4_096, 512)
    for done in (1, 7, len(whole) // 2):
        left = np.sort(np.concatenate([batch.rows for batch in whole[done:]]))
        again = plan_batches(lengths[left], 4_096, 512)
        assert [left[batch.rows].tolist() for batch in again] == [
            batch.rows.tolist() for batch in whole[done:]
        ]
        assert [batch.length for batch in again] == [batch.length for batch in whole[done:]]


def test_alignment_never_goes_beyond_what_the_model_takes() -> None:
    assert plan_batches(lengths_of([509, 509]), 8_192, 510)[0].length == 510


def test_a_document_over_the_budget_is_a_batch_of_its_own() -> None:
    batches = plan_batches(lengths_of([300, 20, 300]), 100, 512)
    assert [len(batch.rows) for batch in batches] == [1, 1, 1]


def test_no_documents_no_batches() -> None:
    assert plan_batches(lengths_of([]), 100, 512) == []


def test_table_pads_on_the_right() -> None:
    table = TokenTable.of([[1, 2, 3], [4], [5, 6]])
    assert table.lengths.tolist() == [3, 1, 2]
    ids, mask = table.padded(np.asarray([1, 0]), 4, 9)
    assert ids.tolist() == [[4, 9, 9, 9], [1, 2, 3, 9]]
    assert mask.tolist() == [[1, 0, 0, 0], [1, 1, 1, 0]]


def test_empty_table() -> None:
    assert TokenTable.of([]).lengths.tolist() == []


def test_halves_keep_every_document_and_shrink_the_shorter_half() -> None:
    lengths = lengths_of([100, 90, 20, 10, 5])
    first, second = halves(Batch(np.arange(5), 104), lengths)
    assert first.rows.tolist() == [0, 1]
    assert first.length == 104
    assert second.rows.tolist() == [2, 3, 4]
    assert second.length == 24


def test_padding_of_an_idle_encoder_is_zero() -> None:
    assert EncodeStats().padding == 0.0
    assert EncodeStats(tokens=75, padded_tokens=100).padding == 0.25
