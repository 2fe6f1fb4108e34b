"""Ranking speed: 200,000 query-candidate pairs, vectorised against one loop a query.

Run ``python benchmarks/ranking.py``; it prints a table and writes JSON. The plain side is written
here and stands for the usual way: a dictionary of vectors, scikit-learn's distances query by query.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from sklearn.metrics.pairwise import euclidean_distances

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from scirepeval_harness.ranking.pools import make_run
from scirepeval_harness.ranking.scorers import euclidean_scorer
from scirepeval_harness.ranking.trec import measure


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


def seconds(work: Callable[[], object], repeats: int) -> float:
    best = float("inf")
    for _ in range(repeats):
        start = time.perf_counter()
        work()
        best = min(best, time.perf_counter() - start)
    return best


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pairs", type=int, default=200_000)
    parser.add_argument("--dimensions", type=int, default=768)
    parser.add_argument("--documents", type=int, default=50_000)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--output", type=Path, help="where the JSON goes")
    chosen = parser.parse_args()

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
        fast = seconds(lambda q=qrels: make_run(euclidean_scorer(table), q), chosen.repeats)
        plain = seconds(lambda q=qrels: plain_run(vectors, q), chosen.repeats)
        run = make_run(euclidean_scorer(table), qrels)
        trec = seconds(lambda q=qrels, r=run: measure(q, r, ("map", "ndcg")), chosen.repeats)
        lines.append(
            {
                "candidates a query": pool,
                "queries": queries,
                "score (s)": round(fast, 3),
                "plain loop (s)": round(plain, 3),
                "ratio": round(plain / fast, 2),
                "measure (s)": round(trec, 3),
                "pairs a second": round(queries * pool / (fast + trec)),
            }
        )
    print(f"{chosen.pairs:,} pairs x {chosen.dimensions}, best of {chosen.repeats}")
    print(" | ".join(lines[0]))
    for line in lines:
        print(" | ".join(f"{value:,}" for value in line.values()))
    if chosen.output:
        arguments = {name: value for name, value in vars(chosen).items() if name != "output"}
        machine = f"{platform.machine()}, {os.cpu_count()} cores"
        record = {"arguments": arguments, "machine": machine, "rows": lines}
        chosen.output.parent.mkdir(parents=True, exist_ok=True)
        chosen.output.write_text(json.dumps(record, indent=2) + "\n")


if __name__ == "__main__":
    main()
