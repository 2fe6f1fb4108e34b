"""docs/protocol.md and the code say the same."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from scirepeval_harness.model.kinds import Bm25Settings
from scirepeval_harness.probes.problem import (
    CLASSIFIER_GRID,
    DEFAULT_C,
    FOLDS,
    HINGE_ITERATIONS,
    REGRESSOR_GRID,
)
from scirepeval_harness.task.registry import load_registry
from scirepeval_harness.task.spec import Readings

ROOT = Path(__file__).resolve().parents[1]
PAGE = (ROOT / "docs" / "protocol.md").read_text(encoding="utf-8")


def rows(header: str) -> list[list[str]]:
    """Cells of every table under a header line."""
    found: list[list[str]] = []
    inside = False
    for line in PAGE.splitlines():
        if line == header:
            inside = True
        elif not line.startswith("|"):
            inside = False
        elif inside and not line.startswith("|---"):
            found.append([cell.strip() for cell in line.strip("|").split("|")])
    return found


CHOICES = rows("| choice | source | test |")


def choice(beginning: str) -> str:
    [text] = [row[0] for row in CHOICES if row[0].startswith(beginning)]
    return text


@pytest.mark.parametrize("row", CHOICES, ids=[row[0][:50] for row in CHOICES])
def test_every_choice_names_a_source_and_a_test_that_exists(row: list[str]) -> None:
    _, source, test = row
    known = {cells[0] for cells in rows("| name | what |")} | {"ours", "scikit-learn", "inferred"}
    assert source.split(",")[0] in known
    path, name = test.strip("`").split("::")
    assert re.search(rf"^def {name}\(", (ROOT / path).read_text(), re.MULTILINE), test


def test_there_are_choices_to_check() -> None:
    assert len(CHOICES) > 30


def test_the_task_table_is_the_registry() -> None:
    registry = load_registry()
    expected = []
    for name in ("scirepeval", "mdcr"):
        suite = registry.suite(name)
        for task in map(registry.task, suite.task_names()):
            kind = task.format.value + (", multi-label" if task.multi_label else "")
            shots = ", ".join(f"{s.sample_size} x {s.iterations}" for s in task.few_shot)
            group = suite.group_of(task.name) or ""
            expected.append([task.name, kind, group, ", ".join(task.metrics), shots])
    assert rows("| task | format | group | metrics | few-shot |") == expected


def test_the_page_states_the_pinned_revisions() -> None:
    for revision in load_registry().suite("scirepeval").revisions.values():
        assert revision in PAGE


def test_the_page_states_the_constants_of_the_code() -> None:
    single, regression = choice("Single label"), choice("Regression")
    assert f"C in {', '.join(f'{c:g}' for c in CLASSIFIER_GRID)} by {FOLDS}-fold" in single
    assert f"C in {', '.join(f'{c:g}' for c in REGRESSOR_GRID)} by {FOLDS}-fold" in regression
    assert f"{HINGE_ITERATIONS:,} iterations" in choice("Multi-label")
    assert f"C = {DEFAULT_C:g}," in choice("Few-shot, single label")
    bm25 = choice("BM25")
    assert f"k1 = {Bm25Settings().k1}" in bm25
    assert f"b = {Bm25Settings().b}" in bm25
    assert Bm25Settings().method.capitalize() in bm25
    constant = Readings().author_disambiguation_constant
    assert f"holds it at {constant:g}" in choice("S2AND counts")
