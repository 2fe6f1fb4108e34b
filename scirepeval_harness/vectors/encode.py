"""Vectors of documents: each distinct text encoded once, and only where the store lacks it."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from scirepeval_harness.errors import CoverageError, ModelError
from scirepeval_harness.files import read_json, write_json
from scirepeval_harness.model.base import (
    BatchEncoder,
    Encoder,
    Identity,
    JointEncoder,
    OrderEncoder,
    SparseEncoder,
)
from scirepeval_harness.progress import SILENT, Advance, Progress
from scirepeval_harness.roles import Role
from scirepeval_harness.task.dataset import Document, EncodeRequest
from scirepeval_harness.vectors.keys import Keys, Ledger, key_array, space_key, text_key
from scirepeval_harness.vectors.store import EmbeddingStore, Space
from scirepeval_harness.vectors.upkeep import Damage

if TYPE_CHECKING:
    from scipy.sparse import csr_matrix

# Documents between two writes to the store for an encoder that does not hand out batches.
SLICE = 1_024


# Vectors (n, dimensions) of so many rows, in the order given, read when asked for.
Read = Callable[[NDArray[np.int64]], Any]
# Dense or in compressed rows.
V = TypeVar("V", "NDArray[np.float32]", "csr_matrix")


@dataclass(frozen=True)
class TaskVectors:
    """Vectors by document id. ``encoded`` and ``cached`` count distinct texts.

    ``rows`` has the row of each document over all ``parts``, which are (number of rows, their
    reader): vectors of a store are not held, only read. Where they are ``sparse``, readers give
    compressed rows.
    """

    rows: Mapping[str, int]
    parts: tuple[tuple[int, Read], ...]
    encoded: int
    cached: int
    damaged: tuple[Damage, ...] = ()
    sparse: bool = False

    def take(self, ids: Sequence[str]) -> NDArray[np.float32]:
        """Rows (len(ids), dimensions) in the order given; CoverageError for an unknown id."""
        if self.sparse:
            written_out: NDArray[np.float32] = self.take_sparse(ids).toarray()
            return written_out
        rows = self._rows_of(ids)
        taken: NDArray[np.float32] | None = None
        start = 0
        for size, read in self.parts:
            inside = (start <= rows) & (rows < start + size)
            if inside.all():
                return np.asarray(read(rows - start))  # the usual case: no second copy
            if inside.any():
                part = read(rows[inside] - start)
                taken = np.empty((len(rows), part.shape[1]), np.float32) if taken is None else taken
                taken[inside] = part
            start += size
        assert taken is not None
        return taken

    def take_sparse(self, ids: Sequence[str]) -> csr_matrix:
        """As :meth:`take` where the vectors are ``sparse``, in compressed rows."""
        from scipy.sparse import vstack

        rows, start = self._rows_of(ids), 0
        blocks, places = list[Any](), []
        for size, read in self.parts:
            places.append(np.flatnonzero((start <= rows) & (rows < start + size)))
            blocks.append(read(rows[places[-1]] - start))
            start += size
        taken: csr_matrix = vstack(blocks, format="csr")[np.argsort(np.concatenate(places))]
        return taken

    def _rows_of(self, ids: Sequence[str]) -> NDArray[np.int64]:
        if missing := [key for key in ids if key not in self.rows]:
            problem = f"{len(missing)} of {len(ids)} vectors are missing, such as {missing[0]}"
            fix = "Check that documents and labels belong together"
            raise CoverageError(problem, where="vectors", fix=fix)
        return np.fromiter((self.rows[key] for key in ids), dtype=np.int64, count=len(ids))


def embed(
    encoder: Encoder,
    request: EncodeRequest,
    store: EmbeddingStore,
    advance: Advance = lambda count: None,
) -> TaskVectors:
    """Vectors of the documents of a request; what the store lacks is encoded and kept there.

    Encoders whose vectors depend on more than text and role see every document, and no store.

    Raises:
        ModelError: vectors of another shape than asked for, or not finite.
        StorageError: the store cannot be written.
    """
    documents = request.documents
    rows = {document.id: row for row, document in enumerate(documents)}
    count = len(documents)
    if not encoder.cacheable:
        read: Read
        sparse = isinstance(encoder, SparseEncoder)
        if isinstance(encoder, SparseEncoder):
            made = encoder.encode_sparse(documents, request.role, advance)
            read = checked(encoder, documents, made).__getitem__
        else:
            vectors = encoder.encode(documents, request.role, advance)
            read = checked(encoder, documents, vectors).__getitem__
        return TaskVectors(rows, ((count, read),), count, 0, sparse=sparse)
    # Always through the store, a temporary one if need be: one way, and vectors need no memory.
    found = look_up(encoder, request, store)
    space, missing = found.space, found.missing()
    assert space is not None
    advance(count - len(missing.documents))
    if missing.documents:
        with store.encoding:
            encode_missing(encoder, [missing], advance)
    return TaskVectors(
        rows,
        ((count, lambda wanted: space.take(found.keys[wanted])),),
        len(missing.documents),
        int(found.held.sum()),
        tuple(space.damaged),
    )


def embed_task(
    title: str,
    requests: Sequence[EncodeRequest],
    encoder: Encoder,
    store: EmbeddingStore,
    progress: Progress = SILENT,
) -> TaskVectors:
    """Vectors of all of a task's documents, each in the role that its request gives it.

    An id in several requests keeps the vector of the first, the query side (docs/protocol.md).

    Raises:
        ModelError, StorageError: see :func:`embed`.
    """
    if isinstance(encoder, JointEncoder):
        each = [embed_task(title, requests, one, store, progress) for one in encoder.members]
        return _joined(encoder, each)
    encoder.prepare([document for request in requests for document in request.documents])
    made: list[TaskVectors] = []
    for request in requests:
        with progress.bar(title, len(request.documents), phase="vectors") as advance:
            made.append(embed(encoder, request, store, advance))
    return combine(*made)


def _joined(encoder: JointEncoder, tables: Sequence[TaskVectors]) -> TaskVectors:
    """The vectors of an ensemble, joined when they are read: only its members' are kept."""
    ids = list(tables[0].rows)

    def read(wanted: NDArray[np.int64]) -> NDArray[np.float32]:
        chosen = [ids[row] for row in wanted]
        return encoder.join([table.take(chosen) for table in tables])

    return TaskVectors(
        {key: row for row, key in enumerate(ids)},
        ((len(ids), read),),
        sum(table.encoded for table in tables),
        sum(table.cached for table in tables),
        tuple(dict.fromkeys(damage for table in tables for damage in table.damaged)),
    )


def combine(*tables: TaskVectors) -> TaskVectors:
    """All tables as one; an id in several keeps its vector in the first of them."""
    rows: dict[str, int] = {}
    start = 0
    for table in tables:
        # The right side of | wins: what an earlier table has stays.
        rows = {key: row + start for key, row in table.rows.items()} | rows
        start += sum(size for size, _ in table.parts)
    return TaskVectors(
        rows,
        tuple(part for table in tables for part in table.parts),
        sum(table.encoded for table in tables),
        sum(table.cached for table in tables),
        tuple(dict.fromkeys(damage for table in tables for damage in table.damaged)),
        sparse=all(table.sparse for table in tables),
    )


@dataclass(frozen=True)
class MissingTexts:
    """What a store lacks of a request, in the order of encoding: the long texts first."""

    documents: tuple[Document, ...]
    keys: Keys
    role: Role
    space: Space


@dataclass(frozen=True)
class Lookup:
    """A request beside a store: the one answer to which texts the store lacks.

    Attributes:
        keys: key of each document's text (n,).
        fresh: places of documents whose text was not looked up before, each text once.
        held: which of the fresh texts have a vector in the store.
        space: where their vectors belong; None where there is no store.
    """

    request: EncodeRequest
    keys: Keys
    fresh: NDArray[np.int64]
    held: NDArray[np.bool_]
    space: Space | None

    def missing(self) -> MissingTexts:
        """Fresh texts without a vector, longest first: an out-of-memory shows at once, and batches
        hold texts of like length."""
        assert self.space is not None
        documents, places = self.request.documents, self.fresh[~self.held]
        size = np.array([sum(map(len, documents[at].parts)) for at in places], dtype=np.int64)
        # Stable, so that a run that goes on after a kill meets the batches it would have met.
        places = places[np.argsort(-size, kind="stable")]
        texts = tuple(documents[at] for at in places)
        return MissingTexts(texts, self.keys[places], self.request.role, self.space)


def look_up(
    encoder: Encoder,
    request: EncodeRequest,
    store: EmbeddingStore | None,
    ledger: Ledger | None = None,
    *,
    verify: bool = True,
) -> Lookup:
    """Which texts of a request the store lacks.

    Args:
        ledger: texts of earlier requests, which are not fresh any more: their vectors are there, or
            are on their way, when this request's turn comes.
        verify: check the vectors' checksums; else only their keys are looked at, as a plan does.
    """
    identity = encoder.identity(request.role)
    keys = key_array(text_key(encoder.text(item, request.role)) for item in request.documents)
    fresh = (ledger or Ledger()).new(space_key(identity), keys)
    if store is None:
        return Lookup(request, keys, fresh, np.zeros(len(fresh), dtype=bool), None)
    space = store.space(identity)
    held = space.sound(keys[fresh]) if verify else space.holds(keys[fresh])
    return Lookup(request, keys, fresh, held, space)


def encode_missing(
    encoder: Encoder,
    missing: Sequence[MissingTexts],
    advance: Advance,
    reached: Advance = lambda count: None,
) -> None:
    """Encode, each batch written to its space as soon as it is done.

    Args:
        reached: called with how many of ``missing``, from the first on, are all written.

    Raises:
        ModelError: vectors of another shape than asked for, or not finite; what the encoder raises.
        StorageError: the store cannot be written.
    """
    clock = Clock(encoder)
    left, whole = [len(texts.documents) for texts in missing], 0
    try:
        for number, rows, vectors in _batches(encoder, missing):
            texts = missing[number]
            good = checked(encoder, [texts.documents[row] for row in rows], vectors)
            texts.space.append(texts.keys[rows], good)
            clock.tick(len(rows))
            advance(len(rows))
            left[number] -= len(rows)
            while whole < len(left) and not left[whole]:
                whole += 1
                reached(whole)
    finally:
        # After an error too: what is written is closed, and the next run goes on behind it.
        for texts in missing:
            texts.space.finish()
    # Not in the finally: a run that died has measured its trouble too.
    if missing and (rate := clock.rate()) is not None:
        # Of one space; a plan finds it from every other space of the same base and precision.
        write_rate(missing[0].space.folder, rate)


def _batches(
    encoder: Encoder, missing: Sequence[MissingTexts]
) -> Iterator[tuple[int, NDArray[np.intp], NDArray[np.float32]]]:
    """Number of the request, positions in it and their vectors, in the order in which they are
    done."""
    if isinstance(encoder, OrderEncoder):
        yield from encoder.encode_orders([(texts.documents, texts.role) for texts in missing])
        return
    for number, texts in enumerate(missing):
        if isinstance(encoder, BatchEncoder):
            if texts.documents:
                batches = encoder.encode_batches(texts.documents, texts.role)
                yield from ((number, rows, vectors) for rows, vectors in batches)
            continue
        for start in range(0, len(texts.documents), SLICE):
            part = texts.documents[start : start + SLICE]
            rows = np.arange(start, start + len(part), dtype=np.intp)
            yield number, rows, encoder.encode(part, texts.role, lambda count: None)


# Documents to encode that are held at a time (about 0.7 GB).
AHEAD = 300_000


def encode_ahead(
    encoder: Encoder,
    requests: Iterable[EncodeRequest],
    store: EmbeddingStore,
    done: Advance,
    progress: Progress = SILENT,
    reached: Advance = lambda count: None,
) -> None:
    """Fill the store for requests that will come one after another.

    Batches are those that each request would have had when its turn came, so that the vectors are
    the same to the last bit. Nothing for encoders whose vectors hang on more than a text.

    Args:
        done: called with the number of texts just written, so that they count even where encoding
            stops half way.
        reached: called with how many requests, from the first on, have all their vectors.

    Raises:
        ModelError, StorageError: see :func:`encode_missing`.
    """
    if not encoder.cacheable:
        return
    ledger, waiting = Ledger(), list[MissingTexts]()
    # How many requests are settled when all that waited before them is written.
    before: list[int] = []
    seen = 0

    def encode() -> None:
        if not waiting:
            return
        with encoding_bar(encoder, waiting, progress) as advance:

            def both(count: int) -> None:
                done(count)
                advance(count)

            def settled(count: int) -> None:
                reached(before[count] if count < len(before) else seen)

            with store.encoding:
                encode_missing(encoder, waiting, both, settled)
        waiting.clear()
        before.clear()

    for number, request in enumerate(requests):
        missing = look_up(encoder, request, store, ledger).missing()
        if not missing.documents:
            seen = number + 1
            if not waiting:
                reached(seen)
            continue
        # Before it joins: requests stay whole, and with them the batches of each.
        if sum(len(texts.documents) for texts in (*waiting, missing)) > AHEAD:
            encode()
        waiting.append(missing)
        before.append(number)
        seen = number + 1
    encode()


# Texts of a request whose tokens are counted, to know how many there will be in all.
SAMPLED = 256


@contextmanager
def encoding_bar(
    encoder: Encoder, missing: Sequence[MissingTexts], progress: Progress
) -> Iterator[Advance]:
    """A bar of the tokens of missing texts, called with texts; of texts where no tokens are known.

    Texts would not do: the long ones come first, so that the first half takes most of the time.
    """
    total = sum(len(texts.documents) for texts in missing)
    if not isinstance(encoder, BatchEncoder):
        with progress.bar(encoder.name, total, phase="encode") as advance:
            yield advance
        return
    expected = 0.0
    for texts in missing:
        sample = texts.documents[:: max(1, len(texts.documents) // SAMPLED)]
        mean = encoder.count_tokens(sample, texts.role).mean() if sample else 0.0
        expected += float(mean) * len(texts.documents)
    before = seen = encoder.stats.tokens
    with progress.bar(encoder.name, round(expected), "token", "encode") as advance:

        def tokens(texts: int) -> None:
            nonlocal seen
            now = encoder.stats.tokens
            # An estimate may be too small, and no bar goes beyond its end.
            advance(min(now - seen, max(0, round(expected) - (seen - before))))
            seen = now

        yield tokens


def checked(encoder: Encoder, documents: Sequence[Document], vectors: V) -> V:
    """The vectors, if there is one finite row a document.

    The one place where vectors enter: whatever reads them afterwards, from memory or the store,
    need not look again.

    Raises:
        ModelError: otherwise; a NaN would become a score without a word.
    """
    where = f"model {encoder.name}"
    if vectors.ndim != 2 or vectors.shape[0] != len(documents):
        problem = f"vectors of shape {vectors.shape} for {len(documents)} documents"
        raise ModelError(problem, where=where, fix="The encoder must give one row a document")
    if isinstance(vectors, np.ndarray):
        bad = np.flatnonzero(~np.isfinite(vectors).all(axis=1))
    else:
        wrong = np.flatnonzero(~np.isfinite(vectors.data))
        bad = np.searchsorted(vectors.indptr, wrong, side="right") - 1
    if len(bad):
        where = f"{where}, document {documents[int(bad[0])].id}"
        fix = "Check the model; in a narrower type, try --dtype float32"
        raise ModelError("a vector holds NaN or infinity", where=where, fix=fix)
    if isinstance(vectors, np.ndarray):
        return np.ascontiguousarray(vectors, dtype=np.float32)
    return vectors


FILE = "rates.json"
# What tokens a second hang on, of an identity's details; role and adapter hardly count.
SAME_SPEED = ("base_weights", "dtype")
# A rate measured over less is mostly warming up.
LEAST_SECONDS = 1.0


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
            # What was encoded up to here was encoded before the clock ran.
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
        rows = read_json(folder / FILE)
        return {row["hardware"]: Rate(**row) for row in rows}
    return {}


def related_rate(root: Path, identity: Identity, hardware: str) -> float | None:
    """Tokens a second on ``hardware``, measured with the same base at the same precision: an
    adapter or another role hardly changes it. The longest measurement counts."""
    found: list[Rate] = []
    for about in root.glob("*/space.json"):
        with suppress(OSError, ValueError, AttributeError, KeyError):
            details = read_json(about).get("details", {})
            if all(details.get(name) == identity.details.get(name) for name in SAME_SPEED):
                found += [read_rates(about.parent)[hardware]]
    best = max(found, key=lambda rate: rate.seconds, default=None)
    return None if best is None else best.tokens / best.seconds
