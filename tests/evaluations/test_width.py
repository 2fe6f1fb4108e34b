"""What reading vectors as float16, as the reference does in places, does to ranking scores."""

from __future__ import annotations

import hashlib
import json
import re
from pathlib import Path

import numpy as np
import pytest

from scirepeval_harness.evaluations.ranking import RankingSet, evaluate_ranking
from scirepeval_harness.evaluations.scorers import euclidean_scorer
from scirepeval_harness.options import VectorPrecision
from tests.support.ranking_tasks import ranking_task
from tests.support.tables import Table


def score(table: Table, qrels: dict[str, dict[str, int]], width: VectorPrecision) -> float:
    scorer = euclidean_scorer(table, width=width)
    data = RankingSet({}, {}, qrels)
    return evaluate_ranking(ranking_task("map"), data, scorer).scores[0].value


def test_no_effect_where_candidates_are_well_apart() -> None:
    random = np.random.default_rng(0)
    table = Table({str(k): random.normal(size=64) for k in range(200)})
    qrels = {str(q): {str(c): int(c % 5 == 0) for c in range(100, 130)} for q in range(100)}
    assert score(table, qrels, "float16") == pytest.approx(score(table, qrels, "float32"), abs=0.5)


def test_a_large_common_offset_drowns_the_signal() -> None:
    # float16 has steps of 1/16 at 100: candidates 0.01 apart become equal, ties go to the later id.
    random = np.random.default_rng(1)
    rows = {f"q{q}": np.full(16, 100.0) for q in range(50)}
    rows |= {f"{side}{q}": np.full(16, 100.0) for q in range(50) for side in "az"}
    for q in range(50):
        rows[f"a{q}"] = rows[f"a{q}"] + random.uniform(0.001, 0.005, size=16)
        rows[f"z{q}"] = rows[f"z{q}"] + random.uniform(0.01, 0.02, size=16)
    qrels = {f"q{q}": {f"a{q}": 1, f"z{q}": 0} for q in range(50)}
    assert score(Table(rows), qrels, "float32") == 100.0
    assert score(Table(rows), qrels, "float16") == 50.0


@pytest.mark.realdata
@pytest.mark.parametrize(("offset", "least", "most"), [(0.0, 0.0, 0.1), (2000.0, 0.5, 5.0)])
def test_the_effect_on_real_texts(realdata: Path, offset: float, least: float, most: float) -> None:
    table = Table(
        {
            item: row + offset
            for item, row in hashed_words(realdata / "hepph" / "meta.jsonl").items()
        }
    )
    qrels: dict[str, dict[str, int]] = {}
    for line in (realdata / "hepph" / "cite" / "test_qrel.jsonl").read_text().splitlines():
        row = json.loads(line)
        qrels.setdefault(row["query_id"], {})[row["cand_id"]] = row["score"]
    wide, half = score(table, qrels, "float32"), score(table, qrels, "float16")
    assert wide > 40, "random order gives 22"
    assert least <= abs(wide - half) <= most


def hashed_words(path: Path, size: int = 1024, dimensions: int = 64) -> dict[str, np.ndarray]:
    """Log counts of hashed words, scaled to length 10, projected by a fixed random matrix."""
    projection = np.random.default_rng(42).normal(size=(size, dimensions)) / np.sqrt(dimensions)
    found = {}
    for line in path.read_text().splitlines():
        row = json.loads(line)
        counts = np.zeros(size)
        for word in set(re.findall(r"[a-z]{5,}", f"{row['title']} {row['abstract']}".lower())):
            counts[int(hashlib.md5(word.encode()).hexdigest(), 16) % size] += 1
        counts *= 10 / max(1e-9, np.linalg.norm(counts))
        found[row["doc_id"]] = counts @ projection
    return found
