"""Tasks, models and audits from Python."""

from __future__ import annotations

import pytest

import scirepeval_harness as sh


def test_tasks_by_name_and_as_a_table() -> None:
    tasks = sh.tasks("scirepeval", formats=["adhoc_search"])
    assert "search" in tasks
    assert tasks["search"].metrics == ("ndcg",)
    frame = tasks.to_pandas()
    assert set(frame["format"]) == {"adhoc_search"}
    assert "<table" in tasks._repr_html_()
    with pytest.raises(sh.HarnessError, match="Did you mean search"):
        tasks["serch"]


def test_what_defines_a_task_with_a_models_use_of_it() -> None:
    tasks = sh.tasks()
    fields = dict(tasks.describe("search", "specter2"))
    assert "adhoc_query" in fields["specter2: queries"]
    assert fields["specter2: candidates"] == "allenai/specter2"  # its proximity adapter
    record = tasks.definition("search", "specter2")
    assert record["model"].keys() == record["roles"].keys()  # type: ignore[attr-defined]


def test_models_by_name_and_by_anything_that_evaluate_takes() -> None:
    models = sh.models()
    assert {"bm25", "specter", "scincl", "scirepeval-adapters", "specter2-base", "specter2"} <= set(
        models
    )
    assert dict(models.describe("some-org/some-model"))["base"].startswith("some-org/some-model")
    assert models.definition("bm25")["kind"] == "bm25"


def test_an_audit_says_what_a_run_would_refuse() -> None:
    audited = sh.audit("sample-search")
    assert not audited.blocked
    assert audited.require_complete() is audited
    assert {finding.name for finding in audited.audit.findings} >= {"queries with one candidate"}
