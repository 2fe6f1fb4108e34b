"""Relevance labels of rankings."""

from __future__ import annotations

from collections.abc import Container
from typing import Any

from scirepeval_harness.data.records import Qrels
from scirepeval_harness.data.rows import Table
from scirepeval_harness.errors import DataError


def read_qrels(table: Table, limit: int | None = None) -> dict[str, dict[str, int]]:
    """Grades by query and candidate, in the table's order; of a repeated pair the first row counts.

    Args:
        limit: keep only the first so many queries.

    Raises:
        DataError: a grade that is not a whole number of 0 or more, or no rows at all.
    """
    qrels: dict[str, dict[str, int]] = {}
    for number, row in table.rows():
        query = table.id(number, row, "query_id")
        if query not in qrels and limit is not None and len(qrels) >= limit:
            continue
        grade = _grade(table.value(number, row, "score"), table.where(number))
        qrels.setdefault(query, {}).setdefault(table.id(number, row, "cand_id"), grade)
    if not qrels:
        raise DataError("no relevance labels", where=table.name, fix="The file is empty")
    return qrels


def restrict(
    qrels: Qrels, queries: Container[str], candidates: Container[str]
) -> dict[str, dict[str, int]]:
    """The labels whose documents were found; only ``--allow-missing`` lets any be absent here."""
    kept = {
        query: {key: grade for key, grade in grades.items() if key in candidates}
        for query, grades in qrels.items()
        if query in queries
    }
    return {query: grades for query, grades in kept.items() if grades}


def _grade(value: Any, where: str) -> int:
    try:
        number = float(value)
    except (TypeError, ValueError):
        number = -1.0
    if isinstance(value, bool) or number < 0 or not number.is_integer():
        raise DataError(f"score is {value!r}", where=where, fix="Give a whole number from 0 up")
    return int(number)
