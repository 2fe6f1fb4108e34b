"""Vectors of documents: each distinct text encoded once, and only where the store lacks it."""

from __future__ import annotations

import json
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from scirepeval_harness.errors import CoverageError, ModelError
from scirepeval_harness.files import write_json
from scirepeval_harness.models.base import Advance, BatchEncoder, Encoder, Identity, OrderEncoder
from scirepeval_harness.roles import Role
from scirepeval_harness.tasks.dataset import Document
from scirepeval_harness.vectors.keys import (
    Keys,
    Ledger,
    first_places,
    key_array,
    space_key,
    text_key,
)
from scirepeval_harness.vectors.store import Damage, EmbeddingStore, Space

SLICE = 1_024
"""Documents between two writes to the store for an encoder that does not hand out batches."""


class VectorSource(Protocol):
    """Rows of vectors, read when asked for."""

    def gather(self, rows: NDArray[np.int64]) -> NDArray[np.float32]:
        """The rows (n, dimensions) in the order given."""
        ...


@dataclass(frozen=True)
class InMemory:
    """Vectors (n, dimensions) that are held."""

    vectors: NDArray[np.float32]

    def gather(self, rows: NDArray[np.int64]) -> NDArray[np.float32]:
        return self.vectors[rows]


@dataclass(frozen=True)
class Stored:
    """Vectors in the store: row i is the vector of ``keys[i]``; nothing is held but the keys."""

    space: Space
    keys: Keys

    def gather(self, rows: NDArray[np.int64]) -> NDArray[np.float32]:
        return self.space.take(self.keys[rows])


@dataclass(frozen=True)
class Joined:
    """One source behind another; row ``size`` is the second's row 0."""

    first: VectorSource
    size: int
    second: VectorSource

    def gather(self, rows: NDArray[np.int64]) -> NDArray[np.float32]:
        early = rows < self.size
        if early.all():
            return self.first.gather(rows)
        late = self.second.gather(rows[~early] - self.size)
        if not early.any():
            return late
        out = np.empty((len(rows), late.shape[1]), dtype=np.float32)
        out[~early] = late
        out[early] = self.first.gather(rows[early])
        return out


@dataclass(frozen=True)
class Embedded:
    """Vectors by document id; several ids of one text share a row. ``size`` counts the rows."""

    rows: Mapping[str, int]
    source: VectorSource
    size: int
    encoded: int
    cached: int
    damaged: tuple[Damage, ...] = ()

    def take(self, ids: Sequence[str]) -> NDArray[np.float32]:
        """Rows (len(ids), dimensions) in the order given; CoverageError for an unknown id."""
        missing = [key for key in ids if key not in self.rows]
        if missing:
            raise CoverageError(
                f"{len(missing)} of {len(ids)} vectors are missing, such as {missing[0]}",
                where="vectors",
                fix="Check that documents and labels belong together",
            )
        rows = np.fromiter((self.rows[key] for key in ids), dtype=np.int64, count=len(ids))
        return self.source.gather(rows)


def embed(
    encoder: Encoder,
    documents: Sequence[Document],
    role: Role,
    store: EmbeddingStore | None,
    advance: Advance,
) -> Embedded:
    """Vectors of ``documents`` in a role. ``encoded`` and ``cached`` count distinct texts.

    With a store, every batch is written as soon as it is done and no vector is held in memory.
    Encoders whose vectors depend on more than text and role see every document, and no store.

    Raises:
        ModelError: vectors of another shape than asked for, or not finite.
        StorageError: the store cannot be written.
    """
    if not encoder.cacheable:
        vectors = checked(encoder, documents, encoder.encode(documents, role, advance))
        rows = {document.id: row for row, document in enumerate(documents)}
        return Embedded(rows, InMemory(vectors), len(documents), len(documents), 0)
    keys = key_array(text_key(encoder.text(document, role)) for document in documents)
    first, place = first_places(keys)
    rows = {document.id: int(row) for document, row in zip(documents, place, strict=True)}
    distinct = keys[first]
    if store is None:
        everything = np.arange(len(distinct))
        made = _encode(encoder, [documents[at] for at in first], distinct, role, None, advance)
        advance(len(documents) - len(distinct))
        return Embedded(rows, InMemory(made), len(distinct), len(everything), 0)
    space = store.space(encoder.identity(role))
    there = space.sound(distinct)
    advance(len(documents) - int((~there).sum()))
    missing = longest_first(documents, first[~there])
    _encode(encoder, [documents[at] for at in missing], keys[missing], role, space, advance)
    return Embedded(
        rows,
        Stored(space, distinct),
        len(distinct),
        len(missing),
        int(there.sum()),
        tuple(space.damaged),
    )


def longest_first(documents: Sequence[Document], places: NDArray[np.int64]) -> NDArray[np.int64]:
    """Places in the order of encoding. Long texts come first: an out-of-memory shows at once, and
    batches hold texts of like length."""
    size = np.array([sum(map(len, documents[at].parts)) for at in places], dtype=np.int64)
    ordered: NDArray[np.int64] = places[np.argsort(-size, kind="stable")]
    return ordered


def combine(queries: Embedded, candidates: Embedded) -> Embedded:
    """Both tables as one; an id in both keeps its query-side vector (docs/protocol.md)."""
    rows = {key: row + queries.size for key, row in candidates.rows.items()} | dict(queries.rows)
    return Embedded(
        rows,
        Joined(queries.source, queries.size, candidates.source),
        queries.size + candidates.size,
        queries.encoded + candidates.encoded,
        queries.cached + candidates.cached,
        tuple(dict.fromkeys(queries.damaged + candidates.damaged)),
    )


def checked(
    encoder: Encoder, documents: Sequence[Document], vectors: NDArray[np.float32]
) -> NDArray[np.float32]:
    """The vectors, if there is one finite row a document.

    Raises:
        ModelError: otherwise; a NaN would become a score without a word.
    """
    where = f"model {encoder.name}"
    if vectors.ndim != 2 or len(vectors) != len(documents):
        raise ModelError(
            f"vectors of shape {vectors.shape} for {len(documents)} documents",
            where=where,
            fix="The encoder must give one row a document",
        )
    finite = np.isfinite(vectors).all(axis=1)
    if not finite.all():
        bad = documents[int(np.flatnonzero(~finite)[0])].id
        raise ModelError(
            "a vector holds NaN or infinity",
            where=f"{where}, document {bad}",
            fix="Check the model; in a narrower type, try --dtype float32",
        )
    return np.ascontiguousarray(vectors, dtype=np.float32)


def _encode(
    encoder: Encoder,
    documents: Sequence[Document],
    keys: Keys,
    role: Role,
    space: Space | None,
    advance: Advance,
) -> NDArray[np.float32]:
    """Encode, each batch written to the space at once; all rows only where there is no space."""
    made = np.zeros((0, 0), np.float32)
    clock = Clock(encoder)
    try:
        for rows, vectors in _batches(encoder, documents, role):
            good = checked(encoder, [documents[row] for row in rows], vectors)
            if space is not None:
                space.append(keys[rows], good)
            elif not len(made):
                made = np.empty((len(documents), good.shape[1]), np.float32)
            if space is None:
                made[rows] = good
            clock.tick(len(rows))
            advance(len(rows))
    finally:
        if space is not None:
            space.finish()
    if space is not None and (rate := clock.rate()) is not None:
        write_rate(space.folder, rate)
    return made


def _batches(
    encoder: Encoder, documents: Sequence[Document], role: Role
) -> Iterator[tuple[NDArray[np.intp], NDArray[np.float32]]]:
    """Positions and vectors in the order in which they are done."""
    if not documents:
        return
    if isinstance(encoder, BatchEncoder):
        yield from encoder.encode_batches(documents, role)
        return
    for start in range(0, len(documents), SLICE):
        part = documents[start : start + SLICE]
        yield (
            np.arange(start, start + len(part), dtype=np.intp),
            encoder.encode(part, role, lambda count: None),
        )


@dataclass(frozen=True)
class Order:
    """Documents that the store lacks in a role, in the order in which they are encoded."""

    documents: tuple[Document, ...]
    keys: Keys
    role: Role
    space: Space


def orders_of(
    encoder: OrderEncoder,
    wanted: Iterable[tuple[Sequence[Document], Role]],
    store: EmbeddingStore,
) -> tuple[Order, ...]:
    """What is to be encoded for requests that come one after another: what each would encode when
    its turn came, so that batches and vectors are the same to the last bit."""
    ledger, orders = Ledger(), []
    for documents, role in wanted:
        identity = encoder.identity(role)
        space = store.space(identity)
        keys = key_array(text_key(encoder.text(document, role)) for document in documents)
        fresh = ledger.new(space_key(identity), keys)
        missing = longest_first(documents, fresh[~space.sound(keys[fresh])])
        if len(missing):
            chosen = tuple(documents[at] for at in missing)
            orders.append(Order(chosen, keys[missing], role, space))
    return tuple(orders)


def encode_orders(encoder: OrderEncoder, orders: Sequence[Order], advance: Advance) -> int:
    """Encode all orders, each batch written as soon as it is done; the number of texts.

    Raises:
        ModelError: vectors of another shape than asked for, or not finite; what the encoder raises.
        StorageError: the store cannot be written.
    """
    clock, count = Clock(encoder), 0
    try:
        for number, rows, vectors in encoder.encode_orders(
            [(order.documents, order.role) for order in orders]
        ):
            order = orders[number]
            good = checked(encoder, [order.documents[row] for row in rows], vectors)
            order.space.append(order.keys[rows], good)
            clock.tick(len(rows))
            advance(len(rows))
            count += len(rows)
    finally:
        for order in orders:
            order.space.finish()
    if orders and (rate := clock.rate()) is not None:
        write_rate(orders[0].space.folder, rate)
    return count


FILE = "rates.json"
SAME_SPEED = ("base_weights", "dtype")
LEAST_SECONDS = 1.0
"""A rate measured over less is mostly warming up."""


@dataclass(frozen=True, slots=True)
class Rate:
    """Tokens (without padding) and documents encoded in so many seconds on ``hardware``."""

    hardware: str
    tokens: int
    documents: int
    seconds: float


class Clock:
    """Measures an encoder from its first batch on, so that loading the weights does not count."""

    def __init__(self, encoder: Encoder) -> None:
        self._encoder = encoder if isinstance(encoder, BatchEncoder) else None
        self._start: float | None = None
        self._tokens = self._documents = 0

    def tick(self, documents: int) -> None:
        """A batch is done."""
        if self._start is None:
            self._start = time.perf_counter()
            self._tokens = self._encoder.stats.tokens if self._encoder else 0
        else:
            self._documents += documents

    def rate(self) -> Rate | None:
        """None where nothing that lasted was measured."""
        if self._encoder is None or self._start is None:
            return None
        seconds = time.perf_counter() - self._start
        tokens = self._encoder.stats.tokens - self._tokens
        if seconds < LEAST_SECONDS or not tokens:
            return None
        return Rate(self._encoder.hardware, tokens, self._documents, round(seconds, 3))


def write_rate(folder: Path, rate: Rate) -> None:
    """Keep the latest rate a hardware in a space's folder."""
    rates = read_rates(folder) | {rate.hardware: rate}
    write_json(folder / FILE, [asdict(rates[key]) for key in sorted(rates)])


def read_rates(folder: Path) -> dict[str, Rate]:
    """Rates by hardware; empty where none were kept. A file that cannot be read counts as none:
    only an estimate hangs on it."""
    with suppress(OSError, ValueError, TypeError, KeyError):
        rows = json.loads((folder / FILE).read_text(encoding="utf-8"))
        return {row["hardware"]: Rate(**row) for row in rows}
    return {}


def related_rate(root: Path, identity: Identity, hardware: str) -> float | None:
    """Tokens a second on ``hardware``, measured with the same base at the same precision: an
    adapter or another role hardly changes it. The longest measurement counts."""
    found: list[Rate] = []
    for about in root.glob("*/space.json"):
        with suppress(OSError, ValueError, AttributeError, KeyError):
            details = json.loads(about.read_text(encoding="utf-8")).get("details", {})
            if all(details.get(name) == identity.details.get(name) for name in SAME_SPEED):
                found += [read_rates(about.parent)[hardware]]
    best = max(found, key=lambda rate: rate.seconds, default=None)
    return None if best is None else best.tokens / best.seconds
