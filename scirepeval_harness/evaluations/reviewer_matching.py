"""Paper-reviewer matching, scored against hard and soft labels (protocol section 5)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from scirepeval_harness.errors import DataError
from scirepeval_harness.evaluations import base, ranking
from scirepeval_harness.evaluations.base import Outcome, Score, VectorTable
from scirepeval_harness.evaluations.metrics import check_metrics, why_not_resampled
from scirepeval_harness.roles import Format
from scirepeval_harness.task.audit import Finding, Share, finding
from scirepeval_harness.task.dataset import Coverage, Document, Qrels
from scirepeval_harness.task.draw import drawn_queries, first, leading
from scirepeval_harness.task.tables import Table, check_coverage, read_flat

if TYPE_CHECKING:
    from scirepeval_harness.task.load import DataOptions
    from scirepeval_harness.task.sources import Source
    from scirepeval_harness.task.spec import Readings, TaskSpec


@dataclass(frozen=True)
class ReviewerSet:
    """Paper-reviewer matching: papers of both sides, reviewers' papers, hard and soft qrels.

    A reviewer of the labels who is not among ``reviewers`` is not ranked, as in the reference.
    """

    papers: Mapping[str, Document]
    reviewers: Mapping[str, tuple[str, ...]]
    hard: Qrels
    soft: Qrels


class ReviewerMatching(base.Evaluation[ReviewerSet]):
    """Reviewers ranked for each paper by their own papers' similarity to it."""

    name = "reviewer_matching"
    formats = (Format.PROXIMITY,)
    takes_draw = True

    def check(self, task: TaskSpec) -> None:
        super().check(task)
        check_metrics(task, "ranking")

    def read(
        self, task: TaskSpec, source: Source, options: DataOptions
    ) -> tuple[ReviewerSet, Coverage]:
        return read_reviewers(
            task,
            source.documents(),
            source.reviewers(),
            source.qrels("test_hard"),
            source.qrels("test_soft"),
            limit=options.limit,
            allow_missing=options.allow_missing,
        )

    def documents(self, data: ReviewerSet) -> Mapping[str, Document]:
        return data.papers

    def pools(self, data: ReviewerSet) -> base.RankedPools:
        return base.RankedPools({"": data.hard})

    def part(self, data: ReviewerSet, share: float) -> ReviewerSet:
        kept = leading(data.hard, share)
        hard, soft = (
            {query: grades for query, grades in qrels.items() if query in kept}
            for qrels in (data.hard, data.soft)
        )
        names = {name for grades in hard.values() for name in grades}
        reviewers = {name: own for name, own in data.reviewers.items() if name in names}
        needed = {*hard, *(paper for own in reviewers.values() for paper in own)}
        papers = {key: document for key, document in data.papers.items() if key in needed}
        return ReviewerSet(papers, reviewers, hard, soft)

    def score(
        self, task: TaskSpec, data: ReviewerSet, vectors: VectorTable, options: base.ScoreOptions
    ) -> Outcome:
        return evaluate_reviewer_matching(task, data, vectors)

    def fingerprint(self, data: ReviewerSet) -> Iterator[tuple[object, ...]]:
        yield from base.document_rows(data.papers)
        yield (sorted(data.reviewers.items()),)
        yield from base.qrels_rows(data.hard)
        yield from base.qrels_rows(data.soft)

    def audit(self, data: ReviewerSet) -> tuple[Iterable[Finding], Iterable[Share]]:
        return _odd_reviewers(data), ranking.grade_shares({"hard": data.hard, "soft": data.soft})

    def bounds(self, metric: str) -> tuple[float, float]:
        return super().bounds(metric.removeprefix("hard_").removeprefix("soft_"))

    def numbers(
        self, task: TaskSpec, scores: Mapping[str, base.Number], readings: Readings
    ) -> dict[str, base.Number | None]:
        """One number, the mean over both kinds of labels and all metrics (docs/protocol.md)."""
        kinds = {"hard_only": ("hard",), "soft_only": ("soft",)}
        wanted = kinds.get(readings.reviewer_matching, ("hard", "soft"))
        keys = [f"{kind}_{metric}" for kind in wanted for metric in task.metrics]
        return {"mean": base.mean_or_none([scores.get(key) for key in keys])}


EVALUATION = ReviewerMatching()


def evaluate_reviewer_matching(task: TaskSpec, data: ReviewerSet, vectors: VectorTable) -> Outcome:
    """Scores ``hard_M`` and ``soft_M`` for each of the task's metrics M, x 100.

    One run is made, for the papers and reviewers of the hard labels, and measured against both
    label sets. Where the two do not name the same pairs the protocol has no ranking for the rest: a
    paper of the soft labels alone is left out of the soft mean, a reviewer of the soft labels alone
    is not ranked, and one of the hard labels alone counts as not relevant. The notes count all
    three, so that a difference is never silent.

    Raises:
        DataError: empty labels, hard and soft labels without a common paper, or no reviewer to
            rank.
        CoverageError: a paper without a vector.
    """
    from scirepeval_harness.evaluations import trec
    from scirepeval_harness.evaluations.items import mean_over_queries, query_items
    from scirepeval_harness.evaluations.scorers import TOP, Run, reviewer_run

    soft: Qrels = {query: labels for query, labels in data.soft.items() if query in data.hard}
    if not data.hard or not soft:
        raise DataError(
            "the hard and soft labels have no paper in common",
            where=f"task {task.name}",
            fix="Check that both label files are of the same data set",
        )
    lost = {name for labels in data.hard.values() for name in labels} - data.reviewers.keys()
    ranked = {query: own for query, own in ranking.without(data.hard, lost).items() if own}
    if not ranked:
        raise DataError(
            "no reviewer of the labels is listed with papers",
            where=f"task {task.name}",
            fix="Complete the list of reviewers",
        )
    unranked: Run = {query: {} for query in data.hard}
    run = unranked | reviewer_run(ranked, data.reviewers, vectors)
    hard_measured = trec.measure(data.hard, run, task.metrics, lost=lost)
    soft_measured = trec.measure(soft, run, task.metrics, same_candidates=False)
    parts = (("hard_", hard_measured), ("soft_", soft_measured))
    scores = tuple(
        Score(prefix + metric, mean_over_queries(measured, metric))
        for prefix, measured in parts
        for metric in task.metrics
    )
    return Outcome(
        scores=scores,
        kind="queries",
        items=query_items([("", prefix, measured) for prefix, measured in parts], task.metrics),
        notes={
            "scorer": {"score": f"mean of the {TOP} highest cosine similarities"},
            "hard": ranking.pool_notes(data.hard),
            "soft": ranking.pool_notes(soft),
            **_differences(data),
            **({"reviewers_not_ranked": len(lost)} if lost else {}),
            **base.not_resampled(scores, lambda name: why_not_resampled(name.split("_", 1)[1])),
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
        DataError, CoverageError: as for rankings; a reviewer without papers; soft labels of
            reviewers whom neither the hard labels nor the reviewers' list know.
    """
    hard_all, soft_all = ranking.read_qrels(hard), ranking.read_qrels(soft)
    listed: dict[str, tuple[str, ...]] = {}
    for number, row in reviewers.rows():
        # Of a reviewer with two rows the last counts, of a paper that stands twice both.
        name = reviewers.id(number, row, "r_id")
        listed[name] = reviewers.ids(number, row, "papers")
        if not listed[name]:
            where = reviewers.where(number)
            raise DataError(f"reviewer {name} has no papers", where=where, fix="Add them")
    if task.draw is not None:
        listed = {name: first(papers, task.draw.papers) for name, papers in listed.items()}
        needs = {
            query: [paper for name in grades for paper in listed.get(name, ())]
            for query, grades in hard_all.items()
        }
        drawn = drawn_queries(task.draw, needs, needs.__getitem__)
        hard_all = {query: grades for query, grades in hard_all.items() if query in drawn}
        soft_all = {query: grades for query, grades in soft_all.items() if query in drawn}
    hard_qrels = dict(list(hard_all.items())[:limit])
    soft_qrels = {key: value for key, value in soft_all.items() if key in hard_qrels}
    names = {name for grades in hard_qrels.values() for name in grades}
    unknown = sorted({name for own in soft_qrels.values() for name in own} - names - listed.keys())
    if unknown:
        raise DataError(
            f"{len(unknown)} reviewers are in the soft labels alone, the first is {unknown[0]}",
            where=soft.name,
            fix="Check that both label files are of the same data set",
        )
    own = {name: papers for name, papers in listed.items() if name in names}
    needed = [*hard_qrels, *(paper for papers in own.values() for paper in papers)]
    found = read_flat(documents, task.fields, frozenset(needed))
    coverage = check_coverage(task.name, found.documents, found.empty, needed, allow_missing)
    kept = {key: grades for key, grades in hard_qrels.items() if key in found.documents}
    coverage = ranking.with_queries(coverage, hard_qrels, kept)
    remarks = []
    if stray := len(soft_all.keys() - hard_all.keys()):
        remarks.append(f"{stray} papers of the soft labels have no hard ones, are not ranked")
    if len(own) < len(names):
        remarks.append(f"{len(names) - len(own)} of {len(names)} reviewers have no row, not ranked")
    coverage = replace(coverage, remarks=tuple(remarks))
    papers_of = {
        name: there
        for name, papers in own.items()
        if (there := tuple(paper for paper in papers if paper in found.documents))
    }
    soft_kept = {key: grades for key, grades in soft_qrels.items() if key in kept}
    return ReviewerSet(found.documents, papers_of, kept, soft_kept), coverage


def _odd_reviewers(data: ReviewerSet) -> Iterator[Finding]:
    from scirepeval_harness.evaluations.scorers import TOP

    for name, qrels in (("hard", data.hard), ("soft", data.soft)):
        useless = [q for q, grades in qrels.items() if not any(g > 0 for g in grades.values())]
        yield finding(f"papers without a relevant reviewer ({name})", useless, len(qrels))
    few = [name for name, papers in data.reviewers.items() if len(papers) < TOP]
    yield finding(f"reviewers with fewer than {TOP} papers", few, len(data.reviewers))
    own = [
        query
        for query, grades in data.hard.items()
        if any(query in data.reviewers.get(name, ()) for name in grades)
    ]
    yield finding("papers that are also a candidate reviewer's own", own, len(data.hard))
