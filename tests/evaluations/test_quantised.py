"""Quantised vectors: their levels, where the scale comes from, and what stands in the records."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

import scirepeval_harness as sh
from scirepeval_harness.evaluations import quantised as module
from scirepeval_harness.evaluations.quantised import quantised
from scirepeval_harness.evaluations.scorers import read_as
from tests.support.tables import Table

ROWS = np.random.default_rng(3).normal(size=(50, 6)).astype(np.float32) * [1, 1, 10, 0.1, 1, 0]
TABLE = Table({str(n): row for n, row in enumerate(ROWS.astype(np.float32))})
IDS = [str(n) for n in range(50)]


@pytest.mark.parametrize("chunk", [7, 16_384])
def test_int8_is_even_steps_between_the_extremes(
    monkeypatch: pytest.MonkeyPatch, chunk: int
) -> None:
    monkeypatch.setattr(module, "CHUNK", chunk)
    decoded = quantised(TABLE, [*IDS, "3"], "int8").take(IDS)
    rows = np.array([TABLE.take([key])[0] for key in IDS])
    assert decoded.dtype == np.float32
    for column in range(5):
        low, high = rows[:, column].min(), rows[:, column].max()
        steps = (decoded[:, column] - low) / (high - low) * 255
        np.testing.assert_allclose(steps, np.round(steps), atol=1e-3)
        assert np.abs(decoded[:, column] - rows[:, column]).max() <= (high - low) / 255 / 2 * 1.001
        assert len(set(decoded[:, column])) > 30
    np.testing.assert_array_equal(decoded[:, 5], rows[:, 5])


@pytest.mark.parametrize("chunk", [7, 16_384])
def test_binary_is_the_side_of_the_mean(monkeypatch: pytest.MonkeyPatch, chunk: int) -> None:
    monkeypatch.setattr(module, "CHUNK", chunk)
    shifted = Table({key: TABLE.take([key])[0] + 5 for key in IDS})
    decoded = quantised(shifted, IDS, "binary").take(IDS)
    rows = shifted.take(IDS)
    np.testing.assert_array_equal(decoded, np.where(rows > rows.mean(0, dtype=float), 1, -1))
    assert set(decoded[:, 5]) == {-1}, "what never varies says nothing"


def test_beyond_the_scale_of_the_documents_is_its_end() -> None:
    table = Table({"a": np.zeros(2), "b": np.ones(2), "far": np.array([9.0, -9.0])})
    np.testing.assert_array_equal(
        quantised(table, ["a", "b"], "int8").take(["far"]), np.float32([[1, 0]])
    )


def test_levels_are_not_rounded_to_float16_once_more() -> None:
    table = quantised(TABLE, IDS, "int8")
    assert read_as(table, "float16") is table


def test_it_is_said_only_where_it_is_chosen_and_compared_only_with_its_like(
    tmp_path: Path,
) -> None:
    chosen = {"suite": "sample", "tasks": ["sample-related", "sample-year"], "cache": None}
    scores, records = {}, {}
    for how in (None, "int8", "binary"):
        results = sh.evaluate("wordllama", quantize=how, output=tmp_path / str(how), **chosen)
        assert results.complete
        scores[how] = results["wordllama"].scores["value"].to_numpy()
        path = next((tmp_path / str(how) / "wordllama").rglob("sample-related.json"))
        records[how] = json.loads(path.read_text())
    assert "quantize" not in records[None]["settings"]
    assert "quantize" not in records[None]["signature"]
    run = json.loads((tmp_path / "None" / "wordllama" / "run.json").read_text())
    assert "quantize" not in run["arguments"]
    for how in ("int8", "binary"):
        assert records[how]["settings"]["quantize"] == how
        assert f"|quantize:{how}|" in records[how]["signature"]
    # A byte costs next to nothing, a bit costs points.
    assert np.abs(scores["int8"] - scores[None]).max() < 2
    assert 0.1 < np.abs(scores["binary"] - scores[None]).max() < 30
    with pytest.raises(sh.HarnessError, match="quantize none against int8"):
        sh.compare(tmp_path / "None" / "wordllama", tmp_path / "int8" / "wordllama")
