"""S2AND: vectors out in its file form, its experiment in another environment, a table back."""

from __future__ import annotations

import json
import os
import pickle
import stat
import urllib.request
from pathlib import Path

import numpy as np
import pytest

from scirepeval_harness.cli.main import main
from scirepeval_harness.errors import ExperimentError, UsageError
from scirepeval_harness.evaluations.author_disambiguation import AuthorBlocks
from scirepeval_harness.evaluations.s2and.environment import (
    MARKER,
    REQUIREMENT,
    contents,
    is_ready,
    set_up,
)
from scirepeval_harness.evaluations.s2and.evaluate import Budget, evaluate_s2and
from scirepeval_harness.evaluations.s2and.files import write_embeddings
from scirepeval_harness.task.load import DataOptions, load_task
from scirepeval_harness.task.registry import load_registry
from tests.support.author_sets import write_author_set
from tests.support.tables import Table

# Stands in for the environment's Python: it writes what the real experiment writes.
STUB = """#!/usr/bin/env python3
import json, pickle, sys
words = sys.argv[2:]
value = lambda name: words[words.index(name) + 1]
sets = words[words.index("--datasets") + 1:]
for name in sets:
    matrix, ids = pickle.load(open(f"{value('--embeddings')}/{name}/{name}_specter.pickle", "rb"))
    assert matrix.shape[0] == len(ids)
pairs = [(s, t) for s in (*sets, "union") for t in sets]
cell = lambda s, t: {"source": s, "target": t, "precision": .9, "recall": .9, "f1": .9}
block = lambda s, t, n: {**cell(s, t), "block": n, "signatures": 3}
json.dump({"features": ["embedding_similarity"], "b3": [cell(*p) for p in pairs],
           "blocks": [block(*p, n) for p in pairs for n in "xy"]}, open(value("--output"), "w"))
"""


@pytest.fixture
def data(tmp_path: Path) -> Path:
    for name in ("first", "second"):
        write_author_set(tmp_path / "data" / "s2and", name)
    return tmp_path / "data"


def loaded(data: Path) -> tuple[AuthorBlocks, Table]:
    [(suite, task)] = load_registry().select((), ("s2and",), ())
    blocks = load_task(task, suite, DataOptions(directory=data)).data
    assert isinstance(blocks, AuthorBlocks)
    random = np.random.default_rng(0)
    rows = {key: random.normal(size=16).astype(np.float32).tolist() for key in blocks.documents}
    return blocks, Table(rows)


def stub_environment(folder: Path) -> Path:
    python = folder / "bin" / "python"
    python.parent.mkdir(parents=True)
    python.write_text(STUB)
    python.chmod(python.stat().st_mode | stat.S_IXUSR)
    (folder / MARKER).write_text(json.dumps(contents()))
    return folder


def test_vectors_are_written_as_s2and_reads_them(data: Path, tmp_path: Path) -> None:
    blocks, table = loaded(data)
    paths = write_embeddings(blocks, table, tmp_path / "out")
    assert [path.name for path in paths] == ["first_specter.pickle", "second_specter.pickle"]
    with paths[0].open("rb") as file:
        matrix, ids = pickle.load(file)
    assert matrix.dtype == np.float32
    papers = json.loads((data / "s2and/first/first_papers.json").read_text())
    assert sorted(ids) == sorted(papers)
    assert matrix[3] == pytest.approx(table.take([f"first/{ids[3]}"])[0])


def test_run_scores_s2and_where_its_environment_is(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["run", "--model", "tfidf", "--suite", "scirepeval", "--task", "s2and"]
    words += ["--data", str(data)]
    monkeypatch.setenv("SCIREPEVAL_HARNESS_S2AND", str(tmp_path / "none"))
    with pytest.raises(SystemExit) as stop:
        main([*words, "--output", str(tmp_path / "without")])
    assert stop.value.code == 2, "known at the start"
    assert "s2and setup" in capsys.readouterr().err
    monkeypatch.setenv("SCIREPEVAL_HARNESS_S2AND", str(stub_environment(tmp_path / "env")))
    with pytest.raises(SystemExit) as stop:
        main([*words, "--output", str(tmp_path / "with")])
    assert not stop.value.code
    record = json.loads((tmp_path / "with/tfidf/scirepeval/s2and.json").read_text())
    scores = {score["key"]: score["value"] for score in record["scores"]}
    assert scores["b3_f1"] == pytest.approx(90.0)
    assert "b3_f1[union -> second]" in scores
    assert record["notes"]["package"] == REQUIREMENT


def test_a_part_of_the_data_and_a_failing_experiment_are_refused(
    data: Path, tmp_path: Path
) -> None:
    blocks, table = loaded(data)
    with pytest.raises(UsageError, match="s2and setup"):
        evaluate_s2and(blocks, table, tmp_path / "none")
    environment = stub_environment(tmp_path / "env")
    (environment / "bin" / "python").write_text("#!/bin/sh\necho 'no pairs' >&2\nexit 1\n")
    with pytest.raises(ExperimentError, match="no pairs"):
        evaluate_s2and(blocks, table, environment)


def test_the_light_form_runs_as_a_task_of_its_own(data: Path, tmp_path: Path) -> None:
    with pytest.raises(SystemExit) as stop:
        main(["run", "--model", "tfidf", "--task", "s2and-light", "--data", str(data),
              "--output", str(tmp_path / "out")])  # fmt: skip
    assert not stop.value.code
    record = json.loads((tmp_path / "out/tfidf/s2and-light/s2and-light.json").read_text())
    value = record["scores"][0]
    assert value["key"] == "light_b3_f1"
    assert value["value"] > 70, "a topic a person is easy to tell apart"


def harness(*words: str) -> int:
    with pytest.raises(SystemExit) as stop:
        main(words)
    return int(stop.value.code or 0)


def test_files_of_vectors_give_the_table_on_the_command_line(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("SCIREPEVAL_HARNESS_S2AND", str(stub_environment(tmp_path / "env")))
    places = ("--data", str(data))
    vectors = tmp_path / "vectors"
    assert harness("s2and", "embed", "--model", "tfidf", *places, "--output", str(vectors)) == 0
    capsys.readouterr()
    words = ("s2and", "run", "--embeddings", str(vectors), *places)
    assert harness(*words, "--output", str(tmp_path / "t.json")) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split() for line in lines[:4]] == [
        ["trained", "on", "first", "second"],
        ["first", "90.0", "90.0"],
        ["second", "90.0", "90.0"],
        ["union", "90.0", "90.0"],
    ]
    assert lines[4] == "mean of the 6 B-cubed F1 values: 90.00"
    assert len(json.loads((tmp_path / "t.json").read_text())["b3"]) == 6
    assert harness("s2and", "run", "--embeddings", str(tmp_path), *places) == 2
    assert "no vectors in S2AND's form" in capsys.readouterr().err
    (data / "s2and" / "first").rename(tmp_path / "away")
    assert harness(*words) == 2
    assert "no data set first" in capsys.readouterr().err
    monkeypatch.setenv("SCIREPEVAL_HARNESS_S2AND", str(tmp_path / "none"))
    (tmp_path / "away").rename(data / "s2and" / "first")
    assert harness(*words) == 2
    assert "s2and setup" in capsys.readouterr().err


def test_the_score_joins_the_results_that_are_there(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("SCIREPEVAL_HARNESS_S2AND", str(stub_environment(tmp_path / "env")))
    out = ("--model", "tfidf", "--output", str(tmp_path / "out"))
    assert harness("run", *out, "--task", "sample-cite") == 0
    assert harness("run", *out, "--task", "s2and", "--data", str(data), "--resume") == 0
    run = json.loads((tmp_path / "out/tfidf/run.json").read_text())
    assert [entry["task"] for entry in run["tasks"]] == ["sample-cite", "s2and"]
    assert run["suites"] == ["sample", "scirepeval"]
    capsys.readouterr()
    assert harness("leaderboard", str(tmp_path / "out"), "--suite", "scirepeval") == 0
    assert "90.0 (1 of 20)" in capsys.readouterr().out


def test_without_its_data_s2and_is_left_out_unless_it_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("SCIREPEVAL_HARNESS_S2AND", str(stub_environment(tmp_path / "env")))
    write_author_set(tmp_path / "data" / "s2and", "only")
    words = ("run", "--model", "tfidf", "--suite", "scirepeval", "--suite", "sample")
    words = (*words, "--format", "proximity", "--data", str(tmp_path), "--output")
    assert harness(*words, str(tmp_path / "a")) == 3, "no data of any task is in that folder"
    said = f"s2and: not below {tmp_path}, left out (--data s2and=FOLDER)"
    assert said in capsys.readouterr().out
    assert not list((tmp_path / "a").rglob("s2and.json"))
    words = ("run", "--model", "tfidf", "--task", "s2and", "--offline", "--output")
    assert harness(*words, str(tmp_path / "b")) == 2, "refused before the run begins"
    said = capsys.readouterr().err
    assert "not downloaded yet" in said
    assert "fetch --task s2and" in said
    assert not list((tmp_path / "b").rglob("s2and.json"))


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_the_real_experiment_on_small_sets(data: Path, tmp_path: Path) -> None:
    """Installs the package from PyPI, or uses $SCIREPEVAL_HARNESS_S2AND where that is ready."""
    chosen = os.environ.get("SCIREPEVAL_HARNESS_S2AND")
    environment = Path(chosen) if chosen else tmp_path / "env"
    if not is_ready(environment):
        try:
            set_up(environment, print)
        except ExperimentError as error:
            if _reachable():
                raise
            pytest.skip(f"PyPI cannot be reached: {error}")
    blocks, table = loaded(data)
    small = Budget(train_pairs=300, test_pairs=100, iterations=2)
    lines: list[str] = []
    outcome = evaluate_s2and(blocks, table, environment, budget=small, say=lines.append)
    scores = {score.key: score.value for score in outcome.scores}
    assert len(scores) == 1 + 3 * 2
    assert 20 < scores["b3_f1"] <= 100
    assert len(lines) == 2 + 6, "one line a data set read and a cell"
    for score in outcome.scores[1:]:
        rows = outcome.items[outcome.items["field"] == score.field]
        means = {
            metric: np.average(own["value"], weights=own["weight"])
            for metric, own in rows.groupby("metric")
        }
        precision, recall = means["b3_precision"], means["b3_recall"]
        by_blocks = 200 * precision * recall / (precision + recall)
        assert score.value == pytest.approx(by_blocks, abs=0.051), "S2AND rounds to 0.001"
    assert outcome.notes["features"] == [
        "name_similarity", "coauthor_similarity", "venue_similarity", "year_diff",
        "title_similarity", "misc_features", "embedding_similarity", "advanced_name_similarity",
    ]  # fmt: skip
    again = evaluate_s2and(blocks, table, environment, budget=small)
    assert again.scores == outcome.scores
    assert again.items.equals(outcome.items)


def _reachable() -> bool:
    try:
        with urllib.request.urlopen("https://pypi.org/simple/s2and/", timeout=10):
            return True
    except OSError:
        return False
