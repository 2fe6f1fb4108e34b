"""What a run keeps, repeats and writes over, through the command line."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from scirepeval_harness.cli.main import main

CITE, YEAR, SEARCH = "sample-cite", "sample-year", "sample-search"


def run(output: Path, *words: str, tasks: tuple[str, ...] = (CITE,), model: str = "tfidf") -> int:
    chosen = [word for task in tasks for word in ("--task", task)]
    with pytest.raises(SystemExit) as stop:
        main(["run", "--suite", "sample", "--model", model, *chosen, "--output", str(output),
              "--no-cache", *words])  # fmt: skip
    return int(stop.value.code or 0)


def run_file(output: Path, model: str = "tfidf") -> dict[str, Any]:
    found: dict[str, Any] = json.loads((output / model / "run.json").read_text())
    return found


def names(output: Path) -> list[str]:
    return [entry["task"] for entry in run_file(output)["tasks"]]


def score_file(output: Path, task: str) -> Path:
    return output / "tfidf" / "sample" / f"{task}.json"


def test_resuming_a_part_keeps_the_rest_and_its_order(tmp_path: Path) -> None:
    assert run(tmp_path, tasks=(CITE, SEARCH)) == 0
    before = score_file(tmp_path, CITE).read_bytes()
    assert run(tmp_path, "--resume", tasks=(YEAR, CITE)) == 0
    assert names(tmp_path) == [SEARCH, CITE, YEAR], "first what was there, in the suite's order"
    assert score_file(tmp_path, CITE).read_bytes() == before


def test_a_resumed_task_keeps_the_seconds_that_its_scores_took(tmp_path: Path) -> None:
    assert run(tmp_path) == 0
    before = run_file(tmp_path)["tasks"][0]["seconds"]
    assert run(tmp_path, "--resume") == 0
    assert run_file(tmp_path)["tasks"][0]["seconds"] == before


def test_other_settings_are_scored_again_and_never_mixed(tmp_path: Path) -> None:
    assert run(tmp_path, tasks=(CITE, YEAR)) == 0
    assert run(tmp_path, "--resume", "--limit", "20", tasks=(CITE,)) == 0
    assert names(tmp_path) == [CITE], "the task of the other limit is in no run file any more"
    record = json.loads(score_file(tmp_path, CITE).read_text())
    assert record["settings"]["limit"] == 20


def test_the_same_run_twice_has_one_signature_and_other_settings_another(tmp_path: Path) -> None:
    for name, words in (("a", ()), ("b", ()), ("c", ("--seed", "1")), ("d", ("--limit", "9"))):
        assert run(tmp_path / name, *words) == 0
    found = [run_file(tmp_path / name)["signature"] for name in "abcd"]
    assert found[0] == found[1]
    assert len(set(found)) == 3


def test_a_failed_task_is_scored_again_when_resuming(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    vectors = tmp_path / "v.jsonl"
    vectors.write_text('{"doc_id": "none", "embedding": [0.0, 1.0]}\n')
    out, model = tmp_path / "out", f"mine={vectors}"
    assert run(out, model=model) == 3
    assert run_file(out, "mine")["status"] == "failed"
    capsys.readouterr()
    assert run(out, "--resume", model=model) == 3
    assert "FAILED" in capsys.readouterr().err, "it was tried again"


def test_two_models_of_one_name_are_a_mistake(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(tmp_path, "--model", "tfidf") == 2
    assert "TITLE=MODEL" in capsys.readouterr().err
    assert not list(tmp_path.iterdir())
