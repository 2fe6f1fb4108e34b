"""A result written under schema version 1, kept as it was: it loads for good.

Made with ``run --suite sample --model tfidf --task sample-cite --task sample-nature --no-cache``.
A new schema version gets a folder of its own beside this one, which stays.
"""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from scirepeval_harness.results.folder import Result, load_result
from scirepeval_harness.results.leaderboard import measured_row
from scirepeval_harness.results.record import RUN_VERSION, SCHEMA_VERSION
from scirepeval_harness.task.registry import load_registry

KEPT = Path(__file__).parent / "schema_v1" / "tfidf"


@pytest.fixture(scope="module")
def result() -> Result:
    return load_result(KEPT)


def test_the_files_are_of_the_version_that_they_stand_for() -> None:
    for path in KEPT.rglob("*.json"):
        assert json.loads(path.read_text(encoding="utf-8"))["schema_version"] == 1
    assert SCHEMA_VERSION >= 1


def test_a_copy_is_kept_of_every_version() -> None:
    for version in range(1, RUN_VERSION + 1):
        assert (KEPT.parents[1] / f"schema_v{version}").is_dir()


def test_it_loads_with_the_numbers_that_stand_in_it(result: Result) -> None:
    assert result.run.model.title == "TF-IDF"
    assert result.run.status == "ok"
    assert list(result.tasks) == ["sample-nature", "sample-cite"]
    scores = {score.key: score for score in result.tasks["sample-cite"].scores}
    raw = json.loads((KEPT / "sample" / "sample-cite.json").read_text(encoding="utf-8"))
    assert {key: score.value for key, score in scores.items()} == {
        entry["key"]: entry["value"] for entry in raw["scores"]
    }
    assert scores["map"].value == pytest.approx(66.36, abs=0.01)


def test_its_items_and_draws_belong_to_its_scores(result: Result) -> None:
    items = result.items("sample-cite")
    value = 100 * items[items["metric"] == "map"]["value"].mean()
    record = result.tasks["sample-cite"]
    scores = {score.key: score for score in record.scores}
    assert value == pytest.approx(scores["map"].value, abs=0.01)
    draws = result.draws("sample-cite")
    assert len(draws) == 1000
    assert draws["map"].mean() == pytest.approx(scores["map"].value, abs=1.0)


def test_it_gives_a_row(result: Result) -> None:
    registry = load_registry()
    row = measured_row(result, [registry.suite("sample")], registry.tasks, intervals=True)
    cell = row.means["Out-of-Train"]
    assert (cell.have, cell.need) == (3, 7)
    assert cell.interval is not None
