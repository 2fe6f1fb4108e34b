"""What every task's data is made of, whatever its kind of evaluation. Ids are always strings."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from scirepeval_harness.roles import Role

Qrels = Mapping[str, Mapping[str, int]]
"""Relevance grades: query id -> candidate id -> grade (0 is not relevant)."""


@dataclass(frozen=True, slots=True)
class Document:
    """A text to encode: its field values that are not empty, in the order of the task's fields;
    none for a document that is encoded as an empty text."""

    id: str
    parts: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class EncodeRequest:
    """Documents to encode in one role."""

    role: Role
    documents: tuple[Document, ...]


@dataclass(frozen=True, slots=True)
class Coverage:
    """How much of what a task needs was found. Counts are distinct documents, queries and rows."""

    documents_needed: int
    documents_found: int
    queries_needed: int = 0
    queries_found: int = 0
    missing: tuple[str, ...] = ()
    """The first few ids that were not found, for the error message."""
    textless: int = 0
    """How many of the found documents have no text, and are encoded as an empty one."""
    remarks: tuple[str, ...] = ()
    """What else a reader of the score should know, in words."""

    @property
    def complete(self) -> bool:
        return (
            self.documents_found == self.documents_needed
            and self.queries_found == self.queries_needed
        )


@dataclass(frozen=True, slots=True)
class Provenance:
    """Where the rows of a task came from; ``fingerprint`` is a SHA-256 over the rows used."""

    source: str  # "hub", "local" or "packaged"
    documents: str
    labels: str
    revision: str | None
    fingerprint: str


@dataclass(frozen=True)
class LoadedTask:
    """A task's data with where it came from and how complete it is.

    What ``data`` is depends on the kind of evaluation, which alone reads it.
    """

    data: Any
    provenance: Provenance
    coverage: Coverage
    warnings: tuple[str, ...] = field(default=())
