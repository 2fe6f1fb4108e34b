"""Texts, roles and grades against plain loops, on generated files with awkward rows."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from scirepeval_harness.evaluations.base import requests_of
from scirepeval_harness.evaluations.ranking import RankingSet
from scirepeval_harness.model.base import join_parts
from scirepeval_harness.model.transformer import token_separator
from scirepeval_harness.roles import Format
from scirepeval_harness.task.load import DataOptions, load_task
from scirepeval_harness.task.registry import load_registry
from scirepeval_harness.task.spec import LocalData, SuiteSpec, TaskSpec
from tests.oracle import documents as oracle
from tests.support.ranking_tasks import ranking_task

SUITE = SuiteSpec(name="made", title="Made", task_set="made")
LOCAL = LocalData(documents="meta.jsonl", labels=".")
IDS = st.integers(1, 9)
# An id is a number in one row and text in another, as in the published files.
AS_WRITTEN = st.booleans()
TEXTS = st.sampled_from(
    ["A title", " spaced  ", "", " ", None, "[SEP] inside", "word " * 3000, "é 漢字", 7, 0]
)


@st.composite
def paper(draw: st.DrawFn, key: int, filled: bool) -> dict[str, Any]:
    title = draw(TEXTS.filter(lambda v: v is not None and str(v).strip())) if filled else ""
    return {
        "doc_id": key if draw(AS_WRITTEN) else str(key),
        "title": title or draw(TEXTS),
        "abstract": draw(TEXTS),
        "venue": draw(TEXTS),
        "year": draw(st.sampled_from([None, 1999])),
    }


@st.composite
def ranked_files(draw: st.DrawFn) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """Rows with candidates and labels of some; ids may be query and candidate, and repeat."""
    rows, labels = [], []
    for _ in range(draw(st.integers(1, 5))):
        key = draw(IDS)
        keys = draw(st.lists(IDS, min_size=1, max_size=6))
        row = {
            "doc_id": key if draw(AS_WRITTEN) else str(key),
            "query": draw(paper(key, True)),
            "candidates": [draw(paper(k, False)) for k in keys],
        }
        rows.append(row)
        for k in keys:
            score = draw(st.integers(0, 2))
            labels.append({"query_id": str(key), "cand_id": k, "score": score})
    return rows, labels


def loaded(task: TaskSpec, rows: list[dict[str, Any]], labels: list[dict[str, Any]]) -> RankingSet:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for file, lines in (("meta.jsonl", rows), ("test_qrel.jsonl", labels)):
            text = "".join(json.dumps(line) + "\n" for line in lines)
            (folder / file).write_text(text, encoding="utf-8")
        data = load_task(task, SUITE, DataOptions(directory=folder)).data
    assert isinstance(data, RankingSet)
    return data


def encoded(task: TaskSpec, data: RankingSet) -> dict[str, tuple[str, str]]:
    """{id: (role, text)} that the harness would encode; the first request of an id counts."""
    found: dict[str, tuple[str, str]] = {}
    for request in requests_of(task, data):
        for document in request.documents:
            text = join_parts(document.parts, token_separator("[SEP]"))
            found.setdefault(document.id, (request.role.value, text))
    return found


@settings(max_examples=150, deadline=None, derandomize=True)
@given(files=ranked_files())
def test_texts_and_roles_equal_the_plain_loops(
    files: tuple[list[dict[str, Any]], list[dict[str, Any]]],
) -> None:
    rows, labels = files
    task = ranking_task("map").model_copy(update={"local": LOCAL})
    data = loaded(task, rows, labels)
    fields = ("title", "abstract")
    assert encoded(task, data) == oracle.encodings(
        rows, labels, fields, fields, "[SEP]", "proximity", "proximity"
    )
    assert data.qrels == oracle.grades(labels)


def test_search_candidates_add_venue_and_year() -> None:
    registry = load_registry()
    task = registry.task("search").model_copy(update={"local": LOCAL})
    assert task.format is Format.ADHOC_SEARCH
    rows = [
        {
            "doc_id": "q1",
            "query": "[SEP] graphs",
            "candidates": [
                {"doc_id": 5, "title": "T", "abstract": None, "venue": "V", "year": 2001},
                {"doc_id": 6, "title": "T", "abstract": "A", "venue": "", "year": None},
            ],
        }
    ]
    labels = [{"query_id": "q1", "cand_id": key, "score": 1} for key in (5, "6")]
    found = encoded(task, loaded(task, rows, labels))
    assert found == {
        "q1": ("query", "[SEP] graphs"),
        "5": ("proximity", "T [SEP] V [SEP] 2001"),
        "6": ("proximity", "T [SEP] A"),
    }
    fields = ("title", "abstract", "venue", "year")
    assert found == oracle.encodings(rows, labels, fields, fields, "[SEP]", "query", "proximity")
