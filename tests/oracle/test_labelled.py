"""Supervised tasks from files to scores against plain loops, with awkward rows of every kind."""

from __future__ import annotations

import csv
import json
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scirepeval_harness.evaluations.probe import LabelledSet
from scirepeval_harness.evaluations.probe_scores import evaluate_probe
from scirepeval_harness.roles import Format
from scirepeval_harness.task.load import DataOptions, load_task
from scirepeval_harness.task.spec import FewShot, LocalData, SuiteSpec, TaskSpec
from tests.oracle import labelled as oracle
from tests.support.tables import Table

SUITE = SuiteSpec(name="made", title="Made", task_set="made")
DIMENSIONS = 6
TRAIN, PAPERS = 42, 60
# Names in another order as numbers than as text, and words in another order than they come.
NAMES = (("9", "10", "100", "2"), ("b", "Z", "a", "é"), ("1", "2", "3", "4"))
Rows = list[dict[str, Any]]
Vectors = dict[str, list[float]]


@dataclass(frozen=True)
class Made:
    """What hypothesis varies; everything else follows from it, so that a failure prints short."""

    seed: int
    names: tuple[str, ...]
    spread: float
    rare_rows: int
    unseen: bool
    repeated: tuple[int, ...]
    leaked: tuple[int, ...]


MADE = st.builds(
    Made,
    seed=st.integers(0, 10**6),
    names=st.sampled_from(NAMES),
    spread=st.sampled_from([0.3, 1.0, 3.0]),
    rare_rows=st.integers(1, 2),
    unseen=st.booleans(),
    repeated=st.lists(st.integers(0, TRAIN - 1), max_size=3).map(tuple),
    leaked=st.lists(st.integers(0, TRAIN - 1), max_size=2).map(tuple),
)


def labelled_rows(
    made: Made, kind: str, classes: int = 3, rare: bool = False
) -> tuple[Rows, Rows, Vectors]:
    """Train rows, test rows and a vector a paper.

    Papers may be labelled twice in train or stand in both splits; with ``rare`` one class has one
    or two training rows, and another may be in the test rows alone.
    """
    random = np.random.default_rng(made.seed)
    codes = random.integers(0, classes, PAPERS)
    centres = random.normal(size=(classes, DIMENSIONS))
    table = centres[codes] + made.spread * random.normal(size=(PAPERS, DIMENSIONS))
    vectors = {str(n): table[n].astype(np.float32).tolist() for n in range(PAPERS)}
    if kind == "regression":
        # Rounded, so that labels are tied.
        labels = [repr(round(float(value), 1)) for value in table[:, 0]]
    elif kind == "multi":
        also = random.random((PAPERS, classes)) < 0.15
        labels = [
            json.dumps([int(codes[n] == k or also[n, k]) for k in range(classes)])
            for n in range(PAPERS)
        ]
    else:
        labels = [made.names[code] for code in codes]
    if rare:
        labels[: made.rare_rows] = [made.names[3]] * made.rare_rows
        if made.unseen:
            labels[TRAIN] = "7" if made.names[0].isdigit() else "unseen"
    rows = [{"paper_id": n, "label": labels[n]} for n in range(PAPERS)]
    train = [*rows[:TRAIN], *(rows[n] for n in made.repeated)]
    return train, [*rows[TRAIN:], *(rows[n] for n in made.leaked)], vectors


def task_of(kind: str, metric: str, shots: list[tuple[int, int]]) -> TaskSpec:
    return TaskSpec(
        name="toy",
        title="Toy",
        format=Format.REGRESSION if kind == "regression" else Format.CLASSIFICATION,
        evaluation="probe",
        metrics=(metric,),
        multi_label=kind == "multi",
        few_shot=tuple(FewShot(sample_size=size, iterations=count) for size, count in shots),
        local=LocalData(documents="meta.jsonl", labels="."),
    )


def harness_scores(task: TaskSpec, train: Rows, test: Rows, vectors: Vectors) -> dict[str, float]:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        # An id is a number in every other row.
        meta = [{"doc_id": key if int(key) % 2 else int(key), "title": f"Paper {key}",
                 "abstract": None} for key in vectors]  # fmt: skip
        text = "".join(json.dumps(row) + "\n" for row in meta)
        (folder / "meta.jsonl").write_text(text, encoding="utf-8")
        for split, rows in (("train", train), ("test", test)):
            with (folder / f"{split}.csv").open("w", newline="", encoding="utf-8") as file:
                writer = csv.DictWriter(file, ["paper_id", "label"])
                writer.writeheader()
                writer.writerows(rows)
        data = load_task(task, SUITE, DataOptions(directory=folder)).data
    assert isinstance(data, LabelledSet)
    outcome = evaluate_probe(task, data, Table(vectors), probe="reference", seed=42)
    return {score.key: score.value for score in outcome.scores}


def check(
    rows: tuple[Rows, Rows, Vectors], kind: str, metric: str, shots: list[tuple[int, int]]
) -> None:
    """The same solver on both sides, so scores are equal but for the last bits of a mean."""
    train, test, vectors = rows
    found = harness_scores(task_of(kind, metric, shots), train, test, vectors)
    expected = oracle.scores(train, test, vectors, kind, metric, shots)
    assert found.keys() == expected.keys()
    for key, value in expected.items():
        assert found[key] == pytest.approx(value, abs=1e-9), key


@settings(max_examples=12, deadline=None, derandomize=True)
@given(made=MADE)
def test_single_label_with_rare_and_unseen_classes(made: Made) -> None:
    rows = labelled_rows(made, "single", rare=True)
    check(rows, "single", "f1_macro", [(16, 50), (9, 2)])


@settings(max_examples=8, deadline=None, derandomize=True)
@given(made=MADE)
def test_two_classes(made: Made) -> None:
    check(labelled_rows(made, "single", classes=2), "single", "f1", [(12, 3)])


@settings(max_examples=6, deadline=None, derandomize=True)
@given(made=MADE)
def test_several_labels(made: Made) -> None:
    check(labelled_rows(made, "multi"), "multi", "f1_macro", [(6, 2), (3, 2)])


@settings(max_examples=10, deadline=None, derandomize=True)
@given(made=MADE)
def test_regression_with_tied_labels(made: Made) -> None:
    check(labelled_rows(made, "regression"), "regression", "kendalltau", [])
