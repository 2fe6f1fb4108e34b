"""Plain, slow versions of everything between vectors and ranking scores: loops over Python numbers.

Nothing here comes from the harness or from a numeric library; the only care taken is trec_eval's
single-precision scores (``struct`` rounds them) and its tie rule.
"""

from __future__ import annotations

import math
import struct


def half(value):
    """A number as float16 would hold it."""
    return struct.unpack("e", struct.pack("e", value))[0]


def single(value):
    return struct.unpack("f", struct.pack("f", value))[0]


def distance(left, right):
    total = 0.0
    for a, b in zip(left, right, strict=True):
        total = total + (float(a) - float(b)) ** 2
    return math.sqrt(total)


def cosine(left, right):
    dot = sum(float(a) * float(b) for a, b in zip(left, right, strict=True))
    norms = math.sqrt(sum(float(a) ** 2 for a in left)) * math.sqrt(
        sum(float(b) ** 2 for b in right)
    )
    return dot / norms if norms > 0 else 0.0


def ranked(scores):
    """Candidate ids, best first; of equal scores the id that is later in byte order first."""
    order = []
    left = dict(scores)
    while left:
        best = None
        for item in left:
            if best is None or (single(left[item]), item.encode()) > (
                single(left[best]),
                best.encode(),
            ):
                best = item
        order.append(best)
        del left[best]
    return order


def average_precision(order, grades):
    relevant = 0
    for item in grades:
        if grades[item] >= 1:
            relevant = relevant + 1
    if relevant == 0:
        return 0.0
    found = 0
    total = 0.0
    for rank in range(1, len(order) + 1):
        if grades.get(order[rank - 1], 0) >= 1:
            found = found + 1
            total = total + found / rank
    return total / relevant


def gain_sum(gains, cut=None):
    total = 0.0
    for rank in range(1, len(gains) + 1):
        if cut is not None and rank > cut:
            break
        total = total + gains[rank - 1] / math.log2(rank + 1)
    return total


def ndcg(order, grades, cut=None):
    gains = [max(0, grades.get(item, 0)) for item in order]
    ideal = sorted((max(0, grade) for grade in grades.values()), reverse=True)
    best = gain_sum(ideal, cut)
    return gain_sum(gains, cut) / best if best > 0 else 0.0


def precision(order, grades, cut):
    found = 0
    for item in order[:cut]:
        if grades.get(item, 0) >= 1:
            found = found + 1
    return found / cut


def recall(order, grades, cut):
    relevant = len([item for item in grades if grades[item] >= 1])
    if relevant == 0:
        return 0.0
    return precision(order, grades, cut) * cut / relevant


def reciprocal_rank(order, grades):
    for rank in range(1, len(order) + 1):
        if grades.get(order[rank - 1], 0) >= 1:
            return 1 / rank
    return 0.0


def value(metric, scores, grades):
    order = ranked(scores)
    if metric == "map":
        return average_precision(order, grades)
    if metric == "ndcg":
        return ndcg(order, grades)
    if metric == "recip_rank":
        return reciprocal_rank(order, grades)
    name, cut = metric.rsplit("_", 1)
    function = {"ndcg_cut": ndcg, "recall": recall, "P": precision}[name]
    return function(order, grades, int(cut))


def mean(values):
    return sum(values) / len(values)


def ranking_score(metric, vectors, qrels, rounding=float):
    """Mean over queries, x 100, of candidates ranked by minus the Euclidean distance."""
    values = []
    for query in qrels:
        left = [rounding(number) for number in vectors[query]]
        scores = {}
        for item in qrels[query]:
            scores[item] = -distance(left, [rounding(number) for number in vectors[item]])
        values.append(value(metric, scores, qrels[query]))
    return 100 * mean(values)


def reviewer_score(paper, own, vectors):
    similarities = sorted((cosine(vectors[paper], vectors[item]) for item in own), reverse=True)
    return mean(similarities[:3])


def reviewer_scores(metrics, hard, soft, reviewers, vectors):
    """``hard_M`` and ``soft_M``, x 100, of one run over the hard labels' reviewers."""
    run = {}
    for paper in hard:
        run[paper] = {}
        for name in hard[paper]:
            if name in reviewers:
                run[paper][name] = reviewer_score(paper, reviewers[name], vectors)
    found = {}
    for prefix, labels in (("hard", hard), ("soft", soft)):
        for metric in metrics:
            shared = [paper for paper in labels if paper in run]
            found[f"{prefix}_{metric}"] = 100 * mean(
                [value(metric, run[paper], labels[paper]) for paper in shared]
            )
    return found


def pool(lists):
    """MDCR's grades of one query: the union of its lists, relevant when in ``true``."""
    grades = {}
    for name in lists:
        for item in lists[name]:
            grades[item] = 1 if item in lists["true"] else 0
    return grades


def citation_scores(metrics, fields, vectors):
    """Per field the mean, x 100, rounded to 4 decimals; over fields the plain mean of those."""
    found = {}
    for metric in metrics:
        for field in fields:
            found[f"{metric}[{field}]"] = round(ranking_score(metric, vectors, fields[field]), 4)
        found[metric] = mean([found[f"{metric}[{field}]"] for field in fields])
    return found
