"""docs/extending.md: its files, as they stand, make a model, two tasks and a leaderboard."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path

import pytest

from scirepeval_harness.evaluations.metrics import METRICS
from scirepeval_harness.tasks.spec import PROBE_METRICS
from tests.support.tiny_benchmark import paper
from tests.support.tiny_models import save_adapter, save_base

PAGE = Path(__file__).parents[1] / "docs" / "extending.md"
ROLES = ("classification", "regression", "proximity", "query")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What the page tells a user to have: its own files, weights beside them, and data."""
    root = tmp_path_factory.mktemp("extending")
    blocks = re.findall(r"```toml\n# (\S+)\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)
    for name, text in blocks:
        (root / name).parent.mkdir(exist_ok=True)
        (root / name).write_text(text, encoding="utf-8")
    save_base(root / "base")
    for seed, role in enumerate(ROLES):
        save_adapter(root / "adapters" / role, seed=seed)
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
    return root


def _lines(path: Path, rows: Iterable[object]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")


def _run(folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "scirepeval_harness", *words]
    command += ["--tasks-dir", "my-tasks", "--data", "data"]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)


def test_the_page_s_model_runs_on_the_page_s_tasks(folder: Path) -> None:
    done = _run(folder, "run", "--model", "mine.toml", "--output", "results", "--no-cache")
    assert done.returncode == 0, done.stderr
    assert re.search(r"^Our library\nModel +Topics +Average\nOurs, step 20,000 +\d", done.stdout)
    assert {path.name for path in (folder / "results").glob("*/library/*.json")} == {
        "topics.json",
        "related.json",
    }


def test_the_page_s_check_reads_the_data(folder: Path) -> None:
    done = _run(folder, "tasks", "check", "topics")
    assert done.returncode == 0, done.stderr
    assert "topics" in done.stdout


def test_an_adapter_folder_alone_says_to_write_a_model_file(folder: Path) -> None:
    done = _run(folder, "run", "--model", "adapters/query")
    assert done.returncode == 2
    assert "Write a model file" in done.stderr


def test_a_probe_metric_has_its_function_and_its_name_in_the_schema() -> None:
    assert METRICS.keys() == PROBE_METRICS
