"""``fetch``: what it downloads is what `run --offline` needs."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.hub_runs import NOWHERE, harness
from tests.support.hub_server import serve
from tests.support.tiny_benchmark import build_hub_datasets
from tests.support.tiny_models import build_hub_models

OWN_MODEL = """
name = "mine"
title = "Mine"
kind = "transformer"
base = { repo = "allenai/specter2_base" }
adapters = { proximity = { repo = "allenai/specter2" } }
"""
OWN_TASK = """
name = "mine"
title = "Mine"
format = "proximity"
evaluation = "ranking"
metrics = ["map"]

[hub]
documents = { repo = "allenai/scirepeval", config = "same_author", split = "evaluation" }
labels = { repo = "allenai/scirepeval_test", config = "same_author", split = "test" }
"""


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("served")
    build_hub_models(root)
    build_hub_datasets(root, converted=False)
    return root


@pytest.mark.slow
def test_a_run_without_a_network_has_all_it_needs(served: Path, tmp_path: Path) -> None:
    what = ["--model", "specter2", "--task", "search"]
    with serve(served) as hub:
        fetched = harness(["fetch", *what], tmp_path, hub.url)
    assert fetched.returncode == 0, fetched.stderr
    lines = fetched.stdout.splitlines()
    assert len([line for line in lines if line.startswith("allenai/specter2")]) == 5
    assert lines[-1].startswith("search  ")
    done = harness(["run", *what, "--offline", "--output", "out"], tmp_path, NOWHERE)
    assert done.returncode == 0, done.stderr
    # What was not fetched is missing, and the one line says how to get it.
    more = ["run", *what[:2], "--task", "nfcorpus", "--offline", "--output", "more"]
    done = harness(more, tmp_path, NOWHERE)
    assert done.returncode == 2
    assert "fetch" in done.stderr


@pytest.mark.slow
def test_a_model_file_and_a_task_of_one_s_own(served: Path, tmp_path: Path) -> None:
    (tmp_path / "mine.toml").write_text(OWN_MODEL)
    (tmp_path / "tasks").mkdir()
    (tmp_path / "tasks" / "mine.toml").write_text(OWN_TASK)
    what = ["--model", "mine.toml", "--task", "mine", "--tasks-dir", "tasks"]
    with serve(served) as hub:
        fetched = harness(["fetch", *what], tmp_path, hub.url)
    assert fetched.returncode == 0, fetched.stderr
    done = harness(["run", *what, "--offline", "--output", "out"], tmp_path, NOWHERE)
    assert done.returncode == 0, done.stderr


def test_data_that_comes_with_its_suite_needs_no_fetching(tmp_path: Path) -> None:
    done = harness(["fetch", "--task", "sample-search"], tmp_path, NOWHERE)
    assert done.returncode == 0, done.stderr
    assert done.stdout == "sample-search  nothing to fetch\n"


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ([], "nothing to fetch"),
        (["--model", "specter3"], "did you mean"),
        (["--task", "serch"], "did you mean"),
        (["--model", "specter2"], "the hub cannot be reached"),
    ],
)
def test_what_cannot_be_fetched_is_one_line(words: list[str], said: str, tmp_path: Path) -> None:
    done = harness(["fetch", *words], tmp_path, NOWHERE)
    assert done.returncode == 2
    assert said in done.stderr.lower()
    assert len(done.stderr.splitlines()) == 1
