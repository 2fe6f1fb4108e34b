"""Rates kept for the next plan: whose they are, and that nothing breaks without them."""

from __future__ import annotations

import json
from pathlib import Path

from scirepeval_harness.model.base import Identity
from scirepeval_harness.roles import Role
from scirepeval_harness.vectors.encode import Rate, read_rates, related_rate, write_rate


def space(root: Path, name: str, **details: str) -> Path:
    (root / name).mkdir()
    (root / name / "space.json").write_text(json.dumps({"model": "m", "details": details}))
    return root / name


def test_the_longest_measurement_of_the_same_base_on_the_same_machine_counts(
    tmp_path: Path,
) -> None:
    asked = Identity("m", Role.QUERY, {"base_weights": "w", "dtype": "bfloat16", "adapter": "q"})
    one = space(tmp_path, "1", base_weights="w", dtype="bfloat16", adapter="p")
    two = space(tmp_path, "2", base_weights="w", dtype="bfloat16", adapter="r")
    slow = space(tmp_path, "3", base_weights="w", dtype="float32")
    write_rate(one, Rate("cpu", 100, 2, 5.0))
    write_rate(two, Rate("cpu", 100, 2, 4.0))
    write_rate(two, Rate("cuda:0", 9_000, 2, 3.0))
    write_rate(slow, Rate("cpu", 1, 1, 99.0))
    assert related_rate(tmp_path, asked, "cpu") == 20.0
    assert related_rate(tmp_path, asked, "cuda:0") == 3_000.0
    assert related_rate(tmp_path, asked, "mps") is None
    assert related_rate(tmp_path / "nowhere", asked, "cpu") is None


def test_a_later_rate_replaces_the_one_of_the_same_hardware(tmp_path: Path) -> None:
    write_rate(tmp_path, Rate("cpu", 100, 2, 5.0))
    write_rate(tmp_path, Rate("cpu", 300, 2, 5.0))
    assert read_rates(tmp_path) == {"cpu": Rate("cpu", 300, 2, 5.0)}


def test_a_broken_file_counts_as_none(tmp_path: Path) -> None:
    for text in ("", "[1]", '{"a": 2}', '[{"hardware": "cpu", "speed": 3}]'):
        (tmp_path / "rates.json").write_text(text)
        assert read_rates(tmp_path) == {}
