"""SciRepEval's own task lists."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from scirepeval_harness.api.evaluate import choose
from scirepeval_harness.api.results import Results
from scirepeval_harness.errors import IncompleteRunError, SpecError
from scirepeval_harness.task.official import read_official, slug_of
from scirepeval_harness.task.registry import load_registry
from scirepeval_harness.task.spec import TaskSpec

LOCAL = {"meta": "x/meta.jsonl", "test": "x/labels"}
LINE = {"name": "A Task", "type": "classification", "data": LOCAL, "metrics": ["f1_macro"]}


def hub(meta: str, test: str, **more: Any) -> dict[str, Any]:
    return {
        "meta": {"name": "allenai/scirepeval", "config": meta},
        "test": {"name": "allenai/scirepeval_test", "config": test},
        **more,
    }


def read(tmp_path: Path, *lines: dict[str, Any] | str) -> list[TaskSpec]:
    path = tmp_path / "tasks.jsonl"
    text = [line if isinstance(line, str) else json.dumps(line) for line in lines]
    path.write_text("\n".join(text) + "\n", encoding="utf-8")
    return [task for task, _ in read_official(path) if isinstance(task, TaskSpec)]


@pytest.mark.parametrize(
    ("name", "slug"),
    [
        ("Paper-Reviewer Matching", "paper-reviewer-matching"),
        ("DRSM (gold standard)", "drsm-gold-standard"),
        ("TREC-CoVID", "trec-covid"),
        ("Études  &  co.", "etudes-co"),
        ("x" * 100, "x" * 80),
        ("---", ""),
    ],
)
def test_slugs(name: str, slug: str) -> None:
    assert slug_of(name) == slug


def test_a_local_classification_task(tmp_path: Path) -> None:
    [task] = read(
        tmp_path,
        {
            **LINE,
            "multi_label": True,
            "few_shot": [{"sample_size": 10, "iterations": 50}],
            "embeddings": {"save": "embeddings/a.jsonl"},
        },
    )
    assert (task.name, task.title, task.evaluation, task.multi_label) == (
        "a-task",
        "A Task",
        "probe",
        True,
    )
    assert [(shots.sample_size, shots.iterations) for shots in task.few_shot] == [(10, 50)]
    assert (task.local.documents, task.local.labels, task.hub) == (
        "x/meta.jsonl",
        "x/labels",
        None,
    )


def test_a_hub_ranking_task_has_its_local_form_too(tmp_path: Path) -> None:
    data = hub("scidocs_view_cite_read", "scidocs_cite", simple_format=True)
    [task] = read(
        tmp_path,
        {"name": "Cite", "type": "proximity", "data": data, "metrics": ["map", "ndcg"]},
    )
    assert task.hub is not None
    assert task.hub.documents is not None
    assert task.hub.labels is not None
    assert (task.hub.documents.config, task.hub.documents.split) == (
        "scidocs_view_cite_read",
        "evaluation",
    )
    assert (task.hub.labels.repo, task.hub.labels.split) == ("allenai/scirepeval_test", "test")
    assert task.local.documents == "scidocs_view_cite_read/meta.jsonl"
    assert task.local.labels == "scidocs_cite"


def test_extra_fields_are_of_candidates_in_search_and_of_both_sides_in_proximity(
    tmp_path: Path,
) -> None:
    fields = ["title", "abstract", "venue"]
    search = {"name": "S", "type": "adhoc_search", "data": LOCAL, "metrics": ["ndcg"]}
    near = {"name": "P", "type": "proximity", "data": LOCAL, "metrics": ["map"]}
    found, close = read(tmp_path, {**search, "fields": fields}, {**near, "fields": fields})
    assert (found.fields, found.query_fields) == (tuple(fields), ("title", "abstract"))
    assert (close.fields, close.query_fields) == (tuple(fields), tuple(fields))


def test_reviewers_make_reviewer_matching(tmp_path: Path) -> None:
    reviewers = {"name": "allenai/scirepeval_test", "config": "reviewers"}
    data = hub("paper_reviewer_matching", "paper_reviewer_matching", reviewers=reviewers)
    [task] = read(
        tmp_path, {"name": "R", "type": "proximity", "data": data, "metrics": ["P_5", "P_10"]}
    )
    assert task.evaluation == "reviewer_matching"
    assert task.hub is not None
    assert task.hub.reviewers is not None
    assert task.hub.labels is not None
    assert task.hub.labels.split is None
    assert (task.hub.reviewers.config, task.hub.reviewers.split) == ("reviewers", "metadata")
    assert task.local.reviewers == "reviewers"


def test_a_json_file_as_test_is_mdcrs_form(tmp_path: Path) -> None:
    data = {"meta": "m/data.jsonl", "test": "m/pools.json"}
    [task] = read(tmp_path, {"name": "M", "type": "proximity", "data": data, "metrics": ["map"]})
    assert task.evaluation == "citation_pools"
    assert (task.local.pools, task.local.documents, task.local.labels) == (
        "m/pools.json",
        "m/data.jsonl",
        None,
    )


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("{", "tasks.jsonl:2: malformed JSON"),
        ("[1]", "tasks.jsonl:2: not a JSON object"),
        (json.dumps({**LINE, "typ": "x"}), "tasks.jsonl:2: typ: unknown key. Did you mean type?"),
        (json.dumps({**LINE, "type": "ranking"}), "tasks.jsonl:2: type: must be one of"),
        (json.dumps(LINE)[:-1] + ', "metrics": []}', "tasks.jsonl:2: malformed JSON: the key"),
        (json.dumps({**LINE, "data": {"meta": "x"}}), "tasks.jsonl:2: data.test: is required"),
    ],
)
def test_errors_name_file_line_and_field(tmp_path: Path, line: str, message: str) -> None:
    with pytest.raises(SpecError) as caught:
        read(tmp_path, {**LINE, "name": "First"}, line)
    assert message in str(caught.value)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"metrics": ["map"]}, "tasks.jsonl:2: metrics: 'map' does not fit"),
        ({"metrics": ["no_such"]}, "tasks.jsonl:2: metrics: 'no_such' does not fit"),
        (
            {"few_shot": [{"sample_size": 0, "iterations": 1}]},
            "tasks.jsonl:2: few_shot.0.sample_size: must be >= 1, not 0",
        ),
    ],
)
def test_a_task_that_cannot_be_evaluated_is_refused_alone(
    tmp_path: Path, change: dict[str, Any], message: str
) -> None:
    lines = [{**LINE, "name": "First"}, {**LINE, **change}, {**LINE, "name": "Last"}]
    text = "".join(json.dumps(line) + "\n" for line in lines)
    (tmp_path / "tasks.jsonl").write_text(text, encoding="utf-8")
    registry = load_registry([tmp_path])
    suite = next(suite for suite in registry.suites.values() if suite.folder == tmp_path)
    assert suite.task_names() == ("first", "last")
    with pytest.raises(SpecError) as caught:
        registry.select((), ("a-task",), ())
    assert message in str(caught.value)
    chosen = choose("tfidf", tasks_dirs=[tmp_path])
    assert [task.name for _, task in chosen.selection] == ["first", "last"]
    [(name, why)] = chosen.refused
    assert name == "a-task"
    assert message in why
    results = Results((), registry, left_out=chosen.refused, refused=[name])
    assert results.unfinished == ("a-task",)
    with pytest.raises(IncompleteRunError, match="a-task"):
        results.require_complete()


def test_blank_lines_are_skipped_and_lines_counted(tmp_path: Path) -> None:
    path = tmp_path / "tasks.jsonl"
    path.write_text("\n" + json.dumps(LINE) + "\n\n", encoding="utf-8")
    assert [where for _, where in read_official(path)] == [f"{path}:2"]


@pytest.mark.realdata
def test_the_list_of_the_real_data_sets(realdata: Path) -> None:
    registry = load_registry([realdata])
    listed = [
        json.loads(line)
        for line in (realdata / "tasks.jsonl").read_text(encoding="utf-8").splitlines()
    ]
    suite = next(suite for suite in registry.suites.values() if suite.folder == realdata)
    assert len(suite.task_names()) == len(listed)
    by_title = {registry.task(name).title: registry.task(name) for name in suite.task_names()}
    for line in listed:
        task = by_title[line["name"]]
        assert task.format.value == line["type"]
        assert list(task.metrics) == line["metrics"]
        assert task.local.documents == line["data"]["meta"]
        assert (realdata / task.local.documents).is_file()
        assert task.local.labels is not None
        assert (realdata / task.local.labels).is_dir()


def test_an_empty_list_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(SpecError, match=r"tasks\.jsonl: the list is empty"):
        read(tmp_path, "")
