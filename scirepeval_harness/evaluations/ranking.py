"""Proximity and ad-hoc search: candidates ranked for a query (protocol section 4)."""

from __future__ import annotations

from collections.abc import Container, Mapping
from dataclasses import replace
from typing import Any

from scirepeval_harness.errors import CoverageError, DataError
from scirepeval_harness.evaluations.base import (
    Outcome,
    PairScorer,
    Score,
    mean_over_queries,
    query_items,
)
from scirepeval_harness.evaluations.scorers import make_run, settings_of
from scirepeval_harness.evaluations.trec import measure
from scirepeval_harness.tasks.dataset import Coverage, Qrels, RankingSet, ReviewerSet
from scirepeval_harness.tasks.spec import TaskSpec
from scirepeval_harness.tasks.tables import (
    SHOWN,
    Collected,
    Row,
    Table,
    check_coverage,
    is_list,
    parts_of,
)


def evaluate_ranking(task: TaskSpec, data: RankingSet, scorer: PairScorer) -> Outcome:
    """Mean of each of the task's metrics over all queries of the labels, x 100.

    Raises:
        DataError: no queries, or a query without candidates.
        CoverageError: a query or candidate that cannot be scored.
        ModelError: a score that is not finite.
    """
    if not data.qrels:
        raise DataError(
            "the labels hold no queries", where=f"task {task.name}", fix="Check the label file"
        )
    measured = measure(data.qrels, make_run(scorer, data.qrels), task.metrics)
    return Outcome(
        scores=tuple(Score(metric, mean_over_queries(measured, metric)) for metric in task.metrics),
        kind="queries",
        items=query_items([("", "", measured)], task.metrics),
        notes={"scorer": settings_of(scorer), **pool_notes(data.qrels)},
    )


def pool_notes(qrels: Qrels) -> dict[str, object]:
    """Counts that a reader of a ranking score needs."""
    return {
        "queries": len(qrels),
        "pairs": sum(len(grades) for grades in qrels.values()),
        "queries_without_relevant": sum(
            not any(grade > 0 for grade in grades.values()) for grades in qrels.values()
        ),
    }


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
