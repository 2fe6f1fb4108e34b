"""Each mistake in the input ends as one line that says what, where and what to do."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from scirepeval_harness import atomic
from scirepeval_harness.cli.main import main
from scirepeval_harness.errors import UsageError

TASKS = {
    "own-topic": (
        'title = "Topic"\nformat = "classification"\nevaluation = "probe"\n'
        'metrics = ["f1_macro"]\n[local]\ndocuments = "papers.jsonl"\nlabels = "topic"\n'
    ),
    "own-cite": (
        'title = "Cite"\nformat = "proximity"\nevaluation = "ranking"\n'
        'metrics = ["map"]\n[local]\ndocuments = "pairs.jsonl"\nlabels = "cite"\n'
    ),
}
Edit = Callable[[Path], object]


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """A sound set of each form; tests break one thing."""
    folder = tmp_path / "data"
    for name, text in TASKS.items():
        (folder / "tasks").mkdir(parents=True, exist_ok=True)
        (folder / "tasks" / f"{name}.toml").write_text(f'name = "{name}"\n{text}')
    papers = [{"doc_id": n, "title": f"title {n}", "abstract": f"word{n % 2}"} for n in range(24)]
    write(folder / "papers.jsonl", papers)
    (folder / "topic").mkdir()
    for split, ids in (("train", range(18)), ("test", range(18, 24))):
        lines = ["paper_id,label", *(f"{n},class {n % 2}" for n in ids)]
        (folder / "topic" / f"{split}.csv").write_text("\n".join(lines) + "\n")
    write(
        folder / "pairs.jsonl",
        [{"doc_id": n, "query": papers[n], "candidates": papers[10:14]} for n in range(4)],
    )
    (folder / "cite").mkdir()
    write(
        folder / "cite" / "test_qrel.jsonl",
        [{"query_id": q, "cand_id": c, "score": c % 2} for q in range(4) for c in range(10, 14)],
    )
    return folder


def write(path: Path, rows: list[dict[str, object]]) -> None:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))


def change(name: str, old: str, new: str) -> Edit:
    def edit(folder: Path) -> None:
        text = (folder / name).read_text()
        assert old in text
        (folder / name).write_text(text.replace(old, new, 1))

    return edit


def run(folder: Path, *words: str, model: str = "tfidf") -> int:
    with pytest.raises(SystemExit) as stop:
        main(["run", "--model", model, "--tasks-dir", str(folder / "tasks"), "--data", str(folder),
              "--output", str(folder / "out"), *words])  # fmt: skip
    return int(stop.value.code or 0)


def test_the_sound_set_runs(data: Path) -> None:
    assert run(data) == 0


@pytest.mark.parametrize(
    ("task", "edit", "words"),
    [
        ("own-topic", change("papers.jsonl", '"title"', '"title'), ("papers.jsonl", "1")),
        ("own-topic", lambda d: (d / "papers.jsonl").unlink(), ("papers.jsonl", "no such file")),
        ("own-topic", change("papers.jsonl", '"doc_id"', '"id"'), ("papers.jsonl", "doc_id")),
        ("own-topic", change("topic/train.csv", "label", "labels"), ("train.csv", "label")),
        ("own-topic", change("topic/train.csv", "\n0,class 0", "\n0,"), ("train.csv:2", "label")),
        ("own-topic", change("topic/test.csv", "18,", "99,"), ("99", "missing")),
        (
            "own-topic",
            change("papers.jsonl", '"title": "title 0", "abstract": "word0"', '"title": null'),
            ("papers.jsonl:1", "no text"),
        ),
        (
            "own-topic",
            lambda d: (d / "topic/train.csv").write_text("paper_id,label\n0,a\n1,b\n"),
            ("own-topic", "folds"),
        ),
        (
            "own-topic",
            lambda d: (d / "topic/train.csv").write_text("paper_id,label\n0,a\n1,a\n2,a\n"),
            ("own-topic", "same class"),
        ),
        ("own-cite", change("pairs.jsonl", "[{", '[], "rest": [{'), ("pairs.jsonl:1", "empty")),
        ("own-cite", change("cite/test_qrel.jsonl", '"score": 0', '"score": "?"'), (":1", "score")),
        (
            "own-cite",
            lambda d: write(
                d / "cite/test_qrel.jsonl", [{"query_id": 70, "cand_id": 71, "score": 1}]
            ),
            ("own-cite", "missing"),
        ),
    ],
)  # fmt: skip
def test_bad_data_fails_its_task_with_what_and_where(
    data: Path, task: str, edit: Edit, words: tuple[str, ...], capsys: pytest.CaptureFixture[str]
) -> None:
    edit(data)
    assert run(data) == 3
    lines = capsys.readouterr().err.splitlines()
    [line] = [line for line in lines if f"{task}  FAILED" in line]
    assert all(word in line for word in words), line
    assert line.rstrip()[-1] != ":", "the line ends with what to do"
    assert not any("Traceback" in line for line in lines)
    other = next(name for name in TASKS if name != task)
    score = json.loads(next((data / "out").rglob(f"{other}.json")).read_text())
    assert score["status"] == "ok", "the other task is scored"


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ([{"doc_id": "0", "embedding": [1.0, 0.0]}], "documents"),
        ([{"doc_id": n, "embedding": [float("nan"), 0.0]} for n in range(24)], "NaN"),
        ([{"doc_id": 1, "embedding": [1.0]}, {"doc_id": 1, "embedding": [2.0]}], "repeated"),
        ([{"doc_id": 1, "embedding": [1.0]}, {"doc_id": 2, "embedding": [2.0, 1.0]}], "dimension"),
    ],
)
def test_bad_vectors_are_refused(
    data: Path,
    tmp_path: Path,
    rows: list[dict[str, object]],
    message: str,
    capsys: pytest.CaptureFixture[str],
) -> None:
    write(tmp_path / "vectors.jsonl", rows)
    assert run(data, model=str(tmp_path / "vectors.jsonl")) in (2, 3)
    shown = capsys.readouterr().err
    assert message in shown
    assert "vectors" in shown
    assert "Traceback" not in shown
    assert not [p for p in data.rglob("out/**/own-*.json") if '"ok"' in p.read_text()]


def test_a_folder_that_is_not_there_stops_the_run_at_once(
    data: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["run", "--model", "tfidf", "--suite", "sample", "--data", "none/such"]
    words += ["--output", str(data / "out")]
    with pytest.raises(SystemExit) as stop:
        main(words)
    assert stop.value.code == 2
    assert "none/such: no such folder" in capsys.readouterr().err
    with pytest.raises(UsageError, match="no such folder"):
        main(["--debug", *words])
    assert not (data / "out").exists()


def test_the_traceback_of_a_failed_task_is_kept(data: Path) -> None:
    (data / "papers.jsonl").unlink()
    run(data)
    kept = json.loads(next((data / "out").glob("*/run.json")).read_text())
    failed = next(task for task in kept["tasks"] if task["status"] == "failed")
    assert "Traceback" in failed["traceback"]


def test_a_full_disk_is_one_line_and_no_score_file(
    data: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def full(source: object, target: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(atomic.os, "replace", full)
    assert run(data) in (2, 3)
    shown = capsys.readouterr().err
    assert "No space left on device" in shown
    assert "Traceback" not in shown
    assert not list((data / "out").rglob("*.json"))
    assert not list((data / "out").rglob("*.parquet")), "no half-written file stays"
