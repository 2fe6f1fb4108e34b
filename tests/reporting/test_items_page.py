"""The page's section of single queries and rows."""

from __future__ import annotations

import csv
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import scirepeval_harness as sh
from scirepeval_harness.comparison.compare import examine
from scirepeval_harness.comparison.systems import measured_system
from scirepeval_harness.reporting.build import build_report
from scirepeval_harness.reporting.charts import draw_plots
from scirepeval_harness.reporting.content import ItemLine, Report
from scirepeval_harness.reporting.pages import report_html
from scirepeval_harness.results.folder import Result, load_result
from scirepeval_harness.task.dataset import Document
from scirepeval_harness.task.registry import load_registry
from tests.support.golden import HOSTILE
from tests.support.made_results import queries, query_task, suite_of, write_result

ROOT = Path(__file__).resolve().parents[2]
BASELINES = ROOT / "results" / "baselines" / "sample"
TASK = query_task("one")
SUITE = suite_of(TASK)
VALUES = {"A": [0.1, 0.5, 0.9, 0.3], "B": [0.4, 0.5, 0.2, 0.3]}


def made(folder: Path, values: Mapping[str, list[float]] = VALUES) -> list[Result]:
    tasks = {title: queries(SUITE, TASK, own, title) for title, own in values.items()}
    return [load_result(write_result(folder, title, task)) for title, task in tasks.items()]


def built(results: list[Result], items: int = 1, **what: Any) -> Report:
    base, *others = map(measured_system, results)
    tasks = {TASK.name: TASK}
    comparisons = [
        examine(base, other, [SUITE], tasks, seed=1, allow_mismatch=False) for other in others
    ]
    return build_report(results, [SUITE], tasks, comparisons=comparisons, items=items, **what)


def by_item(report: Report) -> dict[str, ItemLine]:
    (group,) = report.items
    return {line.item: line for line in group.lines}


def test_each_models_ends_and_where_they_part(tmp_path: Path) -> None:
    lines = by_item(built(made(tmp_path)))
    assert {name: line.reasons for name, line in lines.items()} == {
        "q0": ("worst of A", "B ahead most"),
        "q2": ("best of A", "worst of B", "B behind most"),
        "q1": ("best of B",),
    }
    assert lines["q2"].values == pytest.approx((90, 20))


def test_of_many_models_those_on_average(tmp_path: Path) -> None:
    values = {f"m{number}": [0.1, 0.2 * number, 0.9] for number in range(5)}
    lines = by_item(built(made(tmp_path, values)))
    assert {name: line.reasons for name, line in lines.items()} == {
        "q0": ("worst on average",),
        "q2": ("best on average",),
        "q1": ("most different",),
    }


def test_none_are_shown_where_none_are_asked_for(tmp_path: Path) -> None:
    report = built(made(tmp_path), items=0)
    assert report.items == ()
    assert "Queries and rows" not in report_html(report, draw_plots(report))


def test_texts_of_others_are_text(tmp_path: Path) -> None:
    bad = f"{HOSTILE[0]} {HOSTILE[7]} {HOSTILE[2]}"
    documents = {f"q{number}": Document(f"q{number}", (bad, "abstract")) for number in range(4)}
    report = built(made(tmp_path), read=lambda suite, task: (documents, (), None))
    page = report_html(report, draw_plots(report))
    assert page.count("<script") == 1
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in page
    assert "\x1b" not in page
    report = built(made(tmp_path / "none"), read=lambda suite, task: ({}, (), "<b>gone</b>"))
    page = report_html(report, draw_plots(report))
    assert "No texts: &lt;b&gt;gone&lt;/b&gt;." in page


def test_texts_are_on_the_page_only_where_they_are_asked_for(tmp_path: Path) -> None:
    page, plain = (
        sh.report(BASELINES / "tfidf", tmp_path / str(texts), texts=texts, items=1).page.read_text()
        for texts in (True, False)
    )
    ((_, [row]),) = sh.items(BASELINES / "tfidf", "sample-topics", worst=1, best=0).groups
    assert row.text is not None
    title = row.text.split(" | ")[0]
    assert row.item in page
    assert row.item in plain
    assert title in page
    assert title not in plain


@pytest.mark.parametrize("task", ["sample-topics", "sample-nature"])
def test_labels_are_those_of_the_data(task: str) -> None:
    registry = load_registry()
    folder, labels = registry.suite("sample").folder, registry.task(task).local.labels
    assert folder is not None
    with (folder / "data" / str(labels) / "test.csv").open() as lines:
        truth = {row["paper_id"]: row["label"] for row in csv.DictReader(lines)}
    view = sh.items(BASELINES / "tfidf", task, worst=20, best=20)
    rows = [row for _, rows in view.groups for row in rows]
    assert {row.truth for row in rows} <= set(truth.values())
    assert all(truth[row.item] == row.truth for row in rows)
    right = np.array([row.truth == row.prediction for row in rows])
    assert right.tolist() == [row.value == 100 for row in rows]
