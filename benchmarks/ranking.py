"""Ranking speed: 200,000 query-candidate pairs, vectorised against one loop a query.

The plain side is written here and stands for the usual way: a dictionary of vectors, scikit-learn's
distances query by query.

    python benchmarks/ranking.py --pairs 200000
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from sklearn.metrics.pairwise import euclidean_distances
from support import interleaved, parser, show, write

from scirepeval_harness.evaluations.scorers import euclidean_scorer, make_run
from scirepeval_harness.evaluations.trec import measure


class Table:
    """Vectors by id, in memory."""

    def __init__(self, ids: Sequence[str], rows: NDArray[np.float32]) -> None:
        self.place = {item: row for row, item in enumerate(ids)}
        self.rows = rows

    def take(self, ids: Sequence[str]) -> NDArray[np.float32]:
        return self.rows[[self.place[item] for item in ids]]


def plain_run(
    vectors: dict[str, NDArray[np.float32]], qrels: dict[str, dict[str, int]]
) -> dict[str, dict[str, float]]:
    run: dict[str, dict[str, float]] = {}
    for query, labels in qrels.items():
        left = np.array([vectors[query]])
        right = np.array([vectors[item] for item in labels])
        distances = euclidean_distances(right, left).flatten()
        run[query] = {item: -float(value) for item, value in zip(labels, distances, strict=True)}
    return run


def main() -> None:
    options = parser(__doc__)
    options.add_argument("--pairs", type=int, default=200_000)
    options.add_argument("--dimensions", type=int, default=768)
    options.add_argument("--documents", type=int, default=50_000)
    chosen = options.parse_args()
    random = np.random.default_rng(42)
    ids = [str(number) for number in range(chosen.documents)]
    rows = random.normal(size=(chosen.documents, chosen.dimensions)).astype(np.float32)
    table, vectors = Table(ids, rows), dict(zip(ids, rows, strict=True))
    lines = []
    for pool in (10, 50, 1000):
        queries = max(1, chosen.pairs // pool)
        qrels = {}
        for query in random.choice(chosen.documents, queries, replace=False):
            pool_ids = random.choice(chosen.documents, pool, replace=False)
            qrels[ids[query]] = {ids[item]: int(place < 3) for place, item in enumerate(pool_ids)}
        run = make_run(euclidean_scorer(table), qrels)
        timed = interleaved(
            {
                "score": lambda q=qrels: make_run(euclidean_scorer(table), q),
                "plain": lambda q=qrels: plain_run(vectors, q),
                "measure": lambda q=qrels, r=run: measure(q, r, ("map", "ndcg")),
            },
            chosen.repeats,
        )
        mine, plain, trec = (min(done.wall) for done in timed.values())
        lines.append(
            {
                "candidates a query": pool,
                "queries": queries,
                "score (s)": round(mine, 3),
                "plain loop (s)": round(plain, 3),
                "ratio": round(plain / mine, 2),
                "measure (s)": round(trec, 3),
                "pairs a second": round(queries * pool / (mine + trec)),
            }
        )
    show(f"{chosen.pairs:,} pairs x {chosen.dimensions}, best of {chosen.repeats}", lines)
    write(chosen, lines)


if __name__ == "__main__":
    main()
