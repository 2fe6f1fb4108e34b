"""The estimates of docs/scale.md: the arithmetic, held to numbers worked out by hand."""

from __future__ import annotations

import importlib
import json
from pathlib import Path
from types import ModuleType

import pytest

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"


@pytest.fixture
def script(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    return importlib.import_module("scale_estimate")


def test_the_operations_of_a_token_are_two_a_weight_and_attention(script: ModuleType) -> None:
    weights = 12 * (4 * 768**2 + 2 * 768 * 3_072)
    assert weights == 84_934_656
    assert script.operations(0) == 2 * weights
    assert script.operations(512) - script.operations(0) == 12 * 4 * 768 * 512


def test_more_cards_divide_encoding_and_not_storing(script: ModuleType) -> None:
    corpus = script.Corpus("made", documents=1_000_000, held=100_000, held_bytes=8_100)
    rate = script.Rate(1_000_000.0, "given")
    one, many = script.estimates(corpus, [rate], cards=(1, 64), length=200.0, stored=100_000.0)
    assert (one["encode"], one["store"], one["time"]) == ("3.3 min", "10 s", "3.3 min")
    assert (many["encode"], many["store"], many["time"]) == ("3 s", "10 s", "10 s")
    assert (one["disk"], one["memory"]) == ("3.1 GB", "1.0 GB")


def test_a_rate_is_read_from_each_engine_row_and_not_from_the_baseline(
    script: ModuleType, tmp_path: Path
) -> None:
    rows = [
        {"way": "plain", "seconds": 100.0},
        {"way": "engine, float32", "seconds": 50.0},
        {"way": "engine, bfloat16", "seconds": 20.0},
    ]
    machine = {"cpu": "a processor", "accelerator": None}
    path = tmp_path / "encode.json"
    path.write_text(json.dumps({"machine": machine, "tokens": 1_000, "rows": rows}))
    assert [(rate.tokens, rate.source) for rate in script.measured(path)] == [
        (20.0, "measured: a processor, float32"),
        (50.0, "measured: a processor, bfloat16"),
    ]


@pytest.mark.parametrize(
    ("seconds", "said"),
    [(42.4, "42 s"), (119, "119 s"), (150, "2.5 min"), (7_200, "2.0 h"), (1e6, "11.6 days")],
)
def test_a_time_is_said_in_its_own_unit(script: ModuleType, seconds: float, said: str) -> None:
    assert script.words(seconds) == said


def test_the_rate_of_storing_is_measured(script: ModuleType) -> None:
    assert script.storing_rate(vectors=1_024, chunk=512) > 0
