"""MDCR: citation recommendation within pools, field by field (protocol section 7)."""

from __future__ import annotations

from scirepeval_harness.data.records import CitationPools
from scirepeval_harness.errors import DataError
from scirepeval_harness.evaluators.base import Outcome, PairScorer, Score
from scirepeval_harness.evaluators.items import mean_over_queries, query_items
from scirepeval_harness.evaluators.ranking import pool_notes
from scirepeval_harness.ranking.pools import make_run, settings_of
from scirepeval_harness.ranking.trec import Measured, measure
from scirepeval_harness.specs.task import TaskSpec

DECIMALS = 4
"""The benchmark's own script rounds a field's mean, x 100, to four decimals."""


def evaluate_citation_pools(task: TaskSpec, data: CitationPools, scorer: PairScorer) -> Outcome:
    """For each metric the unweighted mean of the fields, and one score a field.

    A field's score is the mean over its queries, x 100, rounded to four decimals; the benchmark's
    number is the mean of those. Items keep full precision.

    Raises:
        DataError: no fields, a field without queries, a query without candidates.
        CoverageError: a query or candidate that cannot be scored.
        ModelError: a score that is not finite.
    """
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
        measured[field] = measure(qrels, make_run(scorer, qrels), task.metrics)
    scores = {metric: _field_scores(metric, measured) for metric in task.metrics}
    means = [
        Score(metric, sum(score.value for score in fields) / len(fields))
        for metric, fields in scores.items()
    ]
    return Outcome(
        scores=(*means, *(score for fields in scores.values() for score in fields)),
        kind="queries",
        items=query_items(
            [(field, "", values) for field, values in measured.items()], task.metrics
        ),
        notes={
            "scorer": settings_of(scorer),
            "fields": {field: pool_notes(qrels) for field, qrels in data.fields.items()},
        },
    )


def _field_scores(metric: str, measured: dict[str, Measured]) -> list[Score]:
    return [
        Score(metric, round(mean_over_queries(values, metric), DECIMALS), field=field)
        for field, values in measured.items()
    ]
