"""Metrics, a kind of evaluation and tasks from another package, through every command."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import matthews_corrcoef, roc_auc_score

from scirepeval_harness.statistics.bootstrap import weights
from scirepeval_harness.statistics.permutation import sign_flip_p, value_p
from tests.support.extending_page import install, write_page

ROOT = Path(__file__).parents[2]
FROM = "package library-harness 1.0"
SUITE = "library-tasks"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The page's package, installed, and two runs of its tasks."""
    root = tmp_path_factory.mktemp("outside")
    write_page(root)
    install(root)
    random = np.random.default_rng(0)
    for name, noise in (("a", 1.6), ("b", 0.9)):
        with (root / f"{name}.jsonl").open("w") as lines:
            for number in range(60):
                row = 2.0 * np.eye(3)[number % 3] + noise * random.normal(size=3)
                lines.write(json.dumps({"doc_id": str(number), "embedding": row.tolist()}) + "\n")
    done = command(
        root, "run", "--suite", SUITE, "--model", "a.jsonl", "--model", "b.jsonl",
        "--data", "data", "--output", "results",
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return root


def command(root: Path, *words: str) -> subprocess.CompletedProcess[str]:
    path = os.pathsep.join([str(ROOT), str(root)])
    return subprocess.run(
        [sys.executable, "-m", "scirepeval_harness", *words],
        cwd=root, capture_output=True, text=True, check=False,
        env=os.environ | {"PYTHONPATH": path},
    )  # fmt: skip


def record(root: Path, model: str, task: str) -> dict[str, Any]:
    return json.loads((root / "results" / model / SUITE / f"{task}.json").read_text())


def score(root: Path, model: str, task: str, key: str) -> dict[str, Any]:
    return next(s for s in record(root, model, task)["scores"] if s["key"] == key)


def items(root: Path, model: str, task: str) -> pd.DataFrame:
    [path] = (root / "results" / model / SUITE).glob(f"{task}*items*.parquet")
    return pd.read_parquet(path)


def draws(root: Path, model: str, task: str) -> pd.DataFrame:
    return pd.read_parquet(root / "results" / model / SUITE / f"{task}.draws.parquet")


def labels(frame: pd.DataFrame) -> tuple[np.ndarray, np.ndarray]:
    truth, predicted = (np.concatenate(frame[n].tolist()) for n in ("truth", "prediction"))
    return truth, predicted


@pytest.fixture(scope="module")
def compared(folder: Path) -> dict[tuple[str, str], dict[str, Any]]:
    """The comparison, made once: permutations call the page's metrics thousands of times."""
    done = command(
        folder, "compare", "results/a", "results/b", "--suite", SUITE, "--format", "json"
    )
    assert done.returncode == 0, done.stderr
    [found] = json.loads(done.stdout)
    return {(entry["task"], entry["key"]): entry for entry in found["tasks"]}


def test_scores_are_those_of_scikit_learn(folder: Path) -> None:
    for model in ("a", "b"):
        truth, predicted = labels(items(folder, model, "subjects"))
        expected = 100 * matthews_corrcoef(truth, predicted)
        assert score(folder, model, "subjects", "mcc")["value"] == pytest.approx(expected)
        pairs = items(folder, model, "duplicates")
        expected = 100 * roc_auc_score(pairs["truth"], pairs["prediction"])
        assert score(folder, model, "duplicates", "pair_auc")["value"] == pytest.approx(expected)


def test_the_ranking_metric_is_the_mean_over_queries(folder: Path) -> None:
    rows = items(folder, "a", "reading")
    own = rows[rows["metric"] == "top_grade"]["value"]
    assert len(own) == 5
    assert set(own) <= {0.0, 1.0}
    assert score(folder, "a", "reading", "top_grade")["value"] == pytest.approx(100 * own.mean())


@pytest.mark.parametrize(("task", "key"), [("subjects", "mcc"), ("duplicates", "pair_auc")])
def test_an_interval_is_the_metric_s_own(folder: Path, task: str, key: str) -> None:
    found = score(folder, "a", task, key)
    low, high = found["interval"]
    assert low <= found["value"] <= high
    assert low < high
    frame = items(folder, "a", task)
    drawn = draws(folder, "a", task)[key].to_numpy()
    assert np.percentile(drawn, [2.5, 97.5]) == pytest.approx([low, high])
    truth, predicted = (
        labels(frame)
        if task == "subjects"
        else (frame["truth"].to_numpy(), frame["prediction"].to_numpy())
    )
    seed = (42, zlib.crc32(task.encode()))
    counts = next(iter(weights(len(frame), 1000, seed))).astype(int)
    function = matthews_corrcoef if task == "subjects" else roc_auc_score
    for value, count in zip(drawn[:40], counts[:40], strict=True):
        rows = np.repeat(np.arange(len(frame)), count)
        assert value == pytest.approx(100 * function(truth[rows], predicted[rows]))


def test_the_interval_is_not_that_of_f1(folder: Path) -> None:
    one, other = (score(folder, "a", "subjects", key) for key in ("mcc", "f1_macro"))
    assert one["interval"] != other["interval"]


def test_the_p_value_is_the_metric_s_own(
    folder: Path, compared: dict[tuple[str, str], dict[str, Any]]
) -> None:
    sides = [labels(items(folder, model, "subjects")) for model in ("a", "b")]
    expected = value_p(matthews_corrcoef, sides[0][0], [sides[0][1]], [sides[1][1]], seed=42)
    assert compared["subjects", "mcc"]["p_value"] == pytest.approx(expected)
    frames = [items(folder, model, "duplicates") for model in ("a", "b")]
    predicted = [[frame["prediction"].to_numpy()] for frame in frames]
    expected = value_p(roc_auc_score, frames[0]["truth"].to_numpy(), *predicted, seed=42)
    assert compared["duplicates", "pair_auc"]["p_value"] == pytest.approx(expected)
    rows = [items(folder, model, "reading") for model in ("a", "b")]
    first, second = (frame[frame["metric"] == "top_grade"]["value"].to_numpy() for frame in rows)
    expected = sign_flip_p((second - first) / len(first), seed=42)
    assert compared["reading", "top_grade"]["p_value"] == pytest.approx(expected)


def test_a_metric_that_is_not_resampled_says_so(
    folder: Path, compared: dict[tuple[str, str], dict[str, Any]]
) -> None:
    found = score(folder, "a", "duplicates", "rank_sum")
    assert found["interval"] is None
    reasons = record(folder, "a", "duplicates")["notes"]["not_resampled"]
    assert list(reasons) == ["rank_sum"]
    entry = compared["duplicates", "rank_sum"]
    assert (entry["interval"], entry["p_value"], entry["verdict"]) == (None, None, "unknown")
    shown = command(folder, "compare", "results/a", "results/b", "--suite", SUITE)
    assert "No interval and no test, a metric that cannot be resampled" in shown.stdout
    assert "rank_sum" in shown.stdout


def test_check_and_report_take_them(folder: Path) -> None:
    done = command(
        folder, "check", "--baseline", "results/b", "--candidate", "results/b", "--suite", SUITE,
        "--all",
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    assert "mcc" in done.stdout
    worse = command(
        folder, "check", "--baseline", "results/b", "--candidate", "results/a", "--suite", SUITE
    )
    assert worse.returncode == 1, worse.stdout + worse.stderr
    done = command(folder, "report", "results", "--output", "page", "--suite", SUITE)
    assert done.returncode == 0, done.stderr
    text = (folder / "page" / "report.md").read_text()
    assert "Copies in our library" in text


def test_where_they_come_from_is_named(folder: Path) -> None:
    listed = command(folder, "tasks", "list", "--suite", SUITE)
    assert listed.returncode == 0, listed.stderr
    assert listed.stdout.count(FROM) == 3
    shown = command(folder, "tasks", "show", "duplicates")
    assert "evaluation from" in shown.stdout
    assert "metric pair_auc from" in shown.stdout
    assert record(folder, "a", "subjects")["origins"] == {"task": FROM, "metric mcc": FROM}
    assert record(folder, "a", "duplicates")["origins"]["evaluation"] == FROM


def test_tasks_check_audits_the_kind_s_own_way(folder: Path) -> None:
    done = command(folder, "tasks", "check", "duplicates", "--data", "data")
    assert done.returncode == 0, done.stderr
    assert "pairs of a document with itself" in done.stdout


@pytest.mark.parametrize(
    ("update", "error"),
    [
        ('metrics = ["pair_acu"]', "did you mean pair_auc?"),
        ('metrics = ["mcc"]', "'mcc' does not fit format proximity"),
        ('evaluation = "duplicate_pair"', "Did you mean duplicate_pairs?"),
        ("", "options: pairs is required"),
    ],
)
def test_a_mistake_in_a_task_file_is_named(
    folder: Path, tmp_path: Path, update: str, error: str
) -> None:
    base = {"name": '"own"', "title": '"Own"', "format": '"proximity"',
            "evaluation": '"duplicate_pairs"', "metrics": '["pair_auc"]'}  # fmt: skip
    if update:
        key, _, value = update.partition(" = ")
        base[key] = value
    (tmp_path / "own.toml").write_text("".join(f"{k} = {v}\n" for k, v in base.items()))
    done = command(folder, "tasks", "list", "--tasks-dir", str(tmp_path))
    assert done.returncode == 2
    assert error in " ".join(done.stderr.split())


def test_a_metric_that_vanished_is_an_error_and_no_other_s_numbers(
    folder: Path, tmp_path: Path
) -> None:
    words = ("compare", str(folder / "results" / "a"), str(folder / "results" / "b"))
    done = subprocess.run(
        [sys.executable, "-m", "scirepeval_harness", *words,
         "--tasks-dir", str(folder / "library_tasks")],
        cwd=tmp_path, capture_output=True, text=True, check=False,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
    )  # fmt: skip
    assert done.returncode == 2
    assert "unknown evaluation" in done.stderr or "must be one of probe" in done.stderr
