"""Rows of a document table as documents: which fields, in which order, first text first."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from scirepeval_harness.data.records import Coverage, Document
from scirepeval_harness.data.rows import Row, Table
from scirepeval_harness.errors import CoverageError, DataError

SHOWN = 5


def parts_of(row: Row, fields: Sequence[str]) -> tuple[str, ...]:
    """The row's non-empty values of ``fields``, stripped of nothing but emptiness."""
    values = (row.get(name) for name in fields)
    texts = ("" if value is None else str(value) for value in values)
    return tuple(text for text in texts if text.strip())


@dataclass
class Collected:
    """Documents by id as they are met. The first text seen under an id stays."""

    documents: dict[str, Document] = field(default_factory=dict)
    empty: dict[str, str] = field(default_factory=dict)

    def add(self, key: str, parts: tuple[str, ...], where: str) -> None:
        """Keep a document unless its id is known; one without text is remembered as empty."""
        if key in self.documents or key in self.empty:
            return
        if parts:
            self.documents[key] = Document(key, parts)
        else:
            self.empty[key] = where


def read_flat(table: Table, fields: Sequence[str], needed: frozenset[str]) -> Collected:
    """The needed documents of a flat table (``doc_id`` or ``paper_id``, then fields)."""
    found = Collected()
    for number, row in table.rows():
        key = table.id(number, row, "doc_id", "paper_id")
        if key in needed:
            found.add(key, parts_of(row, fields), table.where(number))
    return found


def check_coverage(
    task: str,
    documents: Mapping[str, Any],
    empty: Mapping[str, str],
    needed: Iterable[str],
    allow_missing: bool,
) -> Coverage:
    """How many of the needed documents have a text.

    Raises:
        DataError: a needed document has neither title nor abstract.
        CoverageError: a needed document is not there. Neither with ``allow_missing``.
    """
    wanted = list(dict.fromkeys(needed))
    missing = tuple(key for key in wanted if key not in documents)
    textless = [key for key in missing if key in empty]
    if textless and not allow_missing:
        raise DataError(
            f"{len(textless)} documents have no text, the first is {textless[0]}",
            where=empty[textless[0]],
            fix="Add the texts, or pass --allow-missing to score without them",
        )
    if missing and not allow_missing:
        raise CoverageError(
            f"{len(missing)} of {len(wanted)} documents are missing, such as "
            f"{', '.join(missing[:SHOWN])}",
            where=f"task {task}",
            fix="Complete the documents, or pass --allow-missing to score without them",
        )
    if len(missing) == len(wanted):
        raise CoverageError(
            "no id of the labels matches a document",
            where=f"task {task}",
            fix="Check that documents and labels belong together",
        )
    return Coverage(
        len(wanted), len(wanted) - len(missing), missing=missing[:SHOWN], textless=len(textless)
    )
