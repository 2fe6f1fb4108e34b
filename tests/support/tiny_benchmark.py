"""A tiny made version of every task of SciRepEval, in the hub's parquet form.

Texts are random words, so scores mean nothing; what is tested is the way from the hub to the row.
"""

from __future__ import annotations

import json
import random
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pandas as pd

from scirepeval_harness.roles import Format
from scirepeval_harness.task.registry import load_registry
from scirepeval_harness.task.spec import HubTable, SuiteSpec, TaskSpec

PAPERS = 160
WORDS = [
    "graph",
    "citation",
    "protein",
    "neural",
    "galaxy",
    "polymer",
    "enzyme",
    "theorem",
    "climate",
    "market",
    "robot",
    "language",
    "cell",
    "quantum",
    "river",
    "signal",
    "vaccine",
    "model",
    "sample",
    "method",
    "result",
    "theory",
    "data",
    "field",
    "energy",
]


def build_hub_datasets(root: Path, *, converted: bool = True) -> None:
    """Write both dataset repositories below ``root/datasets``.

    Args:
        converted: the labels as the converted branch has them (``<config>/<split>/0000.parquet``)
            rather than as main (``<config>/<split>-00000-of-00001.parquet``).
    """
    registry = load_registry()
    suite = registry.suite("scirepeval")
    for name in suite.task_names():
        task = registry.task(name)
        if task.hub is not None:
            _build(root, suite, task, random.Random(name), converted)


def paper(number: int) -> dict[str, Any]:
    """A document; ids are integers, every ninth abstract is missing."""
    dice = random.Random(number)
    words = [dice.choice(WORDS) for _ in range(30)]
    return {
        "doc_id": number,
        "title": " ".join(words[:6]),
        "abstract": None if number % 9 == 0 else " ".join(words[6:]),
        "venue": "Journal",
        "year": 2000 + number % 20,
    }


def _build(
    root: Path, suite: SuiteSpec, task: TaskSpec, dice: random.Random, converted: bool
) -> None:
    assert task.hub is not None
    assert task.hub.documents is not None
    assert task.hub.labels is not None

    def put(table: HubTable, split: str, rows: list[dict[str, Any]]) -> None:
        folder = root / "datasets" / table.repo / quote(suite.revision_of(table) or "main", safe="")
        name = f"{split}/0000.parquet" if converted else f"{split}-00000-of-00001.parquet"
        path = folder / table.config / name
        path.parent.mkdir(parents=True, exist_ok=True)
        pd.DataFrame(rows).to_parquet(path)

    pairs = [(q, c) for q in range(12) for c in range(q + 20, q + 30)]
    qrels = [
        {"query_id": f"q{q}" if task.format is Format.ADHOC_SEARCH else str(q), "cand_id": str(c),
         "score": int(dice.random() < 0.4)}
        for q, c in pairs
    ]  # fmt: skip
    documents: list[dict[str, Any]] = [paper(number) for number in range(PAPERS)]
    match task.evaluation:
        case "probe":
            rows = [{"paper_id": n, "label": _label(task, n, dice)} for n in range(PAPERS)]
            put(task.hub.labels, "train", rows[:135])
            put(task.hub.labels, "test", rows[135:])
        case "reviewer_matching":
            assert task.hub.reviewers is not None
            people = [{"r_id": f"r{n}", "papers": [str(50 + n), str(60 + n)]} for n in range(12)]
            put(task.hub.reviewers, "metadata", people)
            for split in ("test_hard", "test_soft"):
                put(task.hub.labels, split, [
                    {"query_id": str(q), "cand_id": f"r{n}", "score": int(dice.random() < 0.3)}
                    for q in range(8) for n in range(12)
                ])  # fmt: skip
        case _:
            put(task.hub.labels, "test", qrels)
            if task.hub.documents.config != "scidocs_view_cite_read":
                documents = [
                    {"doc_id": f"q{q}" if task.format is Format.ADHOC_SEARCH else str(q),
                     "query": "graph theory" if task.format is Format.ADHOC_SEARCH else paper(q),
                     "candidates": [paper(c) | {"score": 0} for p, c in pairs if p == q]}
                    for q in range(12)
                ]  # fmt: skip
    put(task.hub.documents, "evaluation", documents)


def _label(task: TaskSpec, number: int, dice: random.Random) -> object:
    if task.format is Format.REGRESSION:
        return dice.random() * 5
    if task.multi_label:
        return [int(number % 3 == c or dice.random() < 0.2) for c in range(2)]
    return number % 2 if task.metrics == ("f1",) else f"class {number % 4}"


def build_mdcr(folder: Path) -> None:
    """Write MDCR's two files with two queries in each of the 19 fields."""
    task = load_registry().task("mdcr")
    dice = random.Random("mdcr")
    sources = ("bm25", "scincl", "specter", "graph", "most_cited", "random", "true")
    fields: dict[str, dict[str, dict[str, list[str]]]] = {}
    for number, name in enumerate(task.expected_fields):
        fields[name] = {
            str(query): {
                source: [str(dice.randrange(40, PAPERS)) for _ in range(2)] for source in sources
            }
            for query in (2 * number, 2 * number + 1)
        }
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "mdcr_test.json").write_text(json.dumps(fields))
    lines = [
        json.dumps({"paper_id": n, "title": row["title"], "abstract": row["abstract"]})
        for n, row in ((number, paper(number)) for number in range(PAPERS))
    ]
    (folder / "mdcr_test_data.jsonl").write_text("\n".join(lines) + "\n")
