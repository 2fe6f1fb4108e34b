"""trec_eval's measures, computed by pytrec_eval: the only module that imports it.

Properties of ``pytrec_eval-terrier`` (0.5.11) that a reader of scores must know; each has a test:

- Scores are held in **single precision**. Two candidates whose scores round to the same float32 are
  tied, however they differ in float64 (at -1.0 that is a difference below 6e-8, at -10 below 5e-7).
- A tie goes to the document id that is later in byte order (``"9"`` before ``"10"``).
- A query without a relevant candidate scores 0 in every measure and stays in the mean.
- ``ndcg`` takes the grades as gains, discounts by log2(rank + 1), has no cut, and its ideal ranking
  is made from all labelled candidates. ``map``, ``P_k``, ``recall_k`` and ``recip_rank`` count a
  grade of 1 or more as relevant; ``P_k`` divides by k even when fewer candidates exist.

The harness hands over the raw scores, as the reference does, instead of ranks worked out in
float64: for scores that are well apart both give the same, and for scores that only float64 tells
apart the published numbers were made with the tie. Exact ties survive: equal vectors give equal
distances.
"""

from __future__ import annotations

import math
import re
from collections.abc import Container, Mapping, Sequence

import numpy as np
import pytrec_eval

from scirepeval_harness.errors import CoverageError, DataError, ProbeError, SpecError
from scirepeval_harness.evaluations.metrics import RANKING_METRIC
from scirepeval_harness.extensions import METRICS
from scirepeval_harness.task.dataset import Qrels

# trec_eval allocates a counter for every grade up to the highest: a wild one takes all memory.
MAX_GRADE = 1000

Measured = dict[str, dict[str, float]]
"""query id -> metric -> value in 0..1"""


def measure(
    qrels: Qrels,
    run: Mapping[str, Mapping[str, float]],
    metrics: Sequence[str],
    *,
    same_candidates: bool = True,
    lost: Container[str] = (),
) -> Measured:
    """Measure every query of ``qrels``, in the order of ``qrels``.

    Args:
        qrels: grades, 0 for not relevant.
        run: scores, higher is better. Queries that ``qrels`` lacks are left out.
        metrics: map, ndcg, ndcg_cut_k, recip_rank, recall_k, P_k, or functions of rankings that
            were added (:func:`~.metrics.metric`), which get the ranking that trec_eval sees.
        same_candidates: require that exactly the labelled candidates are scored. Otherwise an
            unlabelled candidate counts as not relevant and an unscored one as not retrieved.
        lost: labelled candidates that need no score: they count as not retrieved.

    Raises:
        CoverageError: a query or candidate of ``qrels`` has no score.
        DataError: a query without candidates, a candidate without a label, a grade that is no whole
            number, a score that is not finite, or an id that trec_eval cannot hold.
        SpecError: an unknown metric.
    """
    for metric in metrics:
        _check_metric(metric)
    grades = {query: _grades(query, labels) for query, labels in qrels.items()}
    scores: dict[str, dict[str, float]] = {}
    for query, labels in grades.items():
        if query not in run:
            raise CoverageError(
                "the query has labels but no scores",
                where=f"query {query}",
                fix="Score every query of the task",
            )
        if same_candidates:
            there = {item: grade for item, grade in labels.items() if item not in lost}
            _check_candidates(query, there, run[query])
        scores[query] = {
            candidate: _score(query, candidate, value) for candidate, value in run[query].items()
        }
    measures = {metric for metric in metrics if re.fullmatch(RANKING_METRIC, metric)}
    measured: Measured = {query: {} for query in grades}
    if measures:
        measured = pytrec_eval.RelevanceEvaluator(grades, measures).evaluate(scores)
    functions = {metric: METRICS.get(metric) for metric in metrics if metric not in measures}
    if functions:
        for query, labels in grades.items():
            ranked = np.array([labels.get(item, 0) for item in in_order(scores[query])])
            for name, function in functions.items():
                try:
                    measured[query][name] = function.value(ranked)
                except ProbeError as error:
                    raise ProbeError(error.what, where=f"query {query}", fix=error.fix) from error
    return {
        query: {metric: float(measured[query][metric]) for metric in metrics} for query in grades
    }


def in_order(scores: Mapping[str, float]) -> list[str]:
    """The candidates of one query, best first, in the order that trec_eval gives them."""
    by_id = sorted(scores, key=str.encode, reverse=True)
    return sorted(by_id, key=lambda item: np.float32(scores[item]), reverse=True)


def _check_metric(metric: str) -> None:
    own = metric in METRICS and METRICS.get(metric).of == "ranking"
    if not re.fullmatch(RANKING_METRIC, metric) and not own:
        raise SpecError(
            "the metric is not one of the ranking metrics",
            where=f"metric {metric!r}",
            fix="Use map, ndcg, ndcg_cut_K, recip_rank, recall_K or P_K with K of 1 or more",
        )


def _grades(query: str, labels: Mapping[str, int]) -> dict[str, int]:
    _check_id(query, f"query {query!r}")
    if not labels:
        raise DataError(
            "the query has no candidates",
            where=f"query {query}",
            fix="Remove it from the labels, or add the rows that are missing",
        )
    grades = {}
    for candidate, grade in labels.items():
        _check_id(candidate, f"query {query}, candidate {candidate!r}")
        if int(grade) != grade or abs(grade) > MAX_GRADE:
            raise DataError(
                f"the grade {grade!r} is not a whole number of at most {MAX_GRADE}",
                where=f"query {query}, candidate {candidate}",
                fix="Grades are small whole numbers, 0 or less for not relevant",
            )
        # Below 0 means the same to the measures, but with nothing else in a query trec_eval reads
        # in front of an array and may never return.
        grades[candidate] = max(0, int(grade))
    return grades


def _check_candidates(query: str, labels: Mapping[str, int], scored: Mapping[str, float]) -> None:
    if labels.keys() == scored.keys():
        return
    missing = [candidate for candidate in labels if candidate not in scored]
    if missing:
        raise CoverageError(
            f"{len(missing)} of {len(labels)} candidates have no score, the first is {missing[0]}",
            where=f"query {query}",
            fix="Score every candidate of the task",
        )
    extra = [candidate for candidate in scored if candidate not in labels]
    raise DataError(
        f"{len(extra)} scored candidates have no label, the first is {extra[0]}",
        where=f"query {query}",
        fix="Only the candidates in the labels are ranked",
    )


def _score(query: str, candidate: str, value: float) -> float:
    number = float(value)
    if not math.isfinite(number):
        raise DataError(
            f"the score {number} is not a finite number",
            where=f"query {query}, candidate {candidate}",
            fix="Check the vectors of both for NaN, infinity and overflow",
        )
    return number


def _check_id(text: str, where: str) -> None:
    """Ids become C strings: a NUL would cut one short, a lone surrogate would crash the process."""
    lone = not text.isascii() and any("\ud800" <= char <= "\udfff" for char in text)
    if lone or "\0" in text:
        raise DataError(
            "the id holds a NUL or half of a surrogate pair", where=where, fix="Rename the id"
        )
