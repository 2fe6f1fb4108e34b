"""What travels between machines, as Arrow tables: texts to tokenise, batches to encode, vectors."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from scirepeval_harness.encoding.batches import Batch, EncodeStats, TokenTable


@dataclass(frozen=True)
class Window:
    """Texts that are sorted into batches together; ``start`` is the place of the first."""

    start: int
    texts: tuple[str, ...]

    def table(self) -> pa.Table:
        """One row. Bytes, because a text may hold half of a surrogate pair, which Arrow refuses."""
        texts = [text.encode("utf-8", "surrogatepass") for text in self.texts]
        return pa.table({"start": [self.start], "texts": pa.array([texts], pa.list_(pa.binary()))})

    @classmethod
    def rows(cls, table: pa.Table) -> Iterator[Window]:
        """The windows of a table, one a row."""
        for start, texts in zip(
            table["start"].to_pylist(), table["texts"].to_pylist(), strict=True
        ):
            yield cls(start, tuple(text.decode("utf-8", "surrogatepass") for text in texts))


@dataclass(frozen=True)
class Chunk:
    """Batches that one worker encodes in one go.

    ``places[i]`` is the place among all documents of row i of ``tokens``; the batches' rows are
    rows of ``tokens``.
    """

    places: NDArray[np.int64]
    tokens: TokenTable
    batches: tuple[Batch, ...]

    @classmethod
    def of(cls, start: int, tokens: TokenTable, batches: Sequence[Batch]) -> Chunk:
        """Some of the batches of a window that starts at ``start``, with their tokens only."""
        rows = np.concatenate([batch.rows for batch in batches])
        spans = zip(tokens.offsets[rows], tokens.offsets[rows + 1], strict=True)
        own: list[Batch] = []
        for batch in batches:
            first = sum(len(earlier.rows) for earlier in own)
            own.append(Batch(np.arange(first, first + len(batch.rows)), batch.length))
        table = TokenTable.of(tokens.ids[begin:end].tolist() for begin, end in spans)
        return cls(rows.astype(np.int64) + start, table, tuple(own))

    def table(self) -> pa.Table:
        """One row: places, token ids end to end, tokens a document, and the batches' shapes."""
        return pa.table(
            {
                "places": _cell(self.places, pa.int64()),
                "ids": _cell(self.tokens.ids, pa.int32()),
                "lengths": _cell(self.tokens.lengths, pa.int64()),
                "sizes": _cell([len(batch.rows) for batch in self.batches], pa.int64()),
                "padded": _cell([batch.length for batch in self.batches], pa.int64()),
            }
        )

    @classmethod
    def rows(cls, table: pa.Table) -> Iterator[Chunk]:
        """The chunks of a table, one a row."""
        for row in range(table.num_rows):
            offsets = np.concatenate(([0], np.cumsum(_values(table, "lengths", row))))
            ends = np.cumsum(_values(table, "sizes", row))
            starts = np.concatenate(([0], ends[:-1]))
            padded = _values(table, "padded", row)
            yield cls(
                _values(table, "places", row),
                TokenTable(_values(table, "ids", row), offsets.astype(np.int64)),
                tuple(
                    Batch(np.arange(start, end), int(length))
                    for start, end, length in zip(starts, ends, padded, strict=True)
                ),
            )


@dataclass(frozen=True)
class Encoded:
    """Places of documents, their vectors (places, dimensions), and what encoding them took."""

    places: NDArray[np.int64]
    vectors: NDArray[np.float32]
    stats: EncodeStats

    def table(self) -> pa.Table:
        """One row."""
        stats = self.stats
        return pa.table(
            {
                "places": _cell(self.places, pa.int64()),
                "vectors": _cell(self.vectors.reshape(-1), pa.float32()),
                "tokens": [stats.tokens],
                "padded_tokens": [stats.padded_tokens],
                "batches": [stats.batches],
                "halvings": [stats.halvings],
            }
        )

    @classmethod
    def rows(cls, table: pa.Table) -> Iterator[Encoded]:
        """What each row holds."""
        for row in range(table.num_rows):
            places = _values(table, "places", row)
            counts = {
                name: int(table[name][row].as_py())
                for name in ("tokens", "padded_tokens", "batches", "halvings")
            }
            yield cls(
                places,
                _values(table, "vectors", row).reshape(len(places), -1),
                EncodeStats(documents=len(places), **counts),
            )


def _cell(values: Any, kind: pa.DataType) -> pa.Array:
    """One list as the only row of a column."""
    flat = pa.array(values, kind)
    return pa.ListArray.from_arrays(pa.array([0, len(flat)], pa.int32()), flat)


def _values(table: pa.Table, name: str, row: int) -> Any:
    """The list of a row as a flat array."""
    return table[name][row].values.to_numpy(zero_copy_only=False)
