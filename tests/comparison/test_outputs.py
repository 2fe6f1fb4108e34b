"""Markdown, JUnit and JSON of made comparisons: golden files, structure, hostile names."""

from __future__ import annotations

import json
import re
import xml.etree.ElementTree as ET
from pathlib import Path

import numpy as np
import pytest

from scirepeval_harness.comparison.compare import examine
from scirepeval_harness.comparison.gate import GateReport, gate
from scirepeval_harness.comparison.policy import Floors, Policy
from scirepeval_harness.comparison.records import Comparison
from scirepeval_harness.errors import StorageError
from scirepeval_harness.reporting import comparison as render
from scirepeval_harness.reporting.gate import (
    LARGEST,
    append_step_summary,
    gate_markdown,
    gate_table,
    gate_values,
    junit_xml,
)
from scirepeval_harness.reporting.table import number
from tests.support.golden import HOSTILE, check_golden
from tests.support.made_results import queries, query_task, suite_of, system

GOLDEN = Path(__file__).parent / "golden"


def made(
    title: str = "Model B", task_title: str = "Related Papers"
) -> tuple[Comparison, GateReport]:
    one = query_task("related", title=task_title)
    two = query_task("search", title="Search", format="adhoc_search", metrics=("map", "ndcg"))
    three = query_task("lost", title="Lost")
    suite = suite_of(one, two, three)
    tasks = {task.name: task for task in (one, two, three)}
    start = np.linspace(0.3, 0.7, 50)
    wave = 0.01 * np.sin(np.arange(50))
    base = system(
        "Model A",
        queries(suite, one, start),
        queries(suite, two, start),
        queries(suite, three, start),
    )
    other = system(
        title, queries(suite, one, start + 0.01 + wave), queries(suite, two, start - 0.02 + wave)
    )
    policy = Policy(floors=Floors(tasks={"related": 10.0}))
    report = gate(base, other, [suite], tasks, policy, seed=1)
    return examine(base, other, [suite], tasks, seed=1, allow_mismatch=False), report


def test_the_comparison_as_markdown() -> None:
    check_golden(GOLDEN / "compare.md", render.comparison_markdown(made()[0]))


def test_the_gate_as_markdown() -> None:
    check_golden(GOLDEN / "gate.md", gate_markdown(made()[1]))


def test_the_gate_as_junit() -> None:
    check_golden(GOLDEN / "junit.xml", junit_xml(made()[1]))


def check_junit(text: str) -> ET.Element:
    """The structure that Jenkins' schema of JUnit files asks for."""
    root = ET.fromstring(text)
    assert root.tag == "testsuites"
    suites = list(root)
    assert {suite.tag for suite in suites} == {"testsuite"}
    for suite in suites:
        cases = list(suite)
        assert {case.tag for case in cases} == {"testcase"}
        assert suite.get("name")
        kinds = [child.tag for case in cases for child in case]
        assert set(kinds) <= {"failure", "error", "system-out"}
        assert int(suite.attrib["tests"]) == len(cases)
        assert int(suite.attrib["failures"]) == kinds.count("failure")
        assert int(suite.attrib["errors"]) == kinds.count("error")
        for case in cases:
            assert case.attrib["name"]
            assert case.attrib["classname"]
            for child in case:
                if child.tag != "system-out":
                    assert child.attrib["message"]
                    assert child.attrib["type"]
    for name in ("tests", "failures", "errors"):
        assert int(root.attrib[name]) == sum(int(suite.attrib[name]) for suite in suites)
    return root


def test_junit_has_one_case_a_task_and_score() -> None:
    root = check_junit(junit_xml(made()[1]))
    names = [(case.get("classname"), case.get("name")) for case in root.iter("testcase")]
    assert names == [
        ("made.related", "map"),
        ("made.search", "map"),
        ("made.search", "ndcg"),
        ("made.lost", "-"),
        ("averages", "Average"),
    ]
    errors = [c.get("classname") for c in root.iter("testcase") if c.find("error") is not None]
    assert errors == ["made.lost"]


@pytest.mark.parametrize("name", HOSTILE, ids=range(len(HOSTILE)))
def test_hostile_names_do_no_harm(name: str, tmp_path: Path) -> None:
    comparison, report = made(title=name, task_title=name)
    for text in (render.comparison_markdown(comparison), gate_markdown(report)):
        text.encode()
        assert "<script" not in text
        assert not re.search(r"[\x00-\x08\x0b-\x1f\x7f\u202e]", text)
        assert len(text) < 10_000
        rows = [line for line in text.splitlines() if line.startswith("|")]
        widths = {cells(row) for row in rows}
        assert widths <= {7, 9, 11}, widths
    check_junit(junit_xml(report)).iter()
    assert json.loads(json.dumps(gate_values(report)))["candidate"] == name
    assert json.loads(json.dumps(render.comparison_values(comparison)))["other"] == name
    for table in (render.score_table(comparison), gate_table(report.cases)):
        cells_of = [cell.text for row in table.rows for cell in row]
        assert cells_of
        assert all(text.isprintable() and len(text) < 200 for text in cells_of)


def cells(row: str) -> int:
    """Cells of a markdown row, counting a pipe after an even number of backslashes."""
    return len(re.findall(r"(?<!\\)(?:\\\\)*\|", row)) - 1


def test_json_holds_every_number_at_full_precision() -> None:
    comparison, report = made()
    values = gate_values(report)
    assert values["outcome"] == "incomplete"
    assert values["exit_code"] == 3
    assert values["cases"][0]["difference"] == comparison.tasks[0].difference
    assert values["policy"]["tolerance"]["ranking"] == 0.1
    assert render.comparison_values(comparison)["losses"] == 2


def test_the_step_summary_is_appended_and_kept_below_the_limit(tmp_path: Path) -> None:
    path = tmp_path / "summary.md"
    path.write_text("before\n")
    assert append_step_summary("## after\n", {"GITHUB_STEP_SUMMARY": str(path)}) == path
    assert path.read_text() == "before\n## after\n"
    assert append_step_summary("x", {}) is None
    append_step_summary("é" * LARGEST, {"GITHUB_STEP_SUMMARY": str(path)})
    assert path.stat().st_size < LARGEST + 100
    with pytest.raises(StorageError, match="step summary"):
        append_step_summary("x", {"GITHUB_STEP_SUMMARY": str(tmp_path / "no" / "folder")})


def test_differences_in_the_last_bits_show_as_none() -> None:
    assert number(-1e-15, True) == "0.00"
    assert number(0.314, True) == "+0.31"
    assert number(None) == "-"
