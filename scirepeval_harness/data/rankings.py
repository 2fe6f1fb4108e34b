"""Ranking tasks: rows with a query and its candidates, or flat documents, and qrels."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from scirepeval_harness.data.documents import SHOWN, Collected, check_coverage, parts_of
from scirepeval_harness.data.qrels import read_qrels, restrict
from scirepeval_harness.data.records import Coverage, Qrels, RankingSet, ReviewerSet
from scirepeval_harness.data.rows import Row, Table, is_list
from scirepeval_harness.errors import CoverageError, DataError
from scirepeval_harness.specs.task import TaskSpec


def read_ranking(
    task: TaskSpec, documents: Table, labels: Table, *, limit: int | None, allow_missing: bool
) -> tuple[RankingSet, Coverage]:
    """A proximity or ad-hoc search task.

    Raises:
        DataError: malformed rows, a query without candidates, a document without text.
        CoverageError: a query or candidate of the labels that has no document.
    """
    qrels = read_qrels(labels, limit)
    wanted_queries = frozenset(qrels)
    wanted_candidates = frozenset(key for grades in qrels.values() for key in grades)
    queries, candidates = Collected(), Collected()
    for number, row in documents.rows():
        where = documents.where(number)
        key = documents.id(number, row, "doc_id", "paper_id")
        if "query" in row:
            if key in wanted_queries:
                queries.add(key, _query_parts(task, row, where), where)
            _add_candidates(task, documents, number, row, candidates, wanted_candidates)
            continue
        if key in wanted_queries:
            queries.add(key, parts_of(row, task.query_fields), where)
        if key in wanted_candidates:
            candidates.add(key, parts_of(row, task.fields), where)
    needed = [*wanted_queries, *wanted_candidates]
    found = {**candidates.documents, **queries.documents}
    coverage = check_coverage(
        task.name, found, {**candidates.empty, **queries.empty}, sorted(needed), allow_missing
    )
    kept = restrict(qrels, queries.documents, {**candidates.documents, **queries.documents})
    coverage = _with_queries(coverage, qrels, kept)
    absent = [key for key in qrels if key not in queries.documents]
    if absent and not allow_missing:
        raise CoverageError(
            f"{len(absent)} of {len(qrels)} queries are missing, such as "
            f"{', '.join(absent[:SHOWN])}",
            where=f"task {task.name}",
            fix="Complete the queries, or pass --allow-missing to score without them",
        )
    # A candidate that is met only as a query is still a candidate, with the query's text.
    pool = {
        key: candidates.documents.get(key) or queries.documents[key]
        for grades in kept.values()
        for key in grades
    }
    return RankingSet({key: queries.documents[key] for key in kept}, pool, kept), coverage


def read_reviewers(
    task: TaskSpec,
    documents: Table,
    reviewers: Table,
    hard: Table,
    soft: Table,
    *,
    limit: int | None,
    allow_missing: bool,
) -> tuple[ReviewerSet, Coverage]:
    """Paper-reviewer matching: papers, reviewers with their papers, hard and soft labels.

    Raises:
        DataError, CoverageError: as for rankings; a reviewer of the labels without papers.
    """
    hard_qrels, soft_qrels = read_qrels(hard, limit), read_qrels(soft)
    soft_qrels = {key: value for key, value in soft_qrels.items() if key in hard_qrels}
    names = {name for grades in hard_qrels.values() for name in grades}
    own: dict[str, tuple[str, ...]] = {}
    for number, row in reviewers.rows():
        name = reviewers.id(number, row, "r_id")
        papers = reviewers.ids(number, row, "papers")
        if name in names and name not in own:
            own[name] = tuple(dict.fromkeys(papers))
    unknown = sorted(names - own.keys())
    if unknown:
        raise DataError(
            f"{len(unknown)} reviewers of the labels are not listed, the first is {unknown[0]}",
            where=reviewers.name,
            fix="Complete the list of reviewers",
        )
    needed = [*hard_qrels, *(paper for papers in own.values() for paper in papers)]
    found = Collected()
    wanted = frozenset(needed)
    for number, row in documents.rows():
        key = documents.id(number, row, "doc_id", "paper_id")
        if key in wanted:
            found.add(key, parts_of(row, task.fields), documents.where(number))
    coverage = check_coverage(task.name, found.documents, found.empty, needed, allow_missing)
    kept = {key: grades for key, grades in hard_qrels.items() if key in found.documents}
    coverage = _with_queries(coverage, hard_qrels, kept)
    papers_of = {
        name: tuple(paper for paper in papers if paper in found.documents)
        for name, papers in own.items()
    }
    soft_kept = {key: grades for key, grades in soft_qrels.items() if key in kept}
    return ReviewerSet(found.documents, papers_of, kept, soft_kept), coverage


def _query_parts(task: TaskSpec, row: Row, where: str) -> tuple[str, ...]:
    query = row["query"]
    if isinstance(query, str):
        return (query,) if query.strip() else ()
    if isinstance(query, Mapping):
        return parts_of(query, task.query_fields)
    raise DataError("query is neither text nor a document", where=where, fix="Repair the row")


def _add_candidates(
    task: TaskSpec,
    table: Table,
    number: int,
    row: Row,
    into: Collected,
    wanted: frozenset[str],
) -> None:
    listed = table.value(number, row, "candidates")
    if not is_list(listed):
        raise DataError("candidates is no list", where=table.where(number), fix="Repair the row")
    listed = list(listed)
    if not listed:
        raise DataError("an empty list of candidates", where=table.where(number), fix="Remove it")
    for candidate in listed:
        if not isinstance(candidate, Mapping):
            raise DataError(
                "a candidate is no document", where=table.where(number), fix="Repair the row"
            )
        key = table.id(number, candidate, "doc_id")
        if key in wanted:
            into.add(key, parts_of(candidate, task.fields), table.where(number))


def _with_queries(coverage: Coverage, wanted: Qrels, kept: Qrels) -> Coverage:
    return replace(coverage, queries_needed=len(wanted), queries_found=len(kept))
