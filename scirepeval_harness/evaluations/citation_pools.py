"""MDCR: citation recommendation within pools, field by field (protocol section 7)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from scirepeval_harness.errors import CoverageError, DataError
from scirepeval_harness.evaluations import base, ranking
from scirepeval_harness.evaluations.base import Outcome, PairScorer, Score, not_resampled
from scirepeval_harness.evaluations.metrics import check_metrics, why_not_resampled
from scirepeval_harness.evaluations.ranking import pool_notes
from scirepeval_harness.roles import Format, Role
from scirepeval_harness.schema import shown
from scirepeval_harness.task.audit import Finding, Share
from scirepeval_harness.task.dataset import Coverage, Document, Qrels
from scirepeval_harness.task.draw import drawn_qrels, leading
from scirepeval_harness.task.tables import (
    Table,
    as_id,
    check_coverage,
    read_flat,
    read_json_object,
)

if TYPE_CHECKING:
    from scirepeval_harness.evaluations.trec import Measured
    from scirepeval_harness.model.base import Ranker
    from scirepeval_harness.task.load import DataOptions
    from scirepeval_harness.task.sources import Source
    from scirepeval_harness.task.spec import TaskSpec


@dataclass(frozen=True)
class CitationPools:
    """MDCR: one set of qrels a field of study over common documents.

    ``lost`` are candidates without a document, as in :class:`~.ranking.RankingSet`.
    """

    documents: Mapping[str, Document]
    fields: Mapping[str, Qrels]
    lost: frozenset[str] = frozenset()


class PoolEvaluation(base.Evaluation[CitationPools]):
    """Candidates ranked within the pools of each field of study."""

    name = "citation_pools"
    formats = (Format.PROXIMITY,)
    takes_rankers = True
    takes_fields = True
    takes_draw = True

    def check(self, task: TaskSpec) -> None:
        super().check(task)
        check_metrics(task, "ranking")

    def roles(self, task: TaskSpec) -> tuple[tuple[str, Role], ...]:
        return ranking.two_sides(task)

    def read(
        self, task: TaskSpec, source: Source, options: DataOptions
    ) -> tuple[CitationPools, Coverage]:
        files = source.files()
        return read_pools(
            task,
            files.documents(),
            files.path("pools"),
            limit=options.limit,
            allow_missing=options.allow_missing,
        )

    def documents(self, data: CitationPools) -> Mapping[str, Document]:
        return data.documents

    def pools(self, data: CitationPools) -> base.RankedPools:
        return base.RankedPools(data.fields, data.documents, data.lost)

    def part(self, data: CitationPools, share: float) -> CitationPools:
        kept = {name: leading(qrels, share) for name, qrels in data.fields.items()}
        fields = {
            name: {query: grades for query, grades in qrels.items() if query in kept[name]}
            for name, qrels in data.fields.items()
        }
        needed = {key for own in fields.values() for query in own for key in (query, *own[query])}
        documents = {key: found for key, found in data.documents.items() if key in needed}
        return CitationPools(documents, fields, data.lost & needed)

    def score(
        self,
        task: TaskSpec,
        data: CitationPools,
        vectors: base.VectorTable,
        options: base.ScoreOptions,
    ) -> Outcome:
        from scirepeval_harness.evaluations.scorers import euclidean_scorer

        return evaluate_citation_pools(task, data, euclidean_scorer(vectors, width=options.width))

    def score_pairs(self, task: TaskSpec, data: CitationPools, ranker: Ranker) -> Outcome:
        from scirepeval_harness.evaluations.scorers import ranker_scorer

        ranker.prepare(list(data.documents.values()))
        scorer = ranker_scorer(ranker, data.documents, data.documents)
        return evaluate_citation_pools(task, data, scorer)

    def fingerprint(self, data: CitationPools) -> Iterator[tuple[object, ...]]:
        yield from base.document_rows(data.documents)
        for name in sorted(data.fields):
            yield (name,)
            yield from base.qrels_rows(data.fields[name])

    def audit(self, data: CitationPools) -> tuple[Iterable[Finding], Iterable[Share]]:
        there = {name: ranking.without(own, data.lost) for name, own in data.fields.items()}
        merged = {
            f"{field}: {query}": grades
            for field, qrels in there.items()
            for query, grades in qrels.items()
        }
        return ranking.odd_queries(merged, data.documents), ranking.grade_shares(there)


EVALUATION = PoolEvaluation()


def evaluate_citation_pools(task: TaskSpec, data: CitationPools, scorer: PairScorer) -> Outcome:
    """For each metric the unweighted mean of the fields, and one score a field.

    A field's score is the mean over its queries, x 100, rounded to four decimals; the benchmark's
    number is the mean of those. Items keep full precision.

    Raises:
        DataError: no fields, a field without queries, a query without candidates.
        CoverageError: a query or candidate that cannot be scored.
        ModelError: a score that is not finite.
    """
    from scirepeval_harness.evaluations import trec
    from scirepeval_harness.evaluations.items import mean_over_queries, query_items
    from scirepeval_harness.evaluations.scorers import make_run, settings_of

    if not data.fields:
        raise DataError(
            "the pools hold no fields", where=f"task {task.name}", fix="Check the file of pools"
        )
    measured: dict[str, Measured] = {}
    for field, qrels in data.fields.items():
        if not qrels:
            raise DataError(
                "the field has no queries",
                where=f"task {task.name}, field {field}",
                fix="Remove the field from the file of pools, or add its queries",
            )
        run = make_run(scorer, qrels, data.lost)
        measured[field] = trec.measure(qrels, run, task.metrics, lost=data.lost)
    scores = {
        metric: [
            # Before the mean of the fields is taken, as the benchmark's own script rounds.
            Score(metric, round(mean_over_queries(values, metric), 4), field=field)
            for field, values in measured.items()
        ]
        for metric in task.metrics
    }
    means = [
        Score(metric, sum(score.value for score in fields) / len(fields))
        for metric, fields in scores.items()
    ]
    everything = (*means, *(score for fields in scores.values() for score in fields))
    return Outcome(
        scores=everything,
        kind="queries",
        items=query_items(
            [(field, "", values) for field, values in measured.items()], task.metrics
        ),
        notes={
            "scorer": settings_of(scorer),
            "fields": {field: pool_notes(qrels) for field, qrels in data.fields.items()},
            **not_resampled(everything, why_not_resampled),
        },
    )


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
    fields = {name: _field(raw[name], f"{pools}, field {name}") for name in raw}
    _check_lists(raw, str(pools))
    absent = [name for name in task.expected_fields if name not in fields]
    if absent and not allow_missing:
        raise CoverageError(
            f"{len(absent)} of {len(task.expected_fields)} fields are missing: {', '.join(absent)}",
            where=str(pools),
            fix="Complete the file, or write a task file of your own without expected_fields",
        )
    if task.expected_fields:
        fields = {name: fields[name] for name in task.expected_fields if name in fields}
    if task.draw is not None:
        fields = {name: drawn_qrels(task.draw, own, len(fields)) for name, own in fields.items()}
    fields = {name: dict(list(own.items())[:limit]) for name, own in fields.items()}
    needed = [
        key
        for qrels in fields.values()
        for query, grades in qrels.items()
        for key in (query, *grades)
    ]
    found = read_flat(documents, task.fields, frozenset(needed))
    coverage = check_coverage(task.name, found.documents, found.empty, needed, allow_missing)
    kept = {
        name: {query: grades for query, grades in qrels.items() if query in found.documents}
        for name, qrels in fields.items()
    }
    kept = {name: qrels for name, qrels in kept.items() if qrels}
    coverage = replace(
        coverage,
        queries_needed=sum(len(qrels) for qrels in fields.values()),
        queries_found=sum(len(qrels) for qrels in kept.values()),
    )
    lost = frozenset(needed) - found.documents.keys()
    return CitationPools(found.documents, kept, lost), coverage


def _field(queries: object, where: str) -> dict[str, dict[str, int]]:
    if not isinstance(queries, Mapping) or not queries:
        raise DataError("no queries", where=where, fix="See docs/protocol.md for the form")
    qrels: dict[str, dict[str, int]] = {}
    for query, lists in queries.items():
        if not isinstance(lists, Mapping) or RELEVANT not in lists:
            raise DataError(
                f"query {query} has no list 'true'", where=where, fix="See docs/protocol.md"
            )
        grades: dict[str, int] = {}
        # Relevant last, since it wins over whatever other list names the same paper.
        for name, keys in sorted(lists.items(), key=lambda named: named[0] == RELEVANT):
            called = f"the list {name} of query {query}"
            if not isinstance(keys, list):
                raise DataError(
                    f"{called} is {shown(keys)}", where=where, fix="Give a list of paper ids"
                )
            for key in keys:
                grades[as_id(key, f"an entry of {called}", where)] = int(name == RELEVANT)
        if not grades:
            raise DataError(f"query {query} has no candidates", where=where, fix="Remove it")
        qrels[as_id(query, "a query", where)] = grades
    return qrels


def _check_lists(fields: Mapping[str, Mapping[str, Mapping[str, object]]], where: str) -> None:
    """That every query has the same lists: without one of its candidates a score rises."""
    names = dict.fromkeys(name for own in fields.values() for q in own.values() for name in q)
    for field, queries in fields.items():
        for query, lists in queries.items():
            if absent := [name for name in names if name not in lists]:
                raise DataError(
                    f"query {query} has no list {absent[0]!r}, which others have",
                    where=f"{where}, field {field}",
                    fix="Complete it; a list may be empty",
                )
