"""run --dry-run: the counts are those that the run itself then meets."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from scirepeval_harness.cli.main import main
from tests.support.tiny_models import save_adapter, save_base

WORDS = ["--suite", "sample", "--task", "sample-search", "--task", "sample-cite",
         "--task", "sample-year", "--task", "sample-citations", "--limit", "40",
         "--device", "cpu"]  # fmt: skip


def run(*words: str) -> int:
    with pytest.raises(SystemExit) as stop:
        main(["run", *words])
    return int(stop.value.code or 0)


def numbers(line: str) -> list[int]:
    return [int(text.replace(",", "")) for text in re.findall(r"[\d,]*\d", line)]


def test_the_plan_is_what_the_run_does(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    save_base(tmp_path / "model")
    words = [*WORDS, "--model", f"tiny={tmp_path / 'model'}", "--model", "bm25", "--model", "tfidf",
             "--cache", str(tmp_path / "cache"), "--output", str(tmp_path / "out")]  # fmt: skip
    assert run(*words, "--dry-run") == 0
    shown = capsys.readouterr().out
    tiny, bm25, tfidf = shown.splitlines()[:3]
    documents, texts, cached, to_encode, _ = numbers(tiny.split("plan:")[1])
    assert (cached, to_encode) == (0, texts)
    assert texts < documents, "year and citations share their papers"
    assert "no vectors" in bm25
    assert numbers(bm25)[1] < documents, "BM25 sees the rankings only"
    assert "none kept" in tfidf
    assert not (tmp_path / "cache").exists()
    assert not (tmp_path / "out").exists()

    assert run(*words) == 0
    assert tiny in capsys.readouterr().err, "the run says the same before it starts"
    record = json.loads((tmp_path / "out" / "tiny" / "run.json").read_text())
    assert record["documents_encoded"] == texts
    assert run(*words, "--dry-run") == 0, "results that are there do not stand in the way"
    after = capsys.readouterr().out.splitlines()[0]
    assert f"{texts:,} cached, nothing to encode" in after


def test_no_weights_are_needed_for_a_plan(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    import torch

    def refuse(*arguments: object, **more: object) -> None:
        raise AssertionError("weights were opened")

    save_base(tmp_path / "model")
    monkeypatch.setattr(torch, "load", refuse)
    monkeypatch.setattr(torch.nn.Module, "load_state_dict", refuse)
    words = [*WORDS, "--model", str(tmp_path / "model"), "--cache", str(tmp_path / "cache")]
    assert run(*words, "--dry-run") == 0
    assert re.search(r"to encode \([\d,]+ tokens\)", capsys.readouterr().out)


def test_roles_with_adapters_are_planned_apart(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    save_base(tmp_path / "base")
    save_adapter(tmp_path / "query", seed=1)
    (tmp_path / "two.toml").write_text(
        f"""name = "two"
title = "Two"
kind = "transformer"
[base]
path = "{tmp_path / "base"}"
[adapters.query]
path = "{tmp_path / "query"}"
"""
    )
    words = [*WORDS, "--model", str(tmp_path / "two.toml"), "--cache", str(tmp_path / "cache")]
    assert run(*words, "--dry-run") == 0
    rows = [line for line in capsys.readouterr().out.splitlines() if line.startswith("two  ")][1:]
    cells = sorted(re.split(r"\s{2,}", row) for row in rows)
    assert [row[1] for row in cells] == ["query", "regression, proximity"]
    assert cells[0][2:6] == ["40", "40", "0", "40"]


def test_a_task_that_cannot_be_planned_is_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["--suite", "sample", "--model", "bm25", "--task", "sample-cite"]
    assert run(*words, "--data", str(tmp_path), "--dry-run") == 3
    assert "not planned: sample-cite" in capsys.readouterr().err
