"""The committed data: made by the generator byte for byte, complete, and of the promised size."""

from __future__ import annotations

import csv
import hashlib
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from scirepeval_harness.files import bundled
from scirepeval_harness.task.registry import load_registry
from scirepeval_harness.task.spec import TaskSpec
from tools.sample.__main__ import main
from tools.sample.build import SEED, sample_files

DATA = bundled("tasks") / "sample" / "data"
REGISTRY = load_registry()
TASKS = [REGISTRY.task(name) for name in REGISTRY.suite("sample").task_names()]


def rows(name: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (DATA / name).read_text(encoding="utf-8").splitlines()]


def records(value: Any) -> Iterator[dict[str, Any]]:
    """Every document in a row, nested ones too."""
    for key in ("query", "candidates"):
        nested = value.get(key, [])
        for item in [nested] if isinstance(nested, dict) else nested:
            if isinstance(item, dict):
                yield item
    if "title" in value:
        yield value


def documents(task: TaskSpec) -> dict[str, dict[str, Any]]:
    assert task.local.documents is not None
    found: dict[str, dict[str, Any]] = {}
    for row in rows(task.local.documents):
        for document in records(row):
            found.setdefault(str(document.get("doc_id", document.get("paper_id"))), document)
    return found


def test_the_committed_files_are_the_generators_byte_for_byte() -> None:
    made = {name: text.encode() for name, text in sample_files(SEED).items()}
    kept = {str(p.relative_to(DATA)): p.read_bytes() for p in DATA.rglob("*") if p.is_file()}
    assert kept.keys() == made.keys()
    assert [name for name in made if kept[name] != made[name]] == []


def test_another_seed_makes_other_data() -> None:
    made, other = sample_files(SEED), sample_files(SEED + 1)
    assert made.keys() == other.keys()
    only_ids = ["reviewers/reviewer_metadata.jsonl"]
    assert [name for name in made if made[name] == other[name]] == only_ids


@pytest.mark.parametrize("hash_seed", ["1", "2"])
def test_the_hash_seed_does_not_matter(hash_seed: str) -> None:
    code = (
        "import hashlib, json\n"
        "from tools.sample.build import sample_files\n"
        "print(hashlib.sha256(json.dumps(sample_files()).encode()).hexdigest())"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, "PYTHONHASHSEED": hash_seed},
        capture_output=True,
        text=True,
        check=True,
    )
    expected = hashlib.sha256(json.dumps(sample_files()).encode()).hexdigest()
    assert done.stdout.strip() == expected


def test_the_command_writes_all_files(tmp_path: Path) -> None:
    main([str(tmp_path / "new")])
    written = {str(p.relative_to(tmp_path / "new")) for p in (tmp_path / "new").rglob("*.*")}
    assert written == sample_files().keys()
    assert (tmp_path / "new/nature/train.csv").read_bytes() == (
        DATA / "nature/train.csv"
    ).read_bytes()


def test_size_of_the_data() -> None:
    texts = {
        (document["title"], document["abstract"]): f"{document['title']} {document['abstract']}"
        for task in TASKS
        for document in documents(task).values()
    }
    words = [len(text.split()) for text in texts.values()]
    assert 1500 <= len(texts) <= 2200
    assert sum(words) / len(words) <= 100
    assert sum(path.stat().st_size for path in DATA.rglob("*") if path.is_file()) <= 3_000_000


@pytest.mark.parametrize("task", TASKS, ids=[task.name for task in TASKS])
def test_every_label_has_a_document_with_a_text(task: TaskSpec) -> None:
    found = documents(task)
    assert all(document["title"] or document["abstract"] for document in found.values())
    if task.local.pools is not None:
        pools = json.loads((DATA / task.local.pools).read_text())
        assert tuple(pools) == task.expected_fields
        needed = {
            paper
            for queries in pools.values()
            for query, lists in queries.items()
            for paper in (query, *(item for items in lists.values() for item in items))
        }
        assert needed <= found.keys()
        return
    assert task.local.labels is not None
    folder = DATA / task.local.labels
    if task.evaluation == "probe":
        splits = []
        for split in ("train", "test"):
            with (folder / f"{split}.csv").open(newline="") as file:
                labelled = list(csv.DictReader(file))
            assert list(labelled[0]) == ["paper_id", "label"]
            splits.append({row["paper_id"] for row in labelled})
            assert splits[-1] <= found.keys()
        assert not splits[0] & splits[1]
        return
    names = [path.name for path in folder.glob("*_qrel.jsonl")]
    qrels = [row for name in names for row in rows(f"{task.local.labels}/{name}")]
    queries = {str(row["doc_id"]) for row in rows(str(task.local.documents)) if "doc_id" in row}
    people = {row["r_id"]: row["papers"] for row in _people(task)}
    assert {row["query_id"] for row in qrels} <= queries
    assert {row["cand_id"] for row in qrels} <= found.keys() | people.keys()
    assert all(set(papers) <= found.keys() for papers in people.values())


def _people(task: TaskSpec) -> list[dict[str, Any]]:
    if task.local.reviewers is None:
        return []
    return rows(f"{task.local.reviewers}/reviewer_metadata.jsonl")


def test_qrels_repeat_the_scores_of_the_nested_candidates() -> None:
    for name in ("same_author", "search", "related", "questions"):
        nested = {
            (row["doc_id"], candidate["doc_id"]): candidate["score"]
            for row in rows(f"{name}/meta.jsonl")
            for candidate in row["candidates"]
        }
        qrels = {
            (row["query_id"], row["cand_id"]): row["score"]
            for row in rows(f"{name}/test_qrel.jsonl")
        }
        assert nested == qrels


def test_a_document_has_one_text_wherever_it_stands() -> None:
    for task in TASKS:
        seen: dict[str, tuple[str, str]] = {}
        for row in rows(str(task.local.documents)):
            for document in records(row):
                key = str(document.get("doc_id", document.get("paper_id")))
                text = (document["title"], document["abstract"])
                assert seen.setdefault(key, text) == text


def test_the_awkward_cases_are_there() -> None:
    assert any(row["abstract"] is None for row in rows("topics/meta.jsonl"))
    assert any(
        c["abstract"] is None for row in rows("search/meta.jsonl") for c in row["candidates"]
    )
    assert all(isinstance(row["doc_id"], int) for row in rows("records/meta.jsonl"))
    assert all(isinstance(row["paper_id"], int) for row in rows("pools/mdcr_test_data.jsonl"))
    assert " [SEP] " in (DATA / "questions/meta.jsonl").read_text()
    for name in ("same_author", "related"):
        nested = rows(f"{name}/meta.jsonl")
        candidates = {c["doc_id"] for row in nested for c in row["candidates"]}
        assert candidates & {row["doc_id"] for row in nested}
    hard = rows("reviewers/test_hard_qrel.jsonl")
    assert {r["query_id"] for r in hard} - {r["query_id"] for r in hard if r["score"]}


def test_few_shot_settings_have_enough_rows() -> None:
    for task in TASKS:
        for shot in task.few_shot:
            train = list(csv.DictReader((DATA / str(task.local.labels) / "train.csv").open()))
            if task.multi_label:
                columns = zip(*(json.loads(row["label"]) for row in train), strict=True)
                assert min(sum(column) for column in columns) >= shot.sample_size
            else:
                assert len(train) >= 2 * shot.sample_size
