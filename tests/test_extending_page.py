"""docs/extending.md: its files, as they stand, make a model, two tasks and a leaderboard."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from scirepeval_harness.evaluations.metrics import METRICS, RANKING_WORDS
from scirepeval_harness.model.registry import resolve_model
from tests.support.extending_page import PAGE, write_page
from tests.support.tiny_models import save_adapter, save_base

ROLES = ("classification", "regression", "proximity", "query")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What the page tells a user to have: its own files, weights beside them, and data."""
    root = tmp_path_factory.mktemp("extending")
    write_page(root)
    save_base(root / "base")
    for seed, role in enumerate(ROLES):
        save_adapter(root / "adapters" / role, seed=seed)
    return root


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


@pytest.mark.parametrize("name", ["served", "both"])
def test_the_page_s_other_models_are_read(folder: Path, name: str) -> None:
    assert resolve_model(folder / f"{name}.toml").name == name


def test_the_page_s_check_reads_the_data(folder: Path) -> None:
    done = _run(folder, "tasks", "check", "topics")
    assert done.returncode == 0, done.stderr
    assert "topics" in done.stdout


def test_an_adapter_folder_alone_says_to_write_a_model_file(folder: Path) -> None:
    done = _run(folder, "run", "--model", "adapters/query")
    assert done.returncode == 2
    assert "Write a model file" in done.stderr


def test_what_the_page_says_of_built_in_metrics() -> None:
    text = PAGE.read_text(encoding="utf-8")
    assert all(f"`{name}`" in text for name in METRICS.names())
    assert all(f"`{word}`" in text for word in RANKING_WORDS)
