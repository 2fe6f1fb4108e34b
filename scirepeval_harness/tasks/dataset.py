"""The plain records that readers produce and evaluators consume. Ids are always strings."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from scirepeval_harness.roles import Role

Qrels = Mapping[str, Mapping[str, int]]
"""Relevance grades: query id -> candidate id -> grade (0 is not relevant)."""


@dataclass(frozen=True, slots=True)
class Document:
    """A text to encode: its non-empty field values, in the order of the task's fields."""

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
    """How many of the missing documents have a row, but no text in it."""

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
class LabelledSet:
    """A supervised task.

    Labels are an integer array of class indices (n,), a 0/1 matrix (n, classes) for multi-label
    tasks, or a float array (n,) for regression. ``classes`` holds the original label of each index.
    """

    documents: Mapping[str, Document]
    train_ids: tuple[str, ...]
    train_labels: NDArray[np.generic]
    test_ids: tuple[str, ...]
    test_labels: NDArray[np.generic]
    classes: tuple[str, ...] = ()


@dataclass(frozen=True)
class RankingSet:
    """A ranking task. An id in both maps is encoded once, on the query side (docs/protocol.md)."""

    queries: Mapping[str, Document]
    candidates: Mapping[str, Document]
    qrels: Qrels


@dataclass(frozen=True)
class ReviewerSet:
    """Paper-reviewer matching: papers of both sides, reviewers' papers, hard and soft qrels."""

    papers: Mapping[str, Document]
    reviewers: Mapping[str, tuple[str, ...]]
    hard: Qrels
    soft: Qrels


@dataclass(frozen=True)
class CitationPools:
    """MDCR: one set of qrels a field of study over common documents."""

    documents: Mapping[str, Document]
    fields: Mapping[str, Qrels]


@dataclass(frozen=True)
class AuthorBlocks:
    """Author disambiguation: signatures of papers, grouped in name blocks, with true clusters.

    Keys of the maps: ``blocks`` data set -> block name -> signature ids; ``paper_of`` and
    ``cluster_of`` signature id -> paper id, cluster id. Signature ids are unique across data sets.
    """

    documents: Mapping[str, Document]
    blocks: Mapping[str, Mapping[str, tuple[str, ...]]]
    paper_of: Mapping[str, str]
    cluster_of: Mapping[str, str]
    folder: Path | None = None
    """Where whole data sets lie, for S2AND's own experiment; None for a part of them."""


TaskData = LabelledSet | RankingSet | ReviewerSet | CitationPools | AuthorBlocks


@dataclass(frozen=True)
class LoadedTask:
    """A task's data with where it came from and how complete it is."""

    data: TaskData
    provenance: Provenance
    coverage: Coverage
    warnings: tuple[str, ...] = field(default=())
