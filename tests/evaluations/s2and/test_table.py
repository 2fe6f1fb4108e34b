from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from scirepeval_harness.errors import ExperimentError
from scirepeval_harness.evaluations.items import bootstrap
from scirepeval_harness.evaluations.s2and.evaluate import outcome_of
from scirepeval_harness.evaluations.s2and.files import read_table
from scirepeval_harness.results.leaderboard import row
from scirepeval_harness.task.registry import load_registry


def cell(source: str, target: str, f1: float) -> dict[str, Any]:
    return {"source": source, "target": target, "precision": 0.9, "recall": 0.8, "f1": f1}


def block(source: str, target: str, name: str, signatures: int) -> dict[str, Any]:
    return {"source": source, "target": target, "block": name, "signatures": signatures,
            "precision": 0.9, "recall": 0.8}  # fmt: skip


def written(path: Path, cells: list[dict[str, Any]], blocks: list[dict[str, Any]]) -> Path:
    path.write_text(json.dumps({"features": ["year_diff"], "b3": cells, "blocks": blocks}))
    return path


def test_the_number_is_the_mean_of_every_cell_and_the_union_is_a_source(tmp_path: Path) -> None:
    values = {("a", "a"): 0.9, ("a", "b"): 0.8, ("b", "a"): 0.7, ("b", "b"): 1.0,
              ("union", "a"): 0.6, ("union", "b"): 0.5}  # fmt: skip
    cells = [cell(*pair, f1) for pair, f1 in values.items()]
    blocks = [block(*pair, name, 3) for pair in values for name in ("x", "y")]
    table = read_table(written(tmp_path / "t.json", cells, blocks), ["a", "b"])
    assert table.mean == pytest.approx(4.5 / 6)
    outcome = outcome_of(table)
    scores = {score.key: score.value for score in outcome.scores}
    assert scores["b3_f1"] == pytest.approx(75.0)
    assert scores["b3_f1[union -> b]"] == pytest.approx(50.0)
    assert len(outcome.items) == 24
    draws = bootstrap(outcome, seed=1, draws=10)
    assert draws["b3_f1"] == pytest.approx(100 * 2 * 0.9 * 0.8 / 1.7), "all blocks are alike"


@pytest.mark.parametrize(
    ("cells", "message"),
    [
        ([], "1 of 1 cells are missing"),
        ([cell("a", "a", 1.2)], "holds 1.2"),
        ([cell("a", "a", 0.5), cell("a", "a", 0.5)], "cells are missing"),
        ([{"source": "a"}], "not a B-cubed table"),
    ],
)
def test_tables_that_cannot_be_trusted_are_refused(
    tmp_path: Path, cells: list[dict[str, Any]], message: str
) -> None:
    with pytest.raises(ExperimentError, match=message):
        read_table(written(tmp_path / "t.json", cells, []), ["a"])


def test_the_row_of_the_clusters_that_the_data_names_may_be_there_whole(tmp_path: Path) -> None:
    cells = [cell(source, target, 0.5) for source in ("a", "b", "union") for target in "ab"]
    whole = [*cells, cell("s2", "a", 1.0), cell("s2", "b", 1.0)]
    table = read_table(written(tmp_path / "t.json", whole, []), ["a", "b"])
    assert table.mean == pytest.approx((6 * 0.5 + 2) / 8)
    with pytest.raises(ExperimentError, match="1 of 8 cells are missing"):
        read_table(written(tmp_path / "t.json", whole[:-1], []), ["a", "b"])
    with pytest.raises(ExperimentError, match="1 are not expected"):
        read_table(written(tmp_path / "t.json", [*cells, cell("c", "a", 0.5)], []), ["a", "b"])


def test_a_file_that_is_none_is_refused(tmp_path: Path) -> None:
    (tmp_path / "t.json").write_text("B3: 0.9")
    with pytest.raises(ExperimentError, match="not a B-cubed table"):
        read_table(tmp_path / "t.json", ["a"])


def test_the_light_form_never_enters_the_published_average() -> None:
    registry = load_registry()
    suite = registry.suite("scirepeval")
    assert "s2and-light" not in suite.task_names()
    cells = row(suite, registry.tasks, {"s2and": {"light_b3_f1": 99.0}})
    assert cells["Out-of-Train"].value is None
    assert cells["Out-of-Train"].have == 0
