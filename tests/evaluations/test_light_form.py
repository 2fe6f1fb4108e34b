"""The light form of S2AND from the command line, against clusterings that need no vectors."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from scirepeval_harness.cli.main import main
from scirepeval_harness.evaluations.clustering import split_blocks
from tests.support.author_sets import write_author_set


def record_of(data: Path, out: Path) -> dict[str, Any]:
    with pytest.raises(SystemExit) as stop:
        main(["run", "--model", "tfidf", "--task", "s2and-light", "--data", str(data),
              "--output", str(out), "--no-cache"])  # fmt: skip
    assert not stop.value.code
    found: dict[str, Any] = json.loads(
        (out / "tfidf" / "s2and-light" / "s2and-light.json").read_text()
    )
    return found


def trivial_scores(folder: Path, name: str) -> dict[str, float]:
    """B-cubed F1 x 100 on the test blocks: everybody alone, and one person a block."""
    signatures = json.loads((folder / name / f"{name}_signatures.json").read_text())
    clusters = json.loads((folder / name / f"{name}_clusters.json").read_text())
    person = {key: own for own, row in clusters.items() for key in row["signature_ids"]}
    blocks: dict[str, list[str]] = {}
    for key, row in signatures.items():
        blocks.setdefault(row["author_info"]["given_block"], []).append(key)
    _, test = split_blocks(name, tuple(sorted(blocks)))
    tested = [(block, person[key]) for block in test for key in blocks[block]]
    of_person = Counter(own for _, own in tested)
    of_block = Counter(block for block, _ in tested)
    of_both = Counter(tested)

    def f1(precision: list[float], recall: list[float]) -> float:
        p, r = sum(precision) / len(precision), sum(recall) / len(recall)
        return 200 * p * r / (p + r)

    return {
        "alone": f1([1.0] * len(tested), [1 / of_person[own] for _, own in tested]),
        "together": f1(
            [of_both[pair] / of_block[pair[0]] for pair in tested],
            [of_both[pair] / of_person[pair[1]] for pair in tested],
        ),
    }


def test_words_of_titles_beat_both_trivial_clusterings(tmp_path: Path) -> None:
    for name in ("first", "second"):
        write_author_set(tmp_path / "data" / "s2and", name)
    record = record_of(tmp_path / "data", tmp_path / "out")
    assert record["item_kind"] == "blocks"
    for score in record["scores"]:
        low, high = score["interval"]
        assert low <= score["value"] <= high
        if score["field"] is not None:
            trivial = trivial_scores(tmp_path / "data" / "s2and", score["field"])
            assert score["value"] > max(trivial.values()) + 5, trivial


@pytest.mark.slow
@pytest.mark.realdata
def test_on_real_signatures_too(realdata: Path, tmp_path: Path) -> None:
    score = record_of(realdata, tmp_path / "out")["scores"][0]
    trivial = trivial_scores(realdata / "s2and", "arnetminer")
    assert score["value"] > max(trivial.values()) + 1, trivial
