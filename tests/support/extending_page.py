"""The files of docs/extending.md, and what it takes to have them installed."""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Iterable
from pathlib import Path

from tests.support.tiny_benchmark import paper

PAGE = Path(__file__).parents[2] / "docs" / "extending.md"


def write_page(root: Path) -> None:
    """Every file that the page names, as it stands there, and the data that they speak of."""
    text = PAGE.read_text(encoding="utf-8")
    for name, content in re.findall(r"```(?:toml|python)\n# (\S+)\n(.*?)```", text, re.DOTALL):
        (root / name).parent.mkdir(exist_ok=True)
        (root / name).write_text(content, encoding="utf-8")
    papers = [
        {"doc_id": str(number), "title": paper(number)["title"], "abstract": f"on {number % 3}"}
        for number in range(60)
    ]
    _lines(root / "data" / "topics" / "papers.jsonl", papers)
    for split, numbers in (("train", range(45)), ("test", range(45, 60))):
        rows = [f"{number},{('art', 'law', 'tax')[number % 3]}" for number in numbers]
        (root / "data" / "topics" / f"{split}.csv").write_text("\n".join(["paper_id,label", *rows]))
    _lines(root / "data" / "related" / "papers.jsonl", papers)
    _lines(
        root / "data" / "related" / "test_qrel.jsonl",
        [
            {"query_id": str(query), "cand_id": str(other), "score": int(other % 3 == query % 3)}
            for query in range(5)
            for other in range(10, 30)
        ],
    )
    _lines(
        root / "data" / "related" / "pairs.jsonl",
        [
            {"a": str(one), "b": str(one + step), "same": int(step == 3)}
            for one in range(20)
            for step in (1, 3)
        ],
    )


def install(root: Path) -> None:
    """What installing the page's pyproject.toml would leave beside its modules."""
    project = tomllib.loads((root / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    info = root / f"{project['name'].replace('-', '_')}-{project['version']}.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(
        f"Metadata-Version: 2.1\nName: {project['name']}\nVersion: {project['version']}\n"
    )
    lines = [
        line
        for group, entries in project["entry-points"].items()
        for line in (f"[{group}]", *(f"{name} = {place}" for name, place in entries.items()))
    ]
    (info / "entry_points.txt").write_text("\n".join(lines) + "\n")


def _lines(path: Path, rows: Iterable[object]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
