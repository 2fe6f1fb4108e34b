from __future__ import annotations

import json
from pathlib import Path

import pytest

from scirepeval_harness.errors import HarnessError
from scirepeval_harness.evaluations.probe import LabelledSet
from scirepeval_harness.evaluations.ranking import RankingSet
from scirepeval_harness.roles import Format
from scirepeval_harness.task.load import DataOptions, load_task
from scirepeval_harness.task.registry import load_registry
from scirepeval_harness.task.spec import LocalData, SuiteSpec, TaskSpec

SUITE = SuiteSpec(name="made", title="Made", task_set="made")
PAPERS = [{"doc_id": n, "title": f"Paper {n}", "abstract": None if n == 2 else "Text"} for n in
          range(8)]  # fmt: skip


def write(path: Path, rows: list[dict[str, object]]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))


def probe_task(**changes: object) -> TaskSpec:
    base = {"name": "t", "title": "T", "format": Format.CLASSIFICATION, "metrics": ("f1_macro",),
            "evaluation": "probe",
            "local": LocalData(documents="meta.jsonl", labels="labels")}  # fmt: skip
    return TaskSpec.model_validate(base | changes)


def labels(folder: Path, train: str, test: str = "paper_id,label\n6,a\n7,b\n") -> Path:
    write(folder / "meta.jsonl", PAPERS)
    (folder / "labels").mkdir()
    (folder / "labels" / "train.csv").write_text(train)
    (folder / "labels" / "test.csv").write_text(test)
    return folder


def load(task: TaskSpec, folder: Path, **options: object):  # type: ignore[no-untyped-def]
    return load_task(task, SUITE, DataOptions(directory=folder, **options))


def test_ids_are_strings_and_null_fields_are_left_out(tmp_path: Path) -> None:
    folder = labels(tmp_path, "paper_id,label\n2,a\n1,b\n")
    data = load(probe_task(), folder).data
    assert isinstance(data, LabelledSet)
    assert data.train_ids == ("2", "1")
    assert data.documents["2"].parts == ("Paper 2",)
    assert data.train_labels.tolist() == [0, 1]
    assert data.classes == ("a", "b")


@pytest.mark.parametrize(
    ("train", "message"),
    [
        ("paper_id,label\n99,a\n1,b\n", "1 of 4 documents are missing, such as 99"),
        ("paper_id,label\n1\n", "train.csv:2: another number of cells"),
        ("paper_id,name\n1,a\n", "train.csv:2: no column label"),
        ("paper_id,label\n1,\n", "train.csv:2: label is ''"),
        ("paper_id,label\n", "train.csv: no rows"),
    ],
)
def test_bad_labels_name_file_and_line(tmp_path: Path, train: str, message: str) -> None:
    folder = labels(tmp_path, train)
    with pytest.raises(HarnessError) as error:
        load(probe_task(), folder)
    assert message in str(error.value)
    assert "\n" not in str(error.value)


def test_missing_documents_are_counted_when_allowed(tmp_path: Path) -> None:
    folder = labels(tmp_path, "paper_id,label\n99,a\n1,b\n")
    loaded = load(probe_task(), folder, allow_missing=True)
    assert (loaded.coverage.documents_found, loaded.coverage.documents_needed) == (3, 4)
    assert loaded.data.train_ids == ("1",)
    assert "3 of 4 documents" in loaded.warnings[0]


def test_malformed_json_names_its_line(tmp_path: Path) -> None:
    folder = labels(tmp_path, "paper_id,label\n1,a\n")
    with (folder / "meta.jsonl").open("a") as out:
        out.write("{broken\n")
    with pytest.raises(HarnessError, match=r"meta\.jsonl:9: not valid JSON"):
        load(probe_task(), folder)


def test_documents_that_are_all_without_text_are_an_error(tmp_path: Path) -> None:
    folder = labels(tmp_path, "paper_id,label\n1,a\n")
    write(folder / "meta.jsonl", [{"doc_id": n, "title": " ", "abstract": ""} for n in range(8)])
    with pytest.raises(HarnessError, match=r"meta\.jsonl:2: no document of task t has a text"):
        load(probe_task(), folder)


@pytest.mark.parametrize("label", ["nan", "x", "inf"])
def test_regression_labels_are_finite_numbers(tmp_path: Path, label: str) -> None:
    folder = labels(tmp_path, f"paper_id,label\n1,{label}\n", "paper_id,label\n6,1.5\n")
    task = probe_task(format=Format.REGRESSION, metrics=("kendalltau",))
    with pytest.raises(HarnessError, match=r"train\.csv:2: label is"):
        load(task, folder)


def ranking(folder: Path, qrels: list[dict[str, object]], meta: list[dict[str, object]]) -> Path:
    write(folder / "meta.jsonl", meta)
    write(folder / "labels" / "test_qrel.jsonl", qrels)
    return folder


RANKING = {"format": Format.PROXIMITY, "evaluation": "ranking", "metrics": ("map",)}


def test_the_first_of_repeated_pairs_and_the_first_text_count(tmp_path: Path) -> None:
    qrels = [
        {"query_id": 1, "cand_id": 2, "score": 1},
        {"query_id": 1, "cand_id": 2, "score": 0},
        {"query_id": 1, "cand_id": 1, "score": 0},
    ]
    meta = [{"doc_id": 1, "title": "first"}, {"doc_id": 1, "title": "second"},
            {"doc_id": 2, "title": "other"}]  # fmt: skip
    data = load(probe_task(**RANKING), ranking(tmp_path, qrels, meta)).data
    assert isinstance(data, RankingSet)
    assert data.qrels == {"1": {"2": 1, "1": 0}}
    assert data.queries["1"].parts == ("first",)
    assert data.candidates["1"].parts == ("first",)


@pytest.mark.parametrize("grade", [0.5, "x", None, True])
def test_grades_are_whole_numbers(tmp_path: Path, grade: object) -> None:
    qrels = [{"query_id": 1, "cand_id": 2, "score": grade}]
    with pytest.raises(HarnessError, match=r"test_qrel\.jsonl:1: score is"):
        load(probe_task(**RANKING), ranking(tmp_path, qrels, PAPERS))


def test_empty_candidate_lists_are_errors(tmp_path: Path) -> None:
    qrels = [{"query_id": 1, "cand_id": 2, "score": 1}]
    meta = [{"doc_id": 1, "query": "words", "candidates": []}]
    with pytest.raises(HarnessError, match="empty list of candidates"):
        load(probe_task(**RANKING), ranking(tmp_path, qrels, meta))


def test_limit_keeps_the_first_queries_and_every_class(tmp_path: Path) -> None:
    registry = load_registry()
    suite = registry.suite("sample")
    options = DataOptions(limit=28)
    ranked = load_task(registry.task("sample-cite"), suite, options).data
    assert isinstance(ranked, RankingSet)
    assert len(ranked.qrels) == 28
    labelled = load_task(registry.task("sample-topics"), suite, options).data
    assert isinstance(labelled, LabelledSet)
    assert len(labelled.train_ids) == 28
    assert len(set(labelled.train_labels.tolist())) == 14


@pytest.mark.realdata
def test_every_real_set_loads_whole(realdata: Path) -> None:
    registry = load_registry([realdata])
    own = [name for name in registry.suites if name not in load_registry().suites]
    chosen = registry.select(own, (), ())
    assert len(chosen) == 19
    for suite, task in chosen:
        assert load_task(task, suite, DataOptions(directory=realdata)).coverage.complete
