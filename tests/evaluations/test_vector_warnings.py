"""Warnings beside a score: vectors nearly alike, and unit vectors under a few-shot probe."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

import scirepeval_harness as sh
from scirepeval_harness.evaluations import vector_warnings as module
from scirepeval_harness.evaluations.vector_warnings import vector_warnings
from scirepeval_harness.task.registry import load_registry
from tests.support.tables import Table

TASKS = load_registry().tasks
ROWS = np.random.default_rng(5).normal(size=(40, 8))


def unit(rows: np.ndarray) -> np.ndarray:
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


@pytest.mark.parametrize(
    ("task", "rows", "words"),
    [
        ("drsm", ROWS, []),
        ("drsm", ROWS + 30, ["nearly alike: their mean cosine is 0.99"]),
        ("drsm", unit(ROWS), ["length 1"]),
        ("drsm", unit(ROWS).astype(np.float16), ["length 1"]),
        ("drsm", unit(ROWS + 30), ["nearly alike", "length 1"]),
        ("drsm", np.vstack([unit(ROWS), 2 * ROWS[:1]]), []),
        ("mesh-descriptors", unit(ROWS), []),
        ("drsm", np.vstack([unit(ROWS), np.zeros((1, 8))]), ["length 1"]),
        ("drsm", np.zeros((5, 8)), []),
        ("drsm", unit(ROWS)[:1], []),
        ("drsm", ROWS[:0], []),
    ],
)
def test_what_is_said(task: str, rows: np.ndarray, words: list[str]) -> None:
    table = Table({str(n): row for n, row in enumerate(rows)})
    said = list(vector_warnings(TASKS[task], table, [str(n) for n in range(len(rows))] * 2))
    assert len(said) == len(words)
    assert all(word in text for word, text in zip(words, said, strict=True))


def test_the_mean_is_over_pairs_of_an_even_sample(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "LOOKED_AT", 10)
    monkeypatch.setattr(module, "NEARLY_ALIKE", -1)
    table = Table({str(n): row for n, row in enumerate(ROWS)})
    [said] = vector_warnings(TASKS["drsm"], table, [str(n) for n in range(40)])
    rows = unit(ROWS[::4])
    cosines = [rows[a] @ rows[b] for a in range(10) for b in range(10) if a != b]
    assert f"{np.mean(cosines):.3f}" in said


def test_a_warning_stands_beside_the_score(tmp_path: Path) -> None:
    sh.evaluate("tfidf", suite="sample", tasks="sample-nature", cache=None, output=tmp_path)
    [path] = tmp_path.rglob("sample-nature.json")
    assert any("length 1" in text for text in json.loads(path.read_text())["warnings"])
