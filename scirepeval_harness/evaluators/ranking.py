"""Proximity and ad-hoc search: candidates ranked for a query (protocol section 4)."""

from __future__ import annotations

from scirepeval_harness.data.records import Qrels, RankingSet
from scirepeval_harness.errors import DataError
from scirepeval_harness.evaluators.base import Outcome, PairScorer, Score
from scirepeval_harness.evaluators.items import mean_over_queries, query_items
from scirepeval_harness.ranking.pools import make_run, settings_of
from scirepeval_harness.ranking.trec import measure
from scirepeval_harness.specs.task import TaskSpec


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
