from __future__ import annotations

import json
from pathlib import Path

import pytest

from scirepeval_harness.cli.main import main

# Scores of TF-IDF and BM25 depend on no float precision of a network: they hold on any machine.
GOLDEN = {
    ("tfidf", "sample-topics", "f1_macro"): 78.96,
    ("tfidf", "sample-fields", "f1_macro@5-shot"): 8.05,
    ("tfidf", "sample-citations", "kendalltau"): 46.66,
    ("tfidf", "sample-reviewers", "soft_P_5"): 61.14,
    ("tfidf", "sample-pools", "map"): 51.91,
    ("bm25", "sample-search", "ndcg"): 58.98,
    ("bm25", "sample-pools", "recall_5"): 44.79,
}


def run(*words: str) -> int:
    with pytest.raises(SystemExit) as stop:
        main(["run", *words])
    return int(stop.value.code or 0)


def test_the_sample_gives_its_golden_scores_twice_with_the_same_bytes(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["--suite", "sample", "--model", "bm25", "--model", "tfidf"]
    assert run(*words, "--output", str(tmp_path / "one")) == 0
    shown = capsys.readouterr().out
    assert "synthetic data" in shown
    assert "(2 of 5)" in shown, "BM25 runs rankings only, so its average is partial"
    for (model, task, key), value in GOLDEN.items():
        record = json.loads((tmp_path / "one" / model / "sample" / f"{task}.json").read_text())
        found = {score["key"]: score for score in record["scores"]}[key]
        assert found["value"] == pytest.approx(value, abs=0.2)
        low, high = found["interval"]
        assert low < found["value"] < high or key == "f1_macro@5-shot"
    assert run(*words, "--output", str(tmp_path / "two")) == 0
    for path in sorted((tmp_path / "one").rglob("sample/*")):
        again = tmp_path / "two" / path.relative_to(tmp_path / "one")
        assert path.read_bytes() == again.read_bytes(), path.name


def test_a_failing_task_leaves_the_others_and_exits_with_3(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    vectors = tmp_path / "v.jsonl"
    vectors.write_text('{"doc_id": "none", "embedding": [0.0, 1.0]}\n')
    out = tmp_path / "out"
    code = run("--suite", "sample", "--model", str(vectors), "--task", "sample-cite",
               "--task", "sample-year", "--output", str(out))  # fmt: skip
    assert code == 3
    assert "FAILED" in capsys.readouterr().err
    run_file = json.loads(next(out.glob("*/run.json")).read_text())
    assert [task["status"] for task in run_file["tasks"]] == ["failed", "failed"]
    assert "Traceback" in run_file["tasks"][0]["traceback"]


def test_results_are_not_overwritten_unasked_and_resume_keeps_them(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["--suite", "sample", "--model", "bm25", "--task", "sample-cite"]
    words += ["--output", str(tmp_path)]
    assert run(*words) == 0
    assert run(*words) == 2
    assert "--resume" in capsys.readouterr().err
    score = tmp_path / "bm25" / "sample" / "sample-cite.json"
    before = score.stat().st_mtime_ns
    assert run(*words, "--resume") == 0
    assert score.stat().st_mtime_ns == before
    assert run(*words, "--overwrite") == 0
    assert score.stat().st_mtime_ns > before


def test_the_exact_probe_gives_the_scores_of_the_reference(tmp_path: Path) -> None:
    """Every kind of probe, with few-shot settings; only the name of the probe differs, and how many
    fits a regression made, which leaves out what cannot win."""
    tasks = ("sample-topics", "sample-fields", "sample-citations")
    words = ["--suite", "sample", "--model", "tfidf", "--cache", str(tmp_path / "cache")]
    for task in tasks:
        words += ["--task", task]
    assert run(*words, "--probe", "sklearn", "--output", str(tmp_path / "sklearn")) == 0
    assert run(*words, "--output", str(tmp_path / "exact")) == 0
    for task in tasks:
        place = Path("tfidf") / "sample" / f"{task}.json"
        wanted, found = (
            (tmp_path / probe / place).read_text().replace(f'"probe": "{probe}"', '"probe": ""')
            .replace(f"|probe:{probe}|", "|probe:|")
            for probe in ("sklearn", "exact")
        )  # fmt: skip
        made, asked = (json.loads(text)["notes"]["settings"]["full"] for text in (found, wanted))
        if task == "sample-citations":
            for name in ("fits", "unconverged"):
                assert made[name] <= asked[name]
                found = found.replace(f'"{name}": {made[name]}', f'"{name}": {asked[name]}')
        assert found == wanted
        assert "given_back_to_reference" not in found, "machine code fitted it"


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--model", "spector2", "--suite", "sample"], "specter2"),
        (["--task", "sample-sarch"], "sample-search"),
        (["--suite", "sampel"], "sample"),
        (["--suite", "sample", "--data", "no/such/folder", "--model", "bm25"], "no such folder"),
        (["--suite", "sample", "--probe", "slow"], "sklearn"),
    ],
)
def test_mistakes_get_one_line(
    words: list[str], message: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code = run(*words, "--output", str(tmp_path))
    error = capsys.readouterr().err
    assert code in (2, 3)
    assert message in error
    assert "Traceback" not in error
