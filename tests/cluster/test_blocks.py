from __future__ import annotations

import numpy as np
import pyarrow as pa

from scirepeval_harness.cluster.workers import Chunk, Encoded, Window
from scirepeval_harness.model.engine import Batch, EncodeStats, TokenTable
from scirepeval_harness.roles import Role

TOKENS = TokenTable.of([[1], [2, 2], [3, 3, 3], [4, 4, 4, 4]])
WINDOW = Window(7, Role.QUERY, 100, ("a", "bb", "ccc", "dddd"))


def test_windows_come_back_as_they_went() -> None:
    windows = [WINDOW, Window(0, Role.PROXIMITY, 0, ("", "half a pair: \ud83d", "Größe \n 漢"))]
    table = pa.concat_tables([window.table() for window in windows])
    assert list(Window.rows(table)) == windows


def test_a_chunk_holds_the_tokens_of_its_batches_only() -> None:
    batches = [Batch(np.array([3, 1]), 8), Batch(np.array([0]), 2)]
    sent = Chunk.of(WINDOW, TOKENS, batches)
    other = Chunk.of(WINDOW, TOKENS, [Batch(np.array([2]), 3)])
    first, second = Chunk.rows(pa.concat_tables([sent.table(), other.table()]))
    assert (first.order, first.role) == (7, Role.QUERY)
    assert first.places.tolist() == [103, 101, 100]
    assert first.tokens.ids.tolist() == [4, 4, 4, 4, 2, 2, 1]
    assert [(batch.rows.tolist(), batch.length) for batch in first.batches] == [
        ([0, 1], 8),
        ([2], 2),
    ]
    ids, mask = first.tokens.padded(first.batches[0].rows, 8, 0)
    assert ids.tolist() == [[4, 4, 4, 4, 0, 0, 0, 0], [2, 2, 0, 0, 0, 0, 0, 0]]
    assert mask.sum(axis=1).tolist() == [4, 2]
    assert second.tokens.ids.tolist() == [3, 3, 3]
    assert [batch.rows.tolist() for batch in second.batches] == [[0]]


def test_vectors_come_back_bit_by_bit() -> None:
    vectors = np.array([[0.1, -0.0, 1e-40], [3e38, 1 / 3, -2]], dtype=np.float32)
    stats = EncodeStats(documents=2, tokens=11, padded_tokens=16, batches=1, halvings=1)
    sent = [
        Encoded(3, np.array([9, 4]), vectors, stats),
        Encoded(0, np.array([0]), vectors[:1], EncodeStats(1, 5, 8, 1, 0)),
    ]
    back = list(Encoded.rows(pa.concat_tables([part.table() for part in sent])))
    for one, other in zip(sent, back, strict=True):
        assert (one.order, one.places.tolist(), one.stats) == (
            other.order,
            other.places.tolist(),
            other.stats,
        )
        assert one.vectors.tobytes() == other.vectors.tobytes()
        assert one.vectors.shape == other.vectors.shape
