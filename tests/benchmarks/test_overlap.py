"""The benchmark of scoring beside encoding, with a slow made encoder."""

from __future__ import annotations

import importlib
import json
import sys
from pathlib import Path

import pytest

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"
# Encoding takes four times as long as scoring: the first tasks have their scores long before its
# end, however busy the machine. Seconds are not compared: these are tenths of one.
WORDS = ["--scale", "0.01", "--factor", "4", "--tasks"]
TASKS = ["biomimicry", "drsm", "scidocs-cite", "scidocs-coread"]


@pytest.mark.slow
def test_tasks_have_their_scores_before_the_last_text_is_encoded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    report = tmp_path / "overlap.json"
    words = [*WORDS, *TASKS, "--output", str(report)]
    monkeypatch.setattr(sys, "argv", [str(BENCHMARKS / "overlap.py"), *words])
    importlib.import_module("overlap").main()
    record = json.loads(report.read_text())
    assert record["scored"]["one after the other"] == 0
    assert 1 <= record["scored"]["beside each other"] < len(TASKS)
    assert record["same"]
