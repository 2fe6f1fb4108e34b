"""Evaluating from Python: names and objects, in a script, a notebook or a training process."""

from __future__ import annotations

import json
import random
import signal
import threading
from pathlib import Path

import numpy as np
import pytest

import scirepeval_harness as sh

TASKS = ["sample-search", "sample-topics"]


class Hashing:
    """Counts words into 64 places: an encoder in a few lines, the same on every machine."""

    name = "hashing"

    def __init__(self, seed: int = 0) -> None:
        self.seed, self.calls = seed, 0

    def encode(self, texts: list[str]) -> np.ndarray:
        self.calls += 1
        rows = np.zeros((len(texts), 64))
        for row, text in enumerate(texts):
            for word in text.lower().split():
                rows[row, (sum(map(ord, word)) * 31 + self.seed) % 64] += 1
        return rows / np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1e-9)


def test_an_object_and_a_name_side_by_side(tmp_path: Path) -> None:
    results = sh.evaluate([Hashing(), "tfidf"], suite="sample", tasks=TASKS, cache=None)
    assert list(results) == ["hashing", "tfidf"]
    assert results.complete
    frame = results["hashing"].scores
    assert set(frame["task"]) == set(TASKS)
    assert frame["value"].between(0, 100).all()
    assert (frame["low"] <= frame["value"]).all()
    assert (frame["value"] <= frame["high"]).all()
    items = results["hashing"].items("sample-search")
    ndcg = frame.set_index(["task", "metric"]).loc[("sample-search", "ndcg"), "value"]
    assert 100 * items["value"].mean() == pytest.approx(ndcg)
    assert list(results.scores["model"].unique()) == ["hashing", "tfidf"]


def test_the_same_scores_as_the_command_line(tmp_path: Path) -> None:
    """One front door: what `run` writes and what `evaluate` writes are the same bytes."""
    from scirepeval_harness.cli.main import main

    words = ["--suite", "sample", "--task", "sample-search", "--model", "tfidf", "--no-cache"]
    with pytest.raises(SystemExit):
        main(["run", *words, "--output", str(tmp_path / "line")])
    sh.evaluate(
        "tfidf", suite="sample", tasks="sample-search", cache=None, output=tmp_path / "python"
    )
    for name in (
        "sample-search.json",
        "sample-search.items.parquet",
        "sample-search.draws.parquet",
    ):
        line, python = (tmp_path / way / "tfidf" / "sample" / name for way in ("line", "python"))
        assert line.read_bytes() == python.read_bytes()
    assert (tmp_path / "line" / "leaderboard.md").read_text() == (
        tmp_path / "python" / "leaderboard.md"
    ).read_text()


def test_results_without_an_output_go_with_the_object(tmp_path: Path) -> None:
    results = sh.evaluate(Hashing(), suite="sample", tasks="sample-search", cache=None)
    folder = results["hashing"].folder
    assert folder.is_dir()
    del results
    assert not folder.exists()


def test_without_an_identity_nothing_is_kept_and_the_record_says_so(tmp_path: Path) -> None:
    cache = tmp_path / "cache"
    encoder = Hashing()
    for _ in range(2):
        before = encoder.calls
        results = sh.evaluate(encoder, suite="sample", tasks="sample-search", cache=cache)
        assert encoder.calls > before
    assert not sh.cache.info(cache)
    roles = results["hashing"].run.model.roles
    assert all("no identity" in detail["kept"] for detail in roles.values())


def test_with_an_identity_the_second_run_encodes_nothing(tmp_path: Path) -> None:
    encoder = Hashing()
    encoder.identity = "hashing of words, 64 places"  # type: ignore[attr-defined]
    first = sh.evaluate(encoder, suite="sample", tasks="sample-search", cache=tmp_path / "cache")
    calls = encoder.calls
    second = sh.evaluate(encoder, suite="sample", tasks="sample-search", cache=tmp_path / "cache")
    assert encoder.calls == calls
    assert first["hashing"].scores.equals(second["hashing"].scores)


def test_a_training_process_is_left_as_it_was(capsys: pytest.CaptureFixture[str]) -> None:
    random.seed(7)
    np.random.seed(7)
    states = random.getstate(), np.random.get_state()[1].tolist()
    handler = signal.getsignal(signal.SIGINT)
    sh.evaluate(Hashing(), suite="sample", tasks=TASKS, cache=None)
    assert states == (random.getstate(), np.random.get_state()[1].tolist())
    assert signal.getsignal(signal.SIGINT) is handler
    shown = capsys.readouterr()
    assert (shown.out, shown.err) == ("", "")


def test_it_works_in_a_thread_that_is_not_the_main_one() -> None:
    found: list[float] = []

    def work() -> None:
        results = sh.evaluate(Hashing(), suite="sample", tasks="sample-search", cache=None)
        found.append(float(results["hashing"].scores["value"].iloc[0]))

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert len(found) == 1


def test_a_failing_task_is_said_and_leaves_the_others() -> None:
    class Half(Hashing):
        def encode(self, texts: list[str], role: str = "") -> np.ndarray:
            if role == "classification":
                raise RuntimeError("out of luck")
            return super().encode(texts)

    results = sh.evaluate(Half(), suite="sample", tasks=TASKS, cache=None)
    assert results.unfinished == ("hashing/sample-topics",)
    assert not results.complete
    assert "out of luck" in str(results["hashing"].tasks["sample-topics"].error)
    assert results["hashing"].tasks["sample-search"].status == "ok"
    with pytest.raises(sh.HarnessError, match="1 tasks did not finish"):
        results.require_complete()


def test_ctrl_c_keeps_what_is_finished(tmp_path: Path) -> None:
    class Impatient(Hashing):
        def encode(self, texts: list[str], role: str) -> np.ndarray:
            if role == "classification":
                raise KeyboardInterrupt
            return super().encode(texts)

    with pytest.raises(sh.Interrupted) as stop:
        sh.evaluate(Impatient(), suite="sample", tasks=TASKS, cache=None, output=tmp_path)
    assert isinstance(stop.value, KeyboardInterrupt)
    assert isinstance(stop.value.results, sh.Results)


def test_titles_from_a_mapping_and_mistakes_that_are_said_at_once(tmp_path: Path) -> None:
    results = sh.evaluate(
        {"seed 0": Hashing(0), "seed 1": Hashing(1)}, suite="sample", tasks="sample-search",
        cache=None,
    )  # fmt: skip
    assert [result.run.model.title for result in results.values()] == ["seed 0", "seed 1"]
    for wrong, message in (
        ({"models": "no-such-model"}, "unknown model"),
        ({"models": "tfidf", "tasks": "sample-serch"}, "Did you mean sample-search"),
        ({"models": [Hashing(), Hashing()], "suite": "sample"}, "two models are named"),
        ({"models": "tfidf", "suite": "sample", "data": tmp_path / "none"}, "no such folder"),
        ({"models": "tfidf", "suite": "sample", "workers": 2}, "engine"),
    ):
        with pytest.raises(sh.HarnessError, match=message):
            sh.evaluate(**wrong)


def test_progress_is_handed_in() -> None:
    said: list[str] = []

    class Listener(sh.Silent):
        def say(self, line: str) -> None:
            said.append(line)

    sh.evaluate(Hashing(), suite="sample", tasks="sample-search", cache=None, progress=Listener())
    assert any("sample-search" in line and "ndcg" in line for line in said)


def test_the_plan_counts_what_would_be_encoded(tmp_path: Path) -> None:
    encoder = Hashing()
    encoder.identity = "words"  # type: ignore[attr-defined]
    arguments = {"suite": "sample", "tasks": "sample-search", "cache": tmp_path / "cache"}
    (before,) = sh.plan(encoder, **arguments)
    assert sum(space.to_encode for space in before.spaces) > 0
    assert encoder.calls == 0
    sh.evaluate(encoder, **arguments)
    (after,) = sh.plan(encoder, **arguments)
    assert sum(space.to_encode for space in after.spaces) == 0


def test_a_notebook_shows_tables(tmp_path: Path) -> None:
    results = sh.evaluate({"<b>bold</b>": Hashing()}, suite="sample", tasks=TASKS, cache=None)
    page = results.leaderboard()._repr_html_()
    assert "<table" in page
    assert "<b>bold</b>" not in page
    assert "&lt;b&gt;bold" in page
    json.dumps(results.leaderboard().to_pandas().reset_index().to_dict("list"))
