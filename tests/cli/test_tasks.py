"""``tasks list`` and ``tasks show``."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from scirepeval_harness.cli.tasks import app
from scirepeval_harness.errors import CoverageError, SpecError, UnknownNameError, UsageError

OWN = """
name = "own-task"
title = "Own [bold]task[/bold]\\u001b[31m"
format = "proximity"
evaluation = "ranking"
metrics = ["map"]
"""


def run(*arguments: str) -> Result:
    return CliRunner().invoke(app, list(arguments))


def rows(result: Result) -> list[list[str]]:
    """Cells of a plain table, without its header."""
    assert result.exit_code == 0, result.output
    return [line.split() for line in result.output.splitlines()[1:]]


def test_list_shows_every_task_with_its_group() -> None:
    result = run("list", "--suite", "scirepeval")
    table = {row[0]: row for row in rows(result)}
    assert len(table) == 23
    assert result.output.splitlines()[0].split() == [
        *("name", "format", "evaluation", "group", "metrics", "few-shot", "suite")
    ]
    assert table["search"][1:] == [
        *("adhoc_search", "ranking", "In-Train", "ndcg", "-", "scirepeval")
    ]
    assert table["drsm"][4:] == ["f1_macro", "64", "x", "50,", "24", "x", "100", "scirepeval"]


def test_list_by_format_and_suite() -> None:
    listed = rows(run("list", "--suite", "scirepeval", "--format", "regression"))
    assert [row[0] for row in listed] == [
        "citation-count",
        "publication-year",
        "peer-review-score",
        "max-hindex",
        "tweet-mentions",
    ]


def test_list_as_json() -> None:
    listed = json.loads(run("list", "--suite", "mdcr", "--json").output)
    assert [(row["name"], row["metrics"]) for row in listed] == [
        ("mdcr", ["map", "ndcg", "recall_5"])
    ]


def test_list_of_own_tasks(tmp_path: Path) -> None:
    (tmp_path / "own.toml").write_text(OWN, encoding="utf-8")
    listed = rows(run("list", "--tasks-dir", str(tmp_path)))
    assert "own-task" in {row[0] for row in listed}


def test_errors_are_raised_for_the_command_line_to_print(tmp_path: Path) -> None:
    assert isinstance(run("list", "--suite", "scirepval").exception, UnknownNameError)
    assert isinstance(run("show", "serch").exception, UnknownNameError)
    assert isinstance(run("show", "search", "--model", "spectr2").exception, UnknownNameError)
    assert isinstance(run("list", "--tasks-dir", str(tmp_path)).exception, SpecError)
    nothing = run("list", "--suite", "mdcr", "--format", "regression")
    assert isinstance(nothing.exception, UsageError)


def test_show_prints_data_revisions_and_roles() -> None:
    result = run("show", "search")
    assert result.exit_code == 0, result.output
    lines = [" ".join(line.split()) for line in result.output.splitlines()]
    pin = "781d35d1bf87253b3dcd0fadcb82bfbee9c244f1"
    assert f"hub documents allenai/scirepeval @ {pin}, config search, split evaluation" in lines
    assert (
        "hub labels allenai/scirepeval_test @ refs/convert/parquet, config search, split test"
        in lines
    )
    assert "text fields title, abstract, venue, year" in lines
    assert "suite scirepeval, In-Train" in lines
    assert "role of queries query" in lines
    assert "role of candidates proximity" in lines


@pytest.mark.parametrize(
    ("task", "model", "expected"),
    [
        (
            "search",
            "specter2",
            {"queries": "allenai/specter2_adhoc_query", "candidates": "allenai/specter2"},
        ),
        (
            "relish",
            "scirepeval-adapters",
            {
                "queries": "allenai/scirepeval_adapters_prx",
                "candidates": "allenai/scirepeval_adapters_prx",
            },
        ),
        ("drsm", "scirepeval-ctrl", {"documents": "control code [CLF]"}),
        ("max-hindex", "specter2", {"documents": "allenai/specter2_regression"}),
        ("reviewer-matching", "specter2", {"documents": "allenai/specter2"}),
        ("s2and", "scincl", {"documents": "malteos/scincl (no adapter)"}),
        ("drsm", "bm25", {"documents": "does not apply: the task needs vectors"}),
    ],
)
def test_show_what_a_model_would_use(task: str, model: str, expected: dict[str, str]) -> None:
    record = json.loads(run("show", task, "--model", model, "--json").output)
    assert record["model"] == expected
    printed = [
        " ".join(line.split()) for line in run("show", task, "--model", model).output.splitlines()
    ]
    for side, use in expected.items():
        assert f"{model}: {side} {use}" in printed


def test_show_few_shot_and_fields() -> None:
    text = run("show", "fields-of-study").output
    assert "classification (multi-label)" in text
    assert "10 positives a class, 50 times" in text
    assert "64 rows, 50 times" in run("show", "drsm").output
    assert "19 fields" in run("show", "mdcr").output


def test_show_as_json_says_where_and_in_which_suites() -> None:
    record = json.loads(run("show", "drsm", "--json").output)
    assert record["suites"]["scirepeval"]["group"] == "Out-of-Train"
    assert record["suites"]["scirepeval"]["revisions"]["allenai/scirepeval"].startswith("781d35d")
    assert record["defined_in"].endswith("drsm.toml")
    assert record["few_shot"][0] == {"sample_size": 64, "iterations": 50}


def test_control_characters_of_a_title_do_not_reach_the_terminal(tmp_path: Path) -> None:
    (tmp_path / "own.toml").write_text(OWN, encoding="utf-8")
    text = run("show", "own-task", "--tasks-dir", str(tmp_path)).output
    assert "\x1b" not in text
    assert "Own [bold]task[/bold]" in text


def test_the_commands_import_no_heavy_library() -> None:
    program = (
        "import sys\n"
        "from scirepeval_harness.cli import models, tasks\n"
        "from typer.testing import CliRunner\n"
        "assert CliRunner().invoke(tasks.app, ['list']).exit_code == 0\n"
        "assert CliRunner().invoke(models.app, ['list']).exit_code == 0\n"
        "heavy = {'numpy', 'pandas', 'torch', 'transformers', 'sklearn', 'scipy', 'datasets',\n"
        "         'adapters', 'matplotlib', 'pyarrow'}\n"
        "print(sorted(heavy & set(sys.modules)))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "[]"


def test_check_counts_leaks_and_labels_of_packaged_data() -> None:
    result = run("check", "sample-pools", "--json")
    record = json.loads(result.output)
    found = {finding["name"]: finding["count"] for finding in record["findings"]}
    assert found["queries without a relevant candidate"] == 0
    queries = next(s["counts"] for s in record["distribution"] if s["name"] == "queries")
    assert sum(queries.values()) == 48


def test_check_counts_what_is_missing_before_it_refuses(tmp_path: Path) -> None:
    (tmp_path / "tasks").mkdir()
    local = '[local]\ndocuments = "meta.jsonl"\nlabels = "."\n'
    (tmp_path / "tasks" / "own.toml").write_text(OWN + local)
    rows_of = [
        {"doc_id": 1, "title": "One", "abstract": None},
        {"doc_id": 2, "title": "", "abstract": None},
        {"doc_id": 3, "title": "Three", "abstract": "Text"},
    ]
    grades = [{"query_id": 1, "cand_id": cand, "score": 1} for cand in (2, 3, 4)]
    for name, lines in (("meta.jsonl", rows_of), ("test_qrel.jsonl", grades)):
        (tmp_path / name).write_text("".join(json.dumps(line) + "\n" for line in lines))
    result = run(
        "check", "own-task", "--tasks-dir", str(tmp_path / "tasks"), "--data", str(tmp_path)
    )
    assert isinstance(result.exception, CoverageError)
    lines = [line.split() for line in result.output.splitlines()]
    assert ["documents", "without", "text", "1", "4"] in lines
    assert ["ids", "without", "a", "document", "1", "4", "4"] in lines
