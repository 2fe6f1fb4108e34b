"""What resuming keeps, what it scores again, and what it refuses."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

import scirepeval_harness
from scirepeval_harness.evaluations.base import evaluation_of
from scirepeval_harness.files import bundled, write_json
from scirepeval_harness.task.load import DataOptions, load_task
from scirepeval_harness.task.registry import load_registry
from tests.run.test_run import CITE, SEARCH, YEAR, names, run, run_file, score_file


def vectors(path: Path, task: str, scale: float = 1.0) -> str:
    """A file of vectors for a task of the sample; returns the model as --model takes it."""
    registry = load_registry()
    spec = registry.task(task)
    data = load_task(spec, registry.suite("sample"), DataOptions()).data
    lines = [
        json.dumps({"doc_id": key, "embedding": [scale, float(len(key)), float(number % 7)]})
        for number, key in enumerate(evaluation_of(spec).documents(data))
    ]
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n".join(lines) + "\n")
    return f"mine={path}"


def test_another_model_of_the_name_is_refused_and_nothing_is_touched(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out, file = tmp_path / "out", tmp_path / "v.jsonl"
    assert run(out, model=vectors(file, CITE)) == 0
    before = {path: path.read_bytes() for path in out.rglob("*") if path.is_file()}
    capsys.readouterr()
    for task in (CITE, SEARCH):
        assert run(out, "--resume", tasks=(task,), model=vectors(file, CITE, scale=2.0)) == 2
        error = capsys.readouterr().err
        assert "another model" in error
        assert "sha256 was" in error
        assert "TITLE=MODEL" in error
    assert {path: path.read_bytes() for path in out.rglob("*") if path.is_file()} == before


def test_vectors_that_moved_are_the_same_model(tmp_path: Path) -> None:
    assert run(tmp_path / "out", model=vectors(tmp_path / "v.jsonl", CITE)) == 0
    score = tmp_path / "out" / "mine" / "sample" / f"{CITE}.json"
    before = score.stat().st_mtime_ns
    moved = (tmp_path / "v.jsonl").rename(tmp_path / "other.jsonl")
    assert run(tmp_path / "out", "--resume", model=f"mine={moved}") == 0
    assert score.stat().st_mtime_ns == before, "it was kept"


def test_a_damaged_score_file_takes_no_sound_one_with_it(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(tmp_path, tasks=(CITE, SEARCH)) == 0
    score_file(tmp_path, CITE).write_text("{")
    capsys.readouterr()
    assert run(tmp_path, "--resume", tasks=(YEAR,)) == 0
    assert names(tmp_path) == [SEARCH, YEAR]
    said = capsys.readouterr().err
    assert "not kept" in said
    assert f"{CITE}.json" in said


def test_a_run_file_that_cannot_be_read_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(tmp_path) == 0
    (tmp_path / "tfidf" / "run.json").write_text("{")
    assert run(tmp_path, "--resume", tasks=(YEAR,)) == 2
    assert "run.json" in capsys.readouterr().err
    assert score_file(tmp_path, CITE).exists()


def test_other_data_leaves_finished_tasks_finished(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    data = tmp_path / "data"
    shutil.copytree(bundled("tasks") / "sample" / "data", data)
    out = tmp_path / "out"
    assert run(out, "--data", str(data), tasks=(CITE, YEAR)) == 0
    before = score_file(out, CITE).read_bytes()
    (tmp_path / "empty").mkdir()
    capsys.readouterr()
    assert run(out, "--data", str(tmp_path / "empty"), "--resume", tasks=(CITE, SEARCH)) == 3
    said = capsys.readouterr().err
    assert f"{CITE}  KEPT" in said
    statuses = {entry["task"]: entry["status"] for entry in run_file(out)["tasks"]}
    assert statuses == {CITE: "ok", YEAR: "ok", SEARCH: "failed"}
    assert score_file(out, CITE).read_bytes() == before


def test_another_version_of_the_harness_scores_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(tmp_path, tasks=(CITE, YEAR)) == 0
    monkeypatch.setattr(scirepeval_harness, "__version__", "99.0")
    capsys.readouterr()
    assert run(tmp_path, "--resume", tasks=(CITE,)) == 0
    assert names(tmp_path) == [CITE]
    assert "another version of the harness" in capsys.readouterr().err
    assert "harness:99.0" in json.loads(score_file(tmp_path, CITE).read_text())["signature"]


def test_what_a_killed_run_left_is_swept(tmp_path: Path) -> None:
    assert run(tmp_path) == 0
    left = [
        tmp_path / ".leaderboard.md.abcd1234.part",
        tmp_path / "tfidf" / ".run.json.abcd1234.part",
        tmp_path / "tfidf" / "sample" / f".{CITE}.json.abcd1234.part",
    ]
    for path in left:
        path.write_text("half")
    mine = tmp_path / "tfidf" / ".notes"
    write_json(mine, {})
    assert run(tmp_path, "--resume") == 0
    assert not [path for path in left if path.exists()]
    assert mine.exists()
