"""MDCR: for each field of study, queries with seven candidate lists, and the documents."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from scirepeval_harness.data.documents import check_coverage, read_flat
from scirepeval_harness.data.qrels import restrict
from scirepeval_harness.data.records import CitationPools, Coverage
from scirepeval_harness.data.rows import Table, read_json_object
from scirepeval_harness.errors import CoverageError, DataError
from scirepeval_harness.specs.task import TaskSpec

RELEVANT = "true"


def read_pools(
    task: TaskSpec, documents: Table, pools: Path, *, limit: int | None, allow_missing: bool
) -> tuple[CitationPools, Coverage]:
    """MDCR's two files. A candidate in the list ``true`` is relevant whatever other list names it.

    Raises:
        DataError: another form than {field: {query: {list: [ids]}}}.
        CoverageError: a field that the task expects, or a document, is missing.
    """
    raw = read_json_object(pools)
    if not raw:
        raise DataError("no fields of study", where=str(pools), fix="Check the file")
    fields = {name: _field(raw[name], f"{pools}, field {name}", limit) for name in raw}
    absent = [name for name in task.expected_fields if name not in fields]
    if absent and not allow_missing:
        raise CoverageError(
            f"{len(absent)} of {len(task.expected_fields)} fields are missing: {', '.join(absent)}",
            where=str(pools),
            fix="Complete the file, or write a task file of your own without expected_fields",
        )
    if task.expected_fields:
        fields = {name: fields[name] for name in task.expected_fields if name in fields}
    needed = [
        key
        for qrels in fields.values()
        for query, grades in qrels.items()
        for key in (query, *grades)
    ]
    found = read_flat(documents, task.fields, frozenset(needed))
    coverage = check_coverage(task.name, found.documents, found.empty, needed, allow_missing)
    kept = {
        name: restrict(qrels, found.documents, found.documents) for name, qrels in fields.items()
    }
    kept = {name: qrels for name, qrels in kept.items() if qrels}
    coverage = replace(
        coverage,
        queries_needed=sum(len(qrels) for qrels in fields.values()),
        queries_found=sum(len(qrels) for qrels in kept.values()),
    )
    return CitationPools(found.documents, kept), coverage


def _field(queries: object, where: str, limit: int | None) -> dict[str, dict[str, int]]:
    if not isinstance(queries, Mapping) or not queries:
        raise DataError("no queries", where=where, fix="See docs/protocol.md for the form")
    qrels: dict[str, dict[str, int]] = {}
    for query, lists in list(queries.items())[:limit]:
        if not isinstance(lists, Mapping) or RELEVANT not in lists:
            raise DataError(
                f"query {query} has no list 'true'", where=where, fix="See docs/protocol.md"
            )
        for name, keys in lists.items():
            if keys is not None and not (isinstance(keys, list) and all(map(_is_id, keys))):
                raise DataError(
                    f"the list {name} of query {query} is {str(keys)[:40]!r}",
                    where=where,
                    fix="Give a list of paper ids",
                )
        grades = {
            str(key): 0 for name, keys in lists.items() if name != RELEVANT for key in keys or ()
        }
        qrels[str(query)] = grades | {str(key): 1 for key in lists[RELEVANT] or ()}
        if not qrels[str(query)]:
            raise DataError(f"query {query} has no candidates", where=where, fix="Remove it")
    return qrels


def _is_id(value: object) -> bool:
    return isinstance(value, (str, int)) and not isinstance(value, bool) and value != ""
