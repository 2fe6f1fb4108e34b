"""Where the reference's code decides what its papers leave open: from files to scores."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import pytrec_eval
from sklearn.metrics import f1_score

from scirepeval_harness.evaluations import trec
from scirepeval_harness.evaluations.base import Outcome, ScoreOptions, evaluation_of, requests_of
from scirepeval_harness.model.base import join_parts
from scirepeval_harness.roles import Format
from scirepeval_harness.task.dataset import LoadedTask
from scirepeval_harness.task.load import DataOptions, load_task
from scirepeval_harness.task.spec import LocalData, SuiteSpec, TaskSpec
from tests.oracle import ranking as oracle
from tests.support.tables import Table

SUITE = SuiteSpec(name="made", title="Made", task_set="made")
LOCAL = LocalData(documents="meta.jsonl", labels=".", reviewers=".", pools="pools.json")
VECTORS = {
    str(key): row for key, row in enumerate(np.random.default_rng(3).normal(size=(40, 4)).tolist())
}
Rows = Iterable[Mapping[str, Any]]


def task_of(evaluation: str, *metrics: str, format: Format = Format.PROXIMITY) -> TaskSpec:
    return TaskSpec(
        name="toy", title="Toy", format=format, evaluation=evaluation, metrics=metrics, local=LOCAL
    )


def write(path: Path, rows: Rows) -> None:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")


def papers(path: Path, keys: Iterable[int]) -> None:
    write(path / "meta.jsonl", ({"doc_id": key, "title": f"Paper {key}"} for key in keys))


def scored(task: TaskSpec, folder: Path, *, allow_missing: bool = False) -> tuple[Any, Outcome]:
    options = DataOptions(directory=folder, allow_missing=allow_missing)
    loaded = load_task(task, SUITE, options)
    known = {
        document.id: VECTORS[document.id]
        for request in requests_of(task, loaded.data)
        for document in request.documents
    }
    return loaded, evaluation_of(task).score(task, loaded.data, Table(known), ScoreOptions())


def scores_of(outcome: Outcome) -> dict[str, float]:
    return {score.key: score.value for score in outcome.scores}


def test_a_paper_listed_twice_counts_twice_the_last_row_wins_and_no_row_is_no_rank(
    tmp_path: Path,
) -> None:
    papers(tmp_path, range(40))
    reviewers = [
        {"r_id": "twice", "papers": [10, 11, 10, 10]},
        {"r_id": "again", "papers": [0, 1, 2, 3]},
        {"r_id": "plain", "papers": [12, 13, 14, 15]},
        {"r_id": "again", "papers": [16, 17]},
    ]
    write(tmp_path / "reviewer_metadata.jsonl", reviewers)
    names = ("twice", "again", "plain", "absent")
    qrels = {
        kind: {
            str(paper): {name: (paper + place + soft) % 3 % 2 for place, name in enumerate(names)}
            for paper in range(9)
        }
        for soft, kind in enumerate(("hard", "soft"))
    }
    for kind, labels in qrels.items():
        rows = (
            {"query_id": paper, "cand_id": name, "score": grade}
            for paper, own in labels.items()
            for name, grade in own.items()
        )
        write(tmp_path / f"test_{kind}_qrel.jsonl", rows)
    loaded, outcome = scored(task_of("reviewer_matching", "P_1", "P_2", "map"), tmp_path)
    read = {"twice": ["10", "11", "10", "10"], "again": ["16", "17"], "plain": list("1234")}
    read["plain"] = ["12", "13", "14", "15"]
    expected = oracle.reviewer_scores(
        ["P_1", "P_2", "map"], qrels["hard"], qrels["soft"], read, VECTORS
    )
    assert scores_of(outcome) == pytest.approx(expected)
    assert loaded.warnings == ("1 of 4 reviewers have no row, not ranked",)
    assert outcome.notes["reviewers_not_ranked"] == 1


@pytest.mark.parametrize("names", [(1, 2), (0, 1), (-1, 1), (1, 7)])
def test_f1_is_that_of_the_label_1_whatever_its_rank(
    tmp_path: Path, names: tuple[int, int]
) -> None:
    task = task_of("probe", "f1", format=Format.CLASSIFICATION)
    papers(tmp_path, range(40))
    labels = [names[(key * 7 + key // 3) % 3 % 2] for key in range(40)]
    for split, keys in (("train", range(24)), ("test", range(24, 40))):
        with (tmp_path / f"{split}.csv").open("w", newline="") as file:
            csv.writer(file).writerows([("paper_id", "label"), *((k, labels[k]) for k in keys)])
    loaded, outcome = scored(task, tmp_path)
    assert loaded.data.classes == tuple(map(str, sorted(names)))
    # In the items the class of f1 is the index 1, which draws and tests are made of.
    named = {0: next(name for name in names if name != 1), 1: 1}
    truth, predicted = (
        [named[row[0]] for row in outcome.items[side]] for side in ("truth", "prediction")
    )
    assert truth == labels[24:]
    assert len(set(predicted)) == 2
    assert outcome.scores[0].value == pytest.approx(100 * f1_score(truth, predicted))


@pytest.mark.parametrize("evaluation", ["ranking", "citation_pools"])
def test_a_lost_candidate_stays_in_the_labels_and_counts_against_the_model(
    tmp_path: Path, evaluation: str
) -> None:
    qrels = {str(q): {str(c): int(c % 5 == q) for c in range(10, 22)} for q in range(4)}
    lost = {"10", "11", "20"}
    papers(tmp_path, (key for key in range(40) if str(key) not in lost))
    rows = (
        {"query_id": q, "cand_id": c, "score": grade}
        for q, own in qrels.items()
        for c, grade in own.items()
    )
    write(tmp_path / "test_qrel.jsonl", rows)
    lists = {
        q: {"true": [c for c in own if own[c]], "bm25": [c for c in own if not own[c]]}
        for q, own in qrels.items()
    }
    (tmp_path / "pools.json").write_text(json.dumps({"Art": lists}))
    loaded, outcome = scored(task_of(evaluation, "map", "ndcg"), tmp_path, allow_missing=True)
    assert loaded.data.lost == lost
    for metric in ("map", "ndcg"):
        values = []
        for q, own in qrels.items():
            run = {c: -oracle.distance(VECTORS[q], VECTORS[c]) for c in own if c not in lost}
            values.append(oracle.value(metric, run, own))
        assert scores_of(outcome)[metric] == pytest.approx(100 * oracle.mean(values), abs=1e-4)
    assert outcome.items["item"].nunique() == 4


def loaded_pair(folder: Path, rows: Rows, task: TaskSpec) -> LoadedTask:
    write(folder / "meta.jsonl", rows)
    write(
        folder / "test_qrel.jsonl",
        ({"query_id": 1, "cand_id": key, "score": key % 2} for key in (2, 3)),
    )
    return load_task(task, SUITE, DataOptions(directory=folder))


def test_a_document_without_text_is_encoded_as_an_empty_one(tmp_path: Path) -> None:
    rows = [
        {"doc_id": 1, "title": "Query", "abstract": None},
        {"doc_id": 2, "title": None, "abstract": ""},
        {"doc_id": 3, "title": "Found", "abstract": "Text"},
        # The first text of an id counts, an empty one too.
        {"doc_id": 2, "title": "Later", "abstract": "Text"},
    ]
    task = task_of("ranking", "map")
    loaded = loaded_pair(tmp_path, rows, task)
    assert loaded.coverage.complete
    assert loaded.warnings == ("1 documents have no text and are encoded as an empty one",)
    texts = {d.id: join_parts(d.parts, " [SEP] ") for r in requests_of(task, loaded.data)
             for d in r.documents}  # fmt: skip
    assert texts == {"1": "Query", "2": "", "3": "Found [SEP] Text"}


def test_a_field_of_white_space_leaves_its_separator(tmp_path: Path) -> None:
    rows = [
        {"doc_id": 1, "title": " ", "abstract": "Query"},
        {"doc_id": 2, "title": "Title", "abstract": "\n"},
        {"doc_id": 3, "title": "", "abstract": 0},
    ]
    data = loaded_pair(tmp_path, rows, task_of("ranking", "map")).data
    assert data.queries["1"].parts == (" ", "Query")
    assert data.candidates["2"].parts == ("Title", "\n")
    assert data.candidates["3"].parts == ()


def test_negative_grades_mean_to_trec_eval_what_they_mean_here(tmp_path: Path) -> None:
    random = np.random.default_rng(8)
    metrics = ("map", "ndcg", "P_5", "recall_5", "recip_rank", "ndcg_cut_5")
    qrels = {
        str(q): {str(c): int(random.integers(-2, 3)) for c in range(10, 18)} | {"9": 0}
        for q in range(9)
    }
    rows = (
        {"query_id": q, "cand_id": c, "score": grade}
        for q, own in qrels.items()
        for c, grade in own.items()
    )
    papers(tmp_path, range(40))
    write(tmp_path / "test_qrel.jsonl", rows)
    loaded, outcome = scored(task_of("ranking", *metrics), tmp_path)
    assert loaded.data.qrels == qrels
    run = {
        q: {c: -oracle.distance(VECTORS[q], VECTORS[c]) for c in own} for q, own in qrels.items()
    }
    found = pytrec_eval.RelevanceEvaluator(qrels, set(metrics)).evaluate(run)
    for metric in metrics:
        mean = 100 * np.mean([found[query][metric] for query in qrels])
        assert scores_of(outcome)[metric] == pytest.approx(mean)


def test_a_query_of_negative_grades_alone_scores_zero() -> None:
    # trec_eval itself may never return here.
    assert trec.measure({"q": {"a": -1}}, {"q": {"a": 1.0}}, ["map"]) == {"q": {"map": 0.0}}


def test_a_query_that_is_a_paper_goes_by_its_own_id(tmp_path: Path) -> None:
    pair = [{"doc_id": key, "title": f"Paper {key}"} for key in (2, 3)]
    rows = [{"doc_id": "row", "query": {"doc_id": 1, "title": "Query"}, "candidates": pair}]
    data = loaded_pair(tmp_path, rows, task_of("ranking", "map")).data
    assert data.queries["1"].parts == ("Query",)
