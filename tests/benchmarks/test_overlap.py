"""The benchmark of scoring beside encoding, with a slow made encoder."""

from __future__ import annotations

import importlib
import json
import sys
from pathlib import Path

import pytest

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"
# Many small scores: what the one thread does must be worth sparing the other.
TASKS = ["biomimicry", "drsm", "scidocs-cite", "scidocs-coread"]


@pytest.mark.slow
def test_both_together_take_less_than_one_after_the_other(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    report = tmp_path / "overlap.json"
    words = ["--scale", "0.01", "--tasks", *TASKS, "--output", str(report)]
    monkeypatch.setattr(sys, "argv", [str(BENCHMARKS / "overlap.py"), *words])
    importlib.import_module("overlap").main()
    record = json.loads(report.read_text())
    seconds = {row["way"]: row["seconds"] for row in record["rows"]}
    assert seconds["beside each other"] < 0.9 * seconds["one after the other"]
    assert record["same"]
