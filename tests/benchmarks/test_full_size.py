"""The benchmark of the real row counts, at a small share of them."""

from __future__ import annotations

import importlib
import json
import sys
from pathlib import Path
from types import ModuleType

import pytest

from scirepeval_harness.task.registry import load_registry

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"
TASKS = ["max-hindex", "search", "scidocs-cite", "reviewer-matching", "mdcr"]


@pytest.fixture
def script(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    return importlib.import_module("full_size")


def test_every_task_but_s2and_has_its_size(script: ModuleType) -> None:
    registry = load_registry()
    names = {*registry.suite("scirepeval").task_names(), *registry.suite("mdcr").task_names()}
    assert {*script.LABELLED, *script.RANKED, "reviewer-matching", "mdcr"} == names - {"s2and"}
    for name, own in script.LABELLED.items():
        task = registry.task(name)
        assert (own.classes == 0) == (task.format == "regression"), name
        assert own.lists == task.multi_label, name


@pytest.mark.slow
def test_a_small_share_runs_and_says_where_the_time_goes(
    script: ModuleType,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    report = tmp_path / "full.json"
    words = ["--scale", "0.002", "--tasks", *TASKS, "--output", str(report)]
    monkeypatch.setattr(sys, "argv", [str(BENCHMARKS / "full_size.py"), *words])
    script.main()
    shown = capsys.readouterr().out
    assert "made data" in shown
    record = json.loads(report.read_text())
    assert record["synthetic"]
    rows = {row["task"]: row for row in record["rows"]}
    assert list(rows) == [*record["first"]["tasks"], "all tasks", "share"]
    assert set(TASKS) < set(rows)
    assert rows["max-hindex"]["probe"] > 0 == rows["max-hindex"]["rank"]
    assert rows["mdcr"]["rank"] > 0 == rows["mdcr"]["probe"]
    assert rows["all tasks"]["read"] > 0
    assert record["first"]["peak"] > 10**7
    assert record["second"]["seconds"] > 0
    assert record["vectors"] > 1_000
