"""Proximity and ad-hoc search: candidates ranked for each query (protocol section 4)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Container, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from statistics import median
from typing import TYPE_CHECKING, Any

from scirepeval_harness.errors import CoverageError, DataError
from scirepeval_harness.evaluations import base
from scirepeval_harness.evaluations.base import Outcome, PairScorer, Score, ScoreOptions
from scirepeval_harness.evaluations.metrics import check_metrics, why_not_resampled
from scirepeval_harness.roles import Format, Role
from scirepeval_harness.schema import shown
from scirepeval_harness.task import tables
from scirepeval_harness.task.audit import Finding, Share, finding, same_text
from scirepeval_harness.task.dataset import Coverage, Document, EncodeRequest, Qrels
from scirepeval_harness.task.draw import drawn_qrels, leading
from scirepeval_harness.task.tables import Collected, Row, Table, is_list, parts_of

if TYPE_CHECKING:
    from scirepeval_harness.model.base import Ranker
    from scirepeval_harness.task.load import DataOptions
    from scirepeval_harness.task.sources import Source
    from scirepeval_harness.task.spec import TaskSpec


@dataclass(frozen=True)
class RankingSet:
    """A ranking task. An id in both maps is encoded once, on the query side (docs/protocol.md).

    ``lost`` are candidates of the labels without a document, which only ``--allow-missing`` lets
    be: they are not ranked, and those that are relevant count as not retrieved.
    """

    queries: Mapping[str, Document]
    candidates: Mapping[str, Document]
    qrels: Qrels
    lost: frozenset[str] = frozenset()


class RankingEvaluation(base.Evaluation[RankingSet]):
    """Candidates ranked by the distance of their vectors from the query's, or by a ranker."""

    name = "ranking"
    formats = (Format.PROXIMITY, Format.ADHOC_SEARCH)
    takes_rankers = True
    takes_draw = True

    def check(self, task: TaskSpec) -> None:
        super().check(task)
        check_metrics(task, "ranking")

    def roles(self, task: TaskSpec) -> tuple[tuple[str, Role], ...]:
        return two_sides(task)

    def read(
        self, task: TaskSpec, source: Source, options: DataOptions
    ) -> tuple[RankingSet, Coverage]:
        return read_ranking(
            task,
            source.documents(),
            source.qrels("test"),
            limit=options.limit,
            allow_missing=options.allow_missing,
        )

    def documents(self, data: RankingSet) -> Mapping[str, Document]:
        return {**data.candidates, **data.queries}

    def pools(self, data: RankingSet) -> base.RankedPools:
        return base.RankedPools({"": data.qrels}, data.candidates, data.lost)

    def part(self, data: RankingSet, share: float) -> RankingSet:
        kept = leading(data.qrels, share)
        qrels = {query: grades for query, grades in data.qrels.items() if query in kept}
        pool = {key for grades in qrels.values() for key in grades}
        return RankingSet(
            {key: document for key, document in data.queries.items() if key in kept},
            {key: document for key, document in data.candidates.items() if key in pool},
            qrels,
            data.lost & pool,
        )

    def requests(self, task: TaskSpec, data: RankingSet) -> tuple[EncodeRequest, ...]:
        only_candidates = (d for key, d in data.candidates.items() if key not in data.queries)
        return (
            EncodeRequest(task.format.query_role(), tuple(data.queries.values())),
            EncodeRequest(task.format.document_role(), tuple(only_candidates)),
        )

    def score(
        self,
        task: TaskSpec,
        data: RankingSet,
        vectors: base.VectorTable,
        options: ScoreOptions,
    ) -> Outcome:
        from scirepeval_harness.evaluations.scorers import euclidean_scorer

        return evaluate_ranking(task, data, euclidean_scorer(vectors, width=options.width))

    def score_pairs(self, task: TaskSpec, data: RankingSet, ranker: Ranker) -> Outcome:
        from scirepeval_harness.evaluations.scorers import ranker_scorer

        # Term statistics are the candidates' alone, as in a search engine.
        ranker.prepare(list(data.candidates.values()))
        return evaluate_ranking(task, data, ranker_scorer(ranker, data.queries, data.candidates))

    def fingerprint(self, data: RankingSet) -> Iterator[tuple[object, ...]]:
        yield from base.document_rows(data.queries)
        yield from base.document_rows(data.candidates)
        yield from base.qrels_rows(data.qrels)

    def audit(self, data: RankingSet) -> tuple[Iterable[Finding], Iterable[Share]]:
        there = without(data.qrels, data.lost)
        return odd_queries(there, self.documents(data)), grade_shares({"all": there})


EVALUATION = RankingEvaluation()


def two_sides(task: TaskSpec) -> tuple[tuple[str, Role], ...]:
    """The roles of tasks that rank candidates."""
    return (("queries", task.format.query_role()), ("candidates", task.format.document_role()))


def evaluate_ranking(task: TaskSpec, data: RankingSet, scorer: PairScorer) -> Outcome:
    """Mean of each of the task's metrics over all queries of the labels, x 100.

    Raises:
        DataError: no queries, or a query without candidates.
        CoverageError: a query or candidate that cannot be scored.
        ModelError: a score that is not finite.
    """
    from scirepeval_harness.evaluations import trec
    from scirepeval_harness.evaluations.items import mean_over_queries, query_items
    from scirepeval_harness.evaluations.scorers import make_run, settings_of

    if not data.qrels:
        raise DataError(
            "the labels hold no queries", where=f"task {task.name}", fix="Check the label file"
        )
    run = make_run(scorer, data.qrels, data.lost)
    measured = trec.measure(data.qrels, run, task.metrics, lost=data.lost)
    scores = tuple(Score(metric, mean_over_queries(measured, metric)) for metric in task.metrics)
    return Outcome(
        scores=scores,
        kind="queries",
        items=query_items([("", "", measured)], task.metrics),
        notes={
            "scorer": settings_of(scorer),
            **pool_notes(data.qrels),
            **base.not_resampled(scores, why_not_resampled),
        },
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
        DataError: malformed rows, a query without candidates, documents that are all without text.
        CoverageError: a query or candidate of the labels that has no document.
    """
    qrels = read_drawn(task, labels, limit)
    wanted_queries = frozenset(qrels)
    wanted_candidates = frozenset(key for grades in qrels.values() for key in grades)
    queries, candidates = Collected(), Collected()
    for number, row in documents.rows():
        where = documents.where(number)
        key = documents.id(number, row, "doc_id", "paper_id")
        if "query" in row or "candidates" in row:
            query = documents.value(number, row, "query")
            if isinstance(query, Mapping) and query.get("doc_id") is not None:
                # As in the reference: a query that is a paper goes by its own id.
                key = documents.id(number, query, "doc_id")
            if key in wanted_queries:
                queries.add(key, _query_parts(task, query, where), where)
            _add_candidates(task, documents, number, row, candidates, wanted_candidates)
            continue
        if key in wanted_queries:
            queries.add(key, parts_of(row, task.query_fields, where), where)
        if key in wanted_candidates:
            candidates.add(key, parts_of(row, task.fields, where), where)
    needed = sorted(wanted_queries | wanted_candidates)
    found = {**candidates.documents, **queries.documents}
    empty = {key: at for key, at in candidates.empty.items() if key not in queries.documents}
    coverage = tables.check_coverage(task.name, found, empty | queries.empty, needed, allow_missing)
    kept = {query: grades for query, grades in qrels.items() if query in queries.documents}
    coverage = with_queries(coverage, qrels, kept)
    absent = [key for key in qrels if key not in queries.documents]
    if absent and not allow_missing:
        raise CoverageError(
            f"{len(absent)} of {len(qrels)} queries are missing, such as "
            f"{', '.join(absent[: tables.SHOWN])}",
            where=f"task {task.name}",
            fix="Complete the queries, or pass --allow-missing to score without them",
        )
    # A candidate that is met only as a query is still a candidate, with the query's text.
    pool = {
        key: candidates.documents.get(key) or queries.documents[key]
        for grades in kept.values()
        for key in grades
        if key in found
    }
    lost = frozenset(wanted_candidates - found.keys())
    return RankingSet({key: queries.documents[key] for key in kept}, pool, kept, lost), coverage


def _query_parts(task: TaskSpec, query: object, where: str) -> tuple[str, ...]:
    if isinstance(query, str):
        return parts_of({"query": query}, ("query",), where)
    if isinstance(query, Mapping):
        return parts_of(query, task.query_fields, where)
    raise DataError("query is neither text nor a document", where=where, fix="Repair the row")


def _add_candidates(
    task: TaskSpec, table: Table, number: int, row: Row, into: Collected, wanted: frozenset[str]
) -> None:
    listed = table.value(number, row, "candidates")
    if not is_list(listed):
        raise DataError("candidates is no list", where=table.where(number), fix="Repair the row")
    listed = list(listed)
    if not listed:
        raise DataError("an empty list of candidates", where=table.where(number), fix="Remove it")
    where = table.where(number)
    for candidate in listed:
        if not isinstance(candidate, Mapping):
            raise DataError(
                "a candidate is no document", where=table.where(number), fix="Repair the row"
            )
        key = table.id(number, candidate, "doc_id")
        if key in wanted:
            into.add(key, parts_of(candidate, task.fields, where), where)


def with_queries(coverage: Coverage, wanted: Qrels, kept: Qrels) -> Coverage:
    return replace(coverage, queries_needed=len(wanted), queries_found=len(kept))


def read_qrels(table: Table, limit: int | None = None) -> dict[str, dict[str, int]]:
    """Grades by query and candidate, in the table's order; of a repeated pair the first row counts.

    Args:
        limit: keep only the first so many queries.

    Raises:
        DataError: a grade that is not a whole number, or no rows at all.
    """
    qrels: dict[str, dict[str, int]] = {}
    for number, row in table.rows():
        query = table.id(number, row, "query_id")
        # Known queries go on: their candidates need not stand together in the table.
        if query not in qrels and limit is not None and len(qrels) >= limit:
            continue
        grade = _grade(table.value(number, row, "score"), table.where(number))
        qrels.setdefault(query, {}).setdefault(table.id(number, row, "cand_id"), grade)
    if not qrels:
        raise DataError("no relevance labels", where=table.name, fix="The file is empty")
    return qrels


def read_drawn(task: TaskSpec, labels: Table, limit: int | None) -> dict[str, dict[str, int]]:
    """The labels that the task's draw keeps, then at most ``limit`` queries of them."""
    if task.draw is None:
        return read_qrels(labels, limit)
    return dict(list(drawn_qrels(task.draw, read_qrels(labels)).items())[:limit])


def without(qrels: Qrels, lost: Container[str]) -> Qrels:
    """The labels without the candidates that were lost."""
    return {
        query: {key: grade for key, grade in grades.items() if key not in lost}
        for query, grades in qrels.items()
    }


def _grade(value: Any, where: str) -> int:
    number = tables.as_number(value)
    if number is None or not number.is_integer():
        raise DataError(f"score is {shown(value)}", where=where, fix="Give a whole number")
    return int(number)


def odd_queries(qrels: Qrels, documents: Mapping[str, Document]) -> Iterator[Finding]:
    """Queries of which a score says little; a name may have its field of study in front."""
    total = len(qrels)
    plain = {query: query.split(": ", 1)[-1] for query in qrels}
    relevant = {query: [grade > 0 for grade in own.values()] for query, own in qrels.items()}
    useless = [query for query, found in relevant.items() if not any(found)]
    yield finding("queries without a relevant candidate", useless, total)
    alike = [query for query, found in relevant.items() if len(found) > 1 and all(found)]
    yield finding("queries with relevant candidates alone", alike, total)
    single = [query for query, grades in qrels.items() if len(grades) == 1]
    yield finding("queries with one candidate", single, total)
    itself = [query for query, grades in qrels.items() if plain[query] in grades]
    yield finding("queries that are their own candidate", itself, total)
    keys = {key: same_text(document) for key, document in documents.items()}
    copies = [
        query
        for query, grades in qrels.items()
        if any(keys[key] == keys[plain[query]] for key in grades if key != plain[query])
    ]
    yield finding("queries with a copy of their text among the candidates", copies, total)


def grade_shares(sets: Mapping[str, Qrels]) -> Iterator[Share]:
    """How often each grade occurs in each set of labels, and how large the pools are."""
    counts = {
        name: Counter(grade for grades in qrels.values() for grade in grades.values())
        for name, qrels in sets.items()
    }
    for grade in sorted({grade for counter in counts.values() for grade in counter}):
        yield Share(f"grade {grade}", {name: counter[grade] for name, counter in counts.items()})
    yield Share("queries", {name: len(qrels) for name, qrels in sets.items()})
    yield Share(
        "candidates a query (median)",
        {
            name: float(median(len(g) for g in qrels.values())) if qrels else 0.0
            for name, qrels in sets.items()
        },
    )
