"""Paper-reviewer matching, scored against hard and soft labels (protocol section 5)."""

from __future__ import annotations

from scirepeval_harness.data.records import Qrels, ReviewerSet
from scirepeval_harness.errors import DataError
from scirepeval_harness.evaluators.base import Outcome, Score, VectorTable
from scirepeval_harness.evaluators.items import mean_over_queries, query_items
from scirepeval_harness.evaluators.ranking import pool_notes
from scirepeval_harness.ranking.reviewers import TOP, reviewer_run
from scirepeval_harness.ranking.trec import measure
from scirepeval_harness.specs.task import TaskSpec


def evaluate_reviewer_matching(task: TaskSpec, data: ReviewerSet, vectors: VectorTable) -> Outcome:
    """Scores ``hard_M`` and ``soft_M`` for each of the task's metrics M, x 100.

    One run is made, for the papers and reviewers of the hard labels, and measured against both
    label sets. Where the two do not name the same pairs the protocol has no ranking for the rest: a
    paper of the soft labels alone is left out of the soft mean, a reviewer of the soft labels alone
    is not ranked, and one of the hard labels alone counts as not relevant. The notes count all
    three, so that a difference is never silent.

    Raises:
        DataError: empty labels, hard and soft labels without a common paper, or a reviewer without
            papers.
        CoverageError: a paper without a vector.
    """
    soft: Qrels = {query: labels for query, labels in data.soft.items() if query in data.hard}
    if not data.hard or not soft:
        raise DataError(
            "the hard and soft labels have no paper in common",
            where=f"task {task.name}",
            fix="Check that both label files are of the same data set",
        )
    run = reviewer_run(data.hard, data.reviewers, vectors)
    hard_measured = measure(data.hard, run, task.metrics)
    soft_measured = measure(soft, run, task.metrics, same_candidates=False)
    parts = (("hard_", hard_measured), ("soft_", soft_measured))
    return Outcome(
        scores=tuple(
            Score(prefix + metric, mean_over_queries(measured, metric))
            for prefix, measured in parts
            for metric in task.metrics
        ),
        kind="queries",
        items=query_items([("", prefix, measured) for prefix, measured in parts], task.metrics),
        notes={
            "scorer": {"score": f"mean of the {TOP} highest cosine similarities"},
            "hard": pool_notes(data.hard),
            "soft": pool_notes(soft),
            **_differences(data),
        },
    )


def _differences(data: ReviewerSet) -> dict[str, object]:
    hard = {(query, name) for query, labels in data.hard.items() for name in labels}
    soft = {(query, name) for query, labels in data.soft.items() for name in labels}
    return {
        "soft_papers_not_ranked": len(data.soft.keys() - data.hard.keys()),
        "soft_pairs_not_ranked": len(soft - hard),
        "hard_pairs_without_soft_label": len(hard - soft),
    }
