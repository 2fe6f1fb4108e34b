"""A signature changes with all that moves a number, and with nothing else."""

from __future__ import annotations

from typing import Any

import pytest

from scirepeval_harness.results.record import ModelRecord, task_signature

ROLES = {"proximity": {"base_weights": "w1", "adapter": "p", "dtype": "float32", "max_length": "9"}}
MODEL = ModelRecord(name="m", title="M", kind="transformer", roles=ROLES)
PARTS: dict[str, Any] = {
    "task": "t",
    "version": 1,
    "definition": "d1",
    "rows": "f" * 64,
    "settings": {"seed": 42, "probe": "reference", "limit": None},
    "model": MODEL,
    "harness": "0.1.0",
}


def with_role(**update: str) -> ModelRecord:
    return MODEL.model_copy(update={"roles": {"proximity": {**ROLES["proximity"], **update}}})


@pytest.mark.parametrize(
    "update",
    [
        {"task": "u"},
        {"version": 2},
        {"definition": "d2"},
        {"rows": "e" * 64},
        {"settings": {**PARTS["settings"], "seed": 43}},
        {"settings": {**PARTS["settings"], "probe": "fast"}},
        {"settings": {**PARTS["settings"], "limit": 10}},
        {"model": with_role(base_weights="w2")},
        {"model": with_role(adapter="q")},
        {"model": with_role(dtype="bfloat16")},
        {"model": with_role(max_length="8")},
        {"harness": "0.2.0"},
    ],
)
def test_each_part_that_moves_a_number_changes_it(update: dict[str, Any]) -> None:
    assert task_signature(**{**PARTS, **update}) != task_signature(**PARTS)


def test_a_title_does_not() -> None:
    other = MODEL.model_copy(update={"title": "Another"})
    assert task_signature(**{**PARTS, "model": other}) == task_signature(**PARTS)


def test_it_is_one_line_whatever_the_names() -> None:
    model = MODEL.model_copy(update={"name": "a|b\nc\u202e"})
    found = task_signature(**{**PARTS, "model": model})
    assert found.isprintable()
    assert "model:a_b_c_|" in found
    assert "dtype:float32" in found
    assert "len:9" in found
