"""What runs on the cluster's machines: settling hardware, tokenising windows, encoding chunks."""

from __future__ import annotations

import platform
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

import scirepeval_harness
from scirepeval_harness.errors import ModelError
from scirepeval_harness.model.base import EncodeOptions, build_model
from scirepeval_harness.model.devices import choose_devices, choose_precision, tokens_a_batch
from scirepeval_harness.model.engine import Batch, EncodeStats, TokenTable
from scirepeval_harness.model.kinds import WeightsSpec
from scirepeval_harness.model.token_encoder import TokenEncoder
from scirepeval_harness.roles import Role

BATCHES_A_CHUNK = 4
"""Few enough that little is done again when a worker dies, enough to hide the way there."""


@dataclass(frozen=True)
class Assignment:
    """One model, with everything settled that changes a vector or its batch.

    ``details`` has for each role the identity that the driver found: a worker whose files differ
    must not encode.
    """

    spec: WeightsSpec
    options: EncodeOptions
    details: Mapping[Role, Mapping[str, str]]
    # Set where the assignment is made and pickled with it, so a worker can compare its own.
    version: str = scirepeval_harness.__version__


def settle(options: EncodeOptions) -> EncodeOptions:
    """Device, precision and tokens a batch as the machine that calls this would choose them."""
    devices = choose_devices(options.device)
    precision = choose_precision(options.dtype, devices)
    budget = tokens_a_batch(options.batch_tokens, devices, precision)
    return replace(options, device=",".join(devices), dtype=precision, batch_tokens=budget)


def encoder_of(spec: WeightsSpec, options: EncodeOptions) -> TokenEncoder[Any]:
    """The encoder of a model whose weights run on tokens."""
    encoder = build_model(spec, options)
    assert isinstance(encoder, TokenEncoder)
    return encoder


def tokenise_windows(table: pa.Table, assignment: Assignment) -> Iterator[pa.Table]:
    """Windows of texts as chunks of batches, one row each: the batches that one machine alone
    would encode. Loads a tokenizer and no weights."""
    # The processor, whatever the workers have: this task holds no card.
    options = replace(assignment.options, device="cpu", elsewhere=True)
    encoder = encoder_of(assignment.spec, options)
    for window in Window.rows(table):
        tokens = encoder.tokenise(window.texts, window.role)
        batches = encoder.cut(tokens, window.role)
        for first in range(0, len(batches), BATCHES_A_CHUNK):
            yield Chunk.of(window, tokens, batches[first : first + BATCHES_A_CHUNK]).table()


class ChunkEncoder:
    """Holds a model, from the first chunk on, and encodes chunks; one on each device."""

    def __init__(self, assignment: Assignment) -> None:
        self._assignment = assignment
        self._opened: TokenEncoder[Any] | None = None
        self._checked: set[Role] = set()

    def __call__(self, table: pa.Table) -> Iterator[pa.Table]:
        """The vectors of each row's documents.

        Raises:
            ModelError: files or a version of the harness that differ from the driver's.
        """
        for chunk in Chunk.rows(table):
            encoder = self._ready(chunk.role)
            # Counts travel with their chunk: a worker that dies takes none that were handed over.
            encoder.stats = stats = EncodeStats()
            parts = list(encoder.encode_tokens(chunk.tokens, chunk.role, chunk.batches))
            # Batches may come back halved and in any order; their rows say whose they are.
            rows = np.concatenate([rows for rows, _ in parts])
            vectors = np.concatenate([vectors for _, vectors in parts])
            yield Encoded(chunk.order, chunk.places[rows], vectors, stats).table()

    def _ready(self, role: Role) -> TokenEncoder[Any]:
        """The encoder, once it is known to be the driver's in this role."""
        own = self._assignment
        if self._opened is not None and role in self._checked:
            return self._opened
        where = f"model {own.spec.name} on {platform.node()}"
        if own.version != scirepeval_harness.__version__:
            raise ModelError(
                f"scirepeval-harness {scirepeval_harness.__version__} there, {own.version} here",
                where=where,
                fix="Install the same version on every machine",
            )
        encoder = self._opened or encoder_of(own.spec, own.options)
        there, here = encoder.identity(role).details, own.details[role]
        differing = sorted(name for name in {*there, *here} if there.get(name) != here.get(name))
        if differing:
            raise ModelError(
                f"its files are not those of the machine that runs the evaluation "
                f"({', '.join(differing)})",
                where=where,
                fix="Pin a revision with NAME@REVISION, or put the same files on every machine",
            )
        self._opened = encoder
        self._checked.add(role)
        return encoder


@dataclass(frozen=True)
class Window:
    """Texts of one role that are sorted into batches together.

    ``order`` is the number of the order (a request for documents in a role) that they belong to;
    ``start`` is the place of the first text in it.
    """

    order: int
    role: Role
    start: int
    texts: tuple[str, ...]

    def table(self) -> pa.Table:
        """One row. Bytes, because a text may hold half of a surrogate pair, which Arrow refuses."""
        texts = [text.encode("utf-8", "surrogatepass") for text in self.texts]
        return pa.table(
            {
                "order": [self.order],
                "role": [self.role.value],
                "start": [self.start],
                "texts": pa.array([texts], pa.list_(pa.binary())),
            }
        )

    @classmethod
    def rows(cls, table: pa.Table) -> Iterator[Window]:
        """The windows of a table, one a row."""
        for row in table.to_pylist():
            texts = tuple(text.decode("utf-8", "surrogatepass") for text in row["texts"])
            yield cls(row["order"], Role(row["role"]), row["start"], texts)


@dataclass(frozen=True)
class Chunk:
    """Batches that one worker encodes in one go.

    ``places[i]`` is the place in the order of row i of ``tokens``; the batches' rows are rows of
    ``tokens``.
    """

    order: int
    role: Role
    places: NDArray[np.int64]
    tokens: TokenTable
    batches: tuple[Batch, ...]

    @classmethod
    def of(cls, window: Window, tokens: TokenTable, batches: Sequence[Batch]) -> Chunk:
        """Some of the batches of a window, with their own tokens only."""
        rows = np.concatenate([batch.rows for batch in batches])
        spans = zip(tokens.offsets[rows], tokens.offsets[rows + 1], strict=True)
        own: list[Batch] = []
        for batch in batches:
            # Rows are numbered anew: only this chunk's tokens travel with it.
            first = sum(len(earlier.rows) for earlier in own)
            own.append(Batch(np.arange(first, first + len(batch.rows)), batch.length))
        table = TokenTable.of(tokens.ids[begin:end].tolist() for begin, end in spans)
        places = rows.astype(np.int64) + window.start
        return cls(window.order, window.role, places, table, tuple(own))

    def table(self) -> pa.Table:
        """One row: places, token ids end to end, tokens a document, and the batches' shapes."""
        return pa.table(
            {
                "order": [self.order],
                "role": [self.role.value],
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
                table["order"][row].as_py(),
                Role(table["role"][row].as_py()),
                _values(table, "places", row),
                TokenTable(_values(table, "ids", row), offsets.astype(np.int64)),
                tuple(
                    Batch(np.arange(start, end), int(length))
                    for start, end, length in zip(starts, ends, padded, strict=True)
                ),
            )


@dataclass(frozen=True)
class Encoded:
    """Places in an order, their vectors (places, dimensions), and what encoding them took."""

    order: int
    places: NDArray[np.int64]
    vectors: NDArray[np.float32]
    stats: EncodeStats

    def table(self) -> pa.Table:
        """One row."""
        stats = self.stats
        return pa.table(
            {
                "order": [self.order],
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
                table["order"][row].as_py(),
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
