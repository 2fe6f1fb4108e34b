"""Vectors of documents: each distinct text encoded once, and only where the store lacks it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from scirepeval_harness.data.records import Document
from scirepeval_harness.encoders.base import Advance, Encoder
from scirepeval_harness.encoding.store import Damage, EmbeddingStore, Space, text_key
from scirepeval_harness.errors import CoverageError, ModelError
from scirepeval_harness.roles import Role

SLICE = 2_048
"""Documents between two writes to the store: what a kill can lose."""


@dataclass(frozen=True)
class Embedded:
    """Vectors by document id; several ids of one text share a row."""

    rows: Mapping[str, int]
    vectors: NDArray[np.float32]
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
        return self.vectors[[self.rows[key] for key in ids]]


def embed(
    encoder: Encoder,
    documents: Sequence[Document],
    role: Role,
    store: EmbeddingStore | None,
    advance: Advance,
) -> Embedded:
    """Vectors of ``documents`` in a role. ``encoded`` and ``cached`` count distinct texts.

    Encoders whose vectors depend on more than text and role see every document, and no store.

    Raises:
        ModelError: vectors of another shape than asked for, or not finite.
        StorageError: the store cannot be written.
    """
    if not encoder.cacheable:
        vectors = checked(encoder, documents, encoder.encode(documents, role, advance))
        rows = {document.id: row for row, document in enumerate(documents)}
        return Embedded(rows, vectors, len(documents), 0)
    first: dict[bytes, Document] = {}
    keys: dict[str, bytes] = {}
    for document in documents:
        key = text_key(encoder.text(document, role))
        keys[document.id] = key
        first.setdefault(key, document)
    distinct = list(first)
    position = {key: row for row, key in enumerate(distinct)}
    space = store.space(encoder.identity(role)) if store else None
    missing = [key for key in distinct if space is None or key not in space]
    advance(len(documents) - len(missing))
    # Long texts first: an out-of-memory shows at once, and slices hold texts of like length.
    missing.sort(key=lambda key: -sum(map(len, first[key].parts)))
    made = _encode(encoder, [first[key] for key in missing], missing, role, space, advance)
    if space is not None:
        vectors = space.take(distinct)
    else:
        order = {key: row for row, key in enumerate(missing)}
        vectors = made[[order[key] for key in distinct]]
    return Embedded(
        {name: position[key] for name, key in keys.items()},
        vectors,
        len(missing),
        len(distinct) - len(missing),
        tuple(space.damaged) if space else (),
    )


def combine(queries: Embedded, candidates: Embedded) -> Embedded:
    """Both tables as one; an id in both keeps its query-side vector (docs/protocol.md)."""
    shift = len(queries.vectors)
    rows = {key: row + shift for key, row in candidates.rows.items()} | dict(queries.rows)
    parts = [table.vectors for table in (queries, candidates) if len(table.vectors)]
    return Embedded(
        rows,
        np.concatenate(parts) if parts else queries.vectors,
        queries.encoded + candidates.encoded,
        queries.cached + candidates.cached,
        queries.damaged + candidates.damaged,
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
            fix="Check the model",
        )
    return np.ascontiguousarray(vectors, dtype=np.float32)


def _encode(
    encoder: Encoder,
    documents: Sequence[Document],
    keys: Sequence[bytes],
    role: Role,
    space: Space | None,
    advance: Advance,
) -> NDArray[np.float32]:
    """Encode in slices, each written to the space at once; rows only where there is none."""
    parts = []
    for start in range(0, len(documents), SLICE):
        part = documents[start : start + SLICE]
        vectors = checked(encoder, part, encoder.encode(part, role, advance))
        if space is None:
            parts.append(vectors)
        else:
            space.append(keys[start : start + SLICE], vectors)
    return np.concatenate(parts) if parts else np.zeros((0, 0), np.float32)
