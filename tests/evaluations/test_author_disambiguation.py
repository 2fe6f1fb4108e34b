from __future__ import annotations

import dataclasses
import json
import math
import re
from pathlib import Path

import numpy as np
import pytest

from scirepeval_harness.errors import CoverageError, DataError
from scirepeval_harness.evaluations.author_disambiguation import LIGHT_METRIC, AuthorBlocks
from scirepeval_harness.evaluations.base import Outcome
from scirepeval_harness.evaluations.clustering import evaluate_author_disambiguation, split_blocks
from tests.oracle import clusters as oracle
from tests.support.ranking_tasks import ranking_task
from tests.support.tables import Table

TASK = ranking_task("b3_f1", evaluation="author_disambiguation")


def made(seed: int = 0, noise: float = 0.6, sets: tuple[str, ...] = ("kisti", "qian")):  # type: ignore[no-untyped-def]
    """Blocks of up to 12 signatures by up to 4 people, whose papers lie around a direction each."""
    random = np.random.default_rng(seed)
    blocks: dict[str, dict[str, tuple[str, ...]]] = {}
    paper_of, cluster_of, vectors = {}, {}, {}
    for name in sets:
        blocks[name] = {}
        for number in range(9):
            own = []
            people = [f"{name}:{number}:{k}" for k in range(4)] + [f"{name}:everywhere"]
            around = {person: random.normal(size=8) for person in people}
            for _ in range(int(random.integers(1, 13))):
                signature = f"s{len(paper_of)}"
                person = str(random.choice(people))
                paper_of[signature], cluster_of[signature] = f"p{len(paper_of)}", person
                vectors[paper_of[signature]] = around[person] + noise * random.normal(size=8)
                own.append(signature)
            blocks[name][f"block {number}"] = tuple(own)
    return AuthorBlocks({}, blocks, paper_of, cluster_of), Table(vectors)


def test_against_plain_loops() -> None:
    data, table = made()
    outcome = evaluate_author_disambiguation(TASK, data, table)
    found = {score.key: score.value for score in outcome.scores}
    assert list(found) == [LIGHT_METRIC, f"{LIGHT_METRIC}[kisti]", f"{LIGHT_METRIC}[qian]"]
    for name, blocks in data.blocks.items():
        _, test = split_blocks(name, tuple(blocks))
        rows = [[table.vectors[data.paper_of[s]].tolist() for s in blocks[block]] for block in test]
        truths = [[data.cluster_of[s] for s in blocks[block]] for block in test]
        notes = outcome.notes["data_sets"][name]  # type: ignore[index]
        expected = 100 * oracle.score(rows, truths, notes["threshold"])
        assert found[f"{LIGHT_METRIC}[{name}]"] == pytest.approx(expected, abs=1e-6)
        assert notes["test_signatures"] == sum(map(len, truths))
    mean = (found[f"{LIGHT_METRIC}[kisti]"] + found[f"{LIGHT_METRIC}[qian]"]) / 2
    assert found[LIGHT_METRIC] == pytest.approx(mean)


def recomputed(outcome: Outcome, field: str) -> float:
    rows = outcome.items[outcome.items["field"] == field]
    means = {
        metric: np.average(own["value"], weights=own["weight"])
        for metric, own in rows.groupby("metric")
    }
    return 200 / (1 / means["b3_precision"] + 1 / means["b3_recall"])


def test_scores_follow_from_the_items() -> None:
    data, table = made(seed=3)
    outcome = evaluate_author_disambiguation(TASK, data, table)
    assert outcome.kind == "blocks"
    assert list(outcome.items.columns) == ["field", "item", "metric", "value", "weight"]
    for score in outcome.scores[1:]:
        assert score.field is not None
        assert recomputed(outcome, score.field) == pytest.approx(score.value, abs=1e-9)
    again = evaluate_author_disambiguation(TASK, data, table)
    assert again.items.equals(outcome.items)
    assert again.scores == outcome.scores


def test_good_vectors_beat_random_ones() -> None:
    good = evaluate_author_disambiguation(TASK, *made(noise=0.05)).scores[0].value
    data, table = made(noise=0.05)
    random = np.random.default_rng(1)
    noise = Table({item: random.normal(size=8) for item in table.vectors})
    assert good > 85, "people who appear in several blocks keep it below 100"
    assert evaluate_author_disambiguation(TASK, data, noise).scores[0].value < good - 10


def test_the_split_is_the_same_for_any_order_and_differs_by_data_set() -> None:
    names = tuple(f"block {k}" for k in range(11))
    train, test = split_blocks("qian", names)
    assert (len(train), len(test)) == (5, 6)
    assert set(train) | set(test) == set(names)
    assert split_blocks("qian", names[::-1]) == (train, test)
    assert split_blocks("kisti", names) != (train, test)
    # Written down once, so that a change of the rule is noticed.
    assert train == ("block 2", "block 3", "block 8", "block 4", "block 10")


def test_bad_input_is_refused_by_name() -> None:
    data, table = made()
    signature = data.blocks["qian"]["block 1"][0]
    without = {key: value for key, value in data.cluster_of.items() if key != signature}
    cases = [
        ({"cluster_of": without}, rf"data set qian, block block 1: .*true cluster.*{signature}"),
        ({"paper_of": {}}, "have no paper, the first is"),
        ({"blocks": {}}, "task toy: there are no name blocks"),
        ({"blocks": {"qian": {"b": ("s1",)}}}, "data set qian: .*two name blocks"),
        ({"blocks": {"qian": {"a": ("s1",), "b": ()}}}, "block b: the block is empty"),
    ]
    for change, message in cases:
        with pytest.raises(DataError, match=message):
            evaluate_author_disambiguation(TASK, dataclasses.replace(data, **change), table)
    with pytest.raises(CoverageError, match="document p"):
        evaluate_author_disambiguation(TASK, data, Table({"p1": [1.0, 0.0]}))


@pytest.mark.realdata
def test_real_signatures_with_title_words(realdata: Path) -> None:
    folder = realdata / "s2and" / "arnetminer"
    papers, signatures, clusters = (
        json.loads((folder / f"arnetminer_{kind}.json").read_text())
        for kind in ("papers", "signatures", "clusters")
    )
    blocks: dict[str, list[str]] = {}
    for name, row in signatures.items():
        blocks.setdefault(row["author_info"]["block"], []).append(name)
    small = {name: tuple(own) for name, own in blocks.items() if len(own) <= 40}
    kept = [signature for own in small.values() for signature in own]
    data = AuthorBlocks(
        {},
        {"arnetminer": small},
        {name: str(signatures[name]["paper_id"]) for name in kept},
        {name: row["cluster_id"] for row in clusters.values() for name in row["signature_ids"]},
    )
    words: dict[str, int] = {}
    vectors = {}
    for name in kept:
        paper = papers[str(signatures[name]["paper_id"])]
        row = np.zeros(4000)
        coauthors = {author["author_name"] for author in paper["authors"]}
        for word in [*re.findall(r"[a-z]{4,}", paper["title"].lower()), *coauthors]:
            row[words.setdefault(word, len(words)) % 4000] += 1
        vectors[str(paper["paper_id"])] = row
    outcome = evaluate_author_disambiguation(TASK, data, Table(vectors))
    assert 55 < outcome.scores[0].value < 95
    assert math.isfinite(outcome.notes["data_sets"]["arnetminer"]["threshold"])  # type: ignore[index]
