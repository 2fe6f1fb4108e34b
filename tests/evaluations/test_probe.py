from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

import numpy as np
import pytest

import scirepeval_harness as sh
from scirepeval_harness.errors import CoverageError, ProbeError
from scirepeval_harness.evaluations.probe import LabelledSet
from scirepeval_harness.evaluations.probe_scores import evaluate_probe
from scirepeval_harness.roles import Format
from scirepeval_harness.task.dataset import Document
from scirepeval_harness.task.spec import FewShot, TaskSpec
from tests.probes import oracles


class Table:
    def __init__(self, rows: dict[str, np.ndarray]) -> None:
        self.rows = rows

    def take(self, ids: Sequence[str]) -> np.ndarray:
        for name in ids:
            if name not in self.rows:
                raise CoverageError(f"no vector for {name}")
        return np.stack([self.rows[name] for name in ids]).astype(np.float32)


def make_task(metric: str, *, few_shot: tuple[FewShot, ...] = (), **more: object) -> TaskSpec:
    regression = metric == "kendalltau"
    return TaskSpec(
        name="toy",
        title="Toy",
        format=Format.REGRESSION if regression else Format.CLASSIFICATION,
        evaluation="probe",
        metrics=(metric,),
        few_shot=few_shot,
        **more,
    )


def make_set(x: np.ndarray, y: np.ndarray, train: int) -> tuple[LabelledSet, Table]:
    ids = [f"d{i}" for i in range(len(x))]
    classes = () if y.dtype.kind == "f" else tuple(f"c{k}" for k in range(int(y.max()) + 1))
    data = LabelledSet(
        documents={name: Document(name, ("text",)) for name in ids},
        train_ids=tuple(ids[:train]),
        train_labels=y[:train],
        test_ids=tuple(ids[train:]),
        test_labels=y[train:],
        classes=classes,
    )
    return data, Table(dict(zip(ids, x.astype(np.float32), strict=True)))


def toy(n: int, classes: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    y = rng.integers(0, classes, n)
    x = rng.normal(size=(classes, 12))[y] + 1.5 * rng.normal(size=(n, 12))
    return x.astype(np.float32), y


@pytest.mark.parametrize(("metric", "classes"), [("f1", 2), ("f1_macro", 4)])
def test_classification_with_few_shot_equals_loops(metric: str, classes: int) -> None:
    x, y = toy(260, classes)
    shots = (FewShot(sample_size=30, iterations=4), FewShot(sample_size=20, iterations=99))
    data, table = make_set(x, y, 200)
    outcome = evaluate_probe(
        make_task(metric, few_shot=shots), data, table, probe="reference", seed=42
    )

    def score(prediction: np.ndarray) -> float:
        truth = y[200:].tolist()
        got = prediction.tolist()
        value = oracles.f1_of(truth, got, 1) if metric == "f1" else oracles.f1_macro_of(truth, got)
        return 100 * value

    want, c = oracles.classifier(x[:200], y[:200], x[200:], grid=True)
    found = {s.key: s.value for s in outcome.scores}
    assert list(found) == [metric, f"{metric}@30-shot", f"{metric}@20-shot"]
    assert found[metric] == pytest.approx(score(want), abs=1e-9)
    assert outcome.notes["settings"]["full"]["chosen_c"] == c
    for shot in shots:
        folds = oracles.stratified_folds(y[:200].tolist(), math.ceil(200 / shot.sample_size))
        values = []
        for rows in folds[: shot.iterations]:
            prediction, _ = oracles.classifier(x[rows], y[rows], x[200:], grid=False)
            values.append(round(score(prediction), 2))
        name = f"{metric}@{shot.sample_size}-shot"
        assert found[name] == pytest.approx(sum(values) / len(values), abs=1e-9)
    assert len(outcome.items) == 60 * (1 + 4 + 10)


def test_multilabel_with_few_shot_equals_loops() -> None:
    x, y = toy(200, 5)
    labels = np.stack([y == 0, y <= 1, y == 2, y >= 3], axis=1).astype(int)
    data, table = make_set(x, labels, 150)
    task = make_task("f1_macro", multi_label=True, few_shot=(FewShot(sample_size=8, iterations=3),))
    outcome = evaluate_probe(task, data, table, probe="reference", seed=42)
    full, chosen = oracles.multilabel(x[:150], labels[:150], x[150:])
    values = []
    for k in range(3):
        rows = oracles.positives_drawn(labels[:150], 8, 42 + k)
        got, _ = oracles.multilabel(x[rows], labels[rows], x[150:])
        values.append(round(100 * oracles.f1_macro_of_matrix(labels[150:], got), 2))
    found = {s.key: s.value for s in outcome.scores}
    assert found["f1_macro"] == pytest.approx(
        100 * oracles.f1_macro_of_matrix(labels[150:], full), abs=1e-9
    )
    assert found["f1_macro@8-shot"] == pytest.approx(sum(values) / 3, abs=1e-9)
    notes = outcome.notes["settings"]
    assert notes["full"]["chosen_c"] == chosen
    assert sum(notes["8-shot"]["chosen_c_counts"].values()) == 3 * 4
    assert notes["8-shot"]["iteration_scores"]["f1_macro"] == values


def test_regression_equals_loops() -> None:
    rng = np.random.default_rng(5)
    x = rng.normal(size=(140, 6)).astype(np.float32)
    y = x @ rng.normal(size=6) + rng.normal(size=140)
    data, table = make_set(x, y.astype(np.float64), 100)
    outcome = evaluate_probe(make_task("kendalltau"), data, table, probe="reference", seed=42)
    want, c = oracles.regressor(x[:100], data.train_labels, x[100:])
    assert outcome.kind == "values"
    assert outcome.scores[0].value == pytest.approx(
        100 * oracles.tau_b_of(y[100:].tolist(), want.tolist()), abs=1e-9
    )
    assert outcome.notes["settings"]["full"]["chosen_c"] == c


def test_items_give_the_scores_again_and_notes_are_json() -> None:
    x, y = toy(120, 3)
    labels = np.stack([y == 0, y <= 1, y == 2], axis=1).astype(int)
    data, table = make_set(x, labels, 90)
    shots = (FewShot(sample_size=5, iterations=2),)
    task = make_task("f1_macro", multi_label=True, few_shot=shots)
    outcome = evaluate_probe(task, data, table, probe="reference", seed=42)
    assert outcome.kind == "classes"
    assert list(outcome.items.columns) == ["setting", "iteration", "item", "truth", "prediction"]
    groups = outcome.items.groupby(["setting", "iteration"], sort=False)
    assert list(groups.groups) == [("full", 0), ("5-shot", 0), ("5-shot", 1)]
    again = {}
    for (setting, _), rows in groups:
        assert rows["item"].tolist() == list(data.test_ids)
        sides = []
        for column in ("truth", "prediction"):
            side = np.zeros((len(rows), 3), dtype=int)
            for i, present in enumerate(rows[column]):
                side[i, present] = 1
            sides.append(side)
        value = 100 * oracles.f1_macro_of_matrix(*sides)
        again.setdefault(setting, []).append(value if setting == "full" else round(value, 2))
    for score in outcome.scores:
        assert np.mean(again[score.setting]) == pytest.approx(score.value, abs=1e-9)
    assert json.loads(json.dumps(outcome.notes)) == outcome.notes


def test_same_seed_same_outcome() -> None:
    x, y = toy(120, 3)
    data, table = make_set(x, y, 90)
    task = make_task("f1_macro", few_shot=(FewShot(sample_size=20, iterations=2),))
    first, second = (
        evaluate_probe(task, data, table, probe="reference", seed=42) for _ in range(2)
    )
    assert first.scores == second.scores
    assert first.items.equals(second.items)
    assert first.notes == second.notes


def test_errors_name_the_task() -> None:
    x, y = toy(40, 2)
    data, table = make_set(x, np.zeros(40, dtype=int), 30)
    with pytest.raises(ProbeError, match=r"^toy: all 30 training rows have the same class"):
        evaluate_probe(make_task("f1_macro"), data, table, probe="reference", seed=42)
    data, table = make_set(x, y, 30)
    task = make_task("f1_macro", few_shot=(FewShot(sample_size=64, iterations=2),))
    with pytest.raises(ProbeError, match=r"^toy: 30 training rows for samples of 64"):
        evaluate_probe(task, data, table, probe="reference", seed=42)


def test_fits_are_counted_one_by_one_and_to_the_end() -> None:
    """A search of minutes must show that it moves, and the bar must end where it was to end. Fits
    of few rows, which are quick, have bars of their own: the time left is that of fits alike."""
    bars: list[tuple[str, str, int, list[int]]] = []

    class Bars(sh.Silent):
        @contextmanager
        def bar(
            self, title: str, total: int, unit: str = "doc", phase: str = ""
        ) -> Iterator[Callable[[int], None]]:
            done: list[int] = []
            if unit == "fit":
                bars.append((title, phase, total, done))
            yield done.append

    phases = {
        "sample-year": ["probe"],
        "sample-topics": ["probe"],
        "sample-fields": ["probe", "few-shot", "few-shot"],
    }
    for probe in ("exact", "sklearn"):
        bars.clear()
        results = sh.evaluate(
            "tfidf", suite="sample", tasks=list(phases), limit=120, cache=None, probe=probe,
            progress=Bars(),
        )  # fmt: skip
        for task, wanted in phases.items():
            own = [bar for bar in bars if bar[0] == task]
            notes = results["tfidf"].tasks[task].notes["settings"]
            assert [phase for _, phase, _, _ in own] == wanted
            made = sum(one["fits"] for one in notes.values())
            counted = sum(sum(done) for _, _, _, done in own)
            # A regression leaves out what cannot win, and is done with it.
            assert made <= counted if task == "sample-year" else made == counted
            for _, phase, total, done in own:
                # Of several labels constant ones are not fitted.
                assert sum(done) <= total if task == "sample-fields" else sum(done) == total
                assert len(done) > 10 if probe == "exact" and phase == "probe" else done
