"""Each mistake in the input ends as one line that says what, where and what to do."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from scirepeval_harness import files as atomic
from scirepeval_harness.cli.main import main

TASKS = {
    "own-topic": (
        'title = "Topic"\nformat = "classification"\nevaluation = "probe"\n'
        'metrics = ["f1_macro"]\n[local]\ndocuments = "papers.jsonl"\nlabels = "topic"\n'
    ),
    "own-cite": (
        'title = "Cite"\nformat = "proximity"\nevaluation = "ranking"\n'
        'metrics = ["map"]\n[local]\ndocuments = "pairs.jsonl"\nlabels = "cite"\n'
    ),
    "own-fields": (
        'title = "Fields"\nformat = "classification"\nmulti_label = true\nevaluation = "probe"\n'
        'metrics = ["f1_macro"]\n[local]\ndocuments = "papers.jsonl"\nlabels = "fields"\n'
    ),
    "own-score": (
        'title = "Score"\nformat = "regression"\nevaluation = "probe"\n'
        'metrics = ["kendalltau"]\n[local]\ndocuments = "papers.jsonl"\nlabels = "score"\n'
    ),
    "own-pools": (
        'title = "Pools"\nformat = "proximity"\nevaluation = "citation_pools"\n'
        'metrics = ["map"]\n[local]\ndocuments = "papers.jsonl"\npools = "pools.json"\n'
    ),
    "own-people": (
        'title = "People"\nformat = "proximity"\nevaluation = "reviewer_matching"\n'
        'metrics = ["P_5"]\n[local]\ndocuments = "papers.jsonl"\nlabels = "people"\n'
        'reviewers = "people"\n'
    ),
}
Edit = Callable[[Path], object]
PAPERS = [{"doc_id": n, "title": f"title {n}", "abstract": f"word{n % 2}"} for n in range(24)]
QUERY_AS_CANDIDATE = [
    {"doc_id": n, "query": PAPERS[n], "candidates": [*PAPERS[10:14], PAPERS[3]]} for n in range(3)
]


def orphan_query(folder: Path) -> None:
    """Leave out the row of query 3; that it is a candidate of others does not make it a query."""
    write(folder / "pairs.jsonl", QUERY_AS_CANDIDATE)
    with (folder / "cite" / "test_qrel.jsonl").open("a") as out:
        out.write('{"query_id": 0, "cand_id": 3, "score": 1}\n')


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """A sound set of each form; tests break one thing."""
    folder = tmp_path / "data"
    for name, text in TASKS.items():
        (folder / "tasks").mkdir(parents=True, exist_ok=True)
        (folder / "tasks" / f"{name}.toml").write_text(f'name = "{name}"\n{text}')
    write(folder / "papers.jsonl", PAPERS)
    (folder / "topic").mkdir()
    for split, ids in (("train", range(18)), ("test", range(18, 24))):
        lines = ["paper_id,label", *(f"{n},class {n % 2}" for n in ids)]
        (folder / "topic" / f"{split}.csv").write_text("\n".join(lines) + "\n")
    write(
        folder / "pairs.jsonl",
        [{"doc_id": n, "query": PAPERS[n], "candidates": PAPERS[10:14]} for n in range(4)],
    )
    (folder / "cite").mkdir()
    write(
        folder / "cite" / "test_qrel.jsonl",
        [{"query_id": q, "cand_id": c, "score": c % 2} for q in range(4) for c in range(10, 14)],
    )
    for name, label in (("fields", '"[{0}, {1}]"'), ("score", "{0}.{2}")):
        (folder / name).mkdir()
        for split, ids in (("train", range(18)), ("test", range(18, 24))):
            lines = [f"{n},{label.format(n % 2, n // 2 % 2, n)}" for n in ids]
            (folder / name / f"{split}.csv").write_text("\n".join(["paper_id,label", *lines]))
    pools(folder, {"true": [1], "bm25": [2, 3], "scincl": []})
    (folder / "people").mkdir()
    people(folder, [1, 2])
    for kind in ("hard", "soft"):
        labels = [{"query_id": 0, "cand_id": f"r{n}", "score": n} for n in (0, 1)]
        write(folder / "people" / f"test_{kind}_qrel.jsonl", labels)
    return folder


def pools(folder: Path, lists: object) -> None:
    (folder / "pools.json").write_text(json.dumps({"Art": {"0": lists}}))


def people(folder: Path, papers: object) -> None:
    rows = [{"r_id": "r0", "papers": papers}, {"r_id": "r1", "papers": [3]}]
    write(folder / "people" / "reviewer_metadata.jsonl", rows)


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
        ("own-topic", change("papers.jsonl", '"title 0"', "[1]"), (":1", "title is [1]")),
        (
            "own-topic",
            lambda d: (d / "topic/train.csv").write_text(
                "paper_id,label\n0,class 0\n1,class 1\n"
            ),
            ("own-topic", "folds"),
        ),
        (
            "own-topic",
            lambda d: (d / "topic/train.csv").write_text(
                "paper_id,label\n0,class 0\n1,class 0\n2,class 0\n"
            ),
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
        (
            "own-cite",
            lambda d: orphan_query(d),
            ("own-cite", "1 of 4 queries are missing", "3"),
        ),
        ("own-cite", change("cite/test_qrel.jsonl", '"score": 0', '"score": NaN'), (":1", "nan")),
        ("own-cite", change("cite/test_qrel.jsonl", '"score": 0', '"score": 1e999'), (":1", "inf")),
        ("own-cite", change("cite/test_qrel.jsonl", "cand_id", "candidate"), (":1", "cand_id")),
        ("own-cite", change("pairs.jsonl", "[{", "[7, {"), ("pairs.jsonl:1", "no document")),
        ("own-cite", change("pairs.jsonl", "}]}", "}]"), ("pairs.jsonl:1", "not valid JSON")),
        (
            "own-topic",
            lambda d: (d / "topic/train.csv").write_bytes(b"paper_id,label\n0,caf\xe9\n"),
            ("train.csv", "not UTF-8"),
        ),
        (
            "own-topic",
            lambda d: (d / "topic/train.csv").write_text(f"paper_id,label\n0,{'a' * 140_000}\n"),
            ("train.csv:2", "field larger"),
        ),
        ("own-topic", change("topic/train.csv", "1,class 1", "1"), ("train.csv:3", "cells")),
        (
            "own-cite",
            lambda d: (d / "pairs.jsonl").write_text("[" * 100_000),
            ("pairs.jsonl:1", "nested too deeply"),
        ),
        ("own-fields", change("fields/train.csv", "[0, 0]", "[2, 0]"), ("train.csv:2", "[2, 0]")),
        ("own-fields", change("fields/train.csv", "[0, 0]", "[0]"), ("own-fields", "lengths 1, 2")),
        ("own-fields", change("fields/test.csv", '"[0, 1]"', "x"), ("test.csv:2", "'x'")),
        ("own-score", change("score/train.csv", "\n0,0.0", "\n0,NaN"), ("train.csv:2", "'NaN'")),
        ("own-score", change("score/train.csv", "\n0,0.0", "\n0,high"), ("train.csv:2", "'high'")),
        ("own-pools", lambda d: (d / "pools.json").write_text("{"), ("pools.json", "JSON")),
        ("own-pools", lambda d: (d / "pools.json").write_text("{}"), ("pools.json", "no fields")),
        ("own-pools", lambda d: pools(d, {"true": [], "bm25": []}), ("Art", "no candidates")),
        ("own-pools", lambda d: pools(d, {"true": "12", "bm25": [2]}), ("Art", "'12'")),
        ("own-pools", lambda d: pools(d, {"true": [1], "bm25": [{"a": 1}]}), ("Art", "bm25")),
        ("own-pools", lambda d: pools(d, {"bm25": [2]}), ("Art", "'true'")),
        ("own-pools", lambda d: pools(d, {"true": [70]}), ("own-pools", "missing", "70")),
        ("own-people", lambda d: people(d, None), ("reviewer_metadata.jsonl:1", "papers is None")),
        ("own-people", lambda d: people(d, "12"), ("reviewer_metadata.jsonl:1", "'12'")),
        ("own-people", lambda d: people(d, []), ("r0", "no papers")),
    ],
)  # fmt: skip
def test_bad_data_fails_its_task_with_what_and_where(
    data: Path, task: str, edit: Edit, words: tuple[str, ...], capsys: pytest.CaptureFixture[str]
) -> None:
    edit(data)
    other = next(name for name in TASKS if name != task)
    assert run(data, "--task", task, "--task", other) == 3
    lines = capsys.readouterr().err.splitlines()
    [line] = [line for line in lines if f"{task}  FAILED" in line]
    assert all(word in line for word in words), line
    assert line.rstrip()[-1] != ":", "the line ends with what to do"
    assert not any("Traceback" in line for line in lines)
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


def test_a_byte_order_mark_is_no_part_of_the_text(data: Path) -> None:
    for name in ("papers.jsonl", "topic/train.csv", "pools.json"):
        (data / name).write_bytes(b"\xef\xbb\xbf" + (data / name).read_bytes())
    assert run(data) == 0


def test_missing_parts_are_scored_around_only_when_asked_and_said_beside_the_score(
    data: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    orphan_query(data)
    pools(data, {"true": [1, 70], "bm25": [2]})
    assert run(data, "--allow-missing") == 0
    shown = capsys.readouterr()
    partial = [line for line in shown.err.splitlines() if line.endswith("PARTIAL")]
    assert {line.split()[1] for line in partial} == {"own-cite", "own-pools"}
    score = json.loads(next((data / "out").rglob("own-cite.json")).read_text())
    assert score["coverage"] == {
        "documents_needed": 8, "documents_found": 8, "queries_needed": 4, "queries_found": 3
    }  # fmt: skip
    assert score["warnings"] == ["scored on 8 of 8 documents and 3 of 4 queries"]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--task", "own-cit"], "unknown task 'own-cit'. Did you mean own-cite"),
        (["--suite", "scirepevl"], "unknown suite 'scirepevl'. Did you mean scirepeval"),
        (["--model", "tfidff"], "unknown model 'tfidff'. Did you mean tfidf?"),
        (["--model", "tfidf"], "two models are named 'tfidf'. Name one of them with --model TITLE"),
        (["--resume", "--overwrite"], "exclude each other"),
        (["--model", "./none"], "./none: no such file or folder. Check the path"),
        (["--tasks-dir", "none"], "none: no such folder of tasks"),
    ],
)
def test_unknown_names_stop_a_run_before_it_starts(
    data: Path, words: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(data, *words) == 2
    *_, line = capsys.readouterr().err.splitlines()
    assert line.startswith("Error: ")
    assert message in line
    assert not (data / "out").exists()


def test_a_model_that_can_run_none_of_the_tasks_is_a_mistake(
    data: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(data, "--format", "regression", model="bm25") == 2
    assert "model bm25: the chosen tasks need vectors" in capsys.readouterr().err


def test_a_folder_that_is_not_there_stops_the_run_at_once(
    data: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["run", "--model", "tfidf", "--suite", "sample", "--data", "none/such"]
    words += ["--output", str(data / "out")]
    for before in ([], ["--debug"]):
        with pytest.raises(SystemExit) as stop:
            main([*before, *words])
        assert stop.value.code == 2
        shown = capsys.readouterr().err
        assert "none/such: no such folder" in shown
        assert ("Traceback" in shown) == bool(before)
    assert not (data / "out").exists()


def test_the_traceback_of_a_failed_task_is_kept_and_shown_with_debug(
    data: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (data / "papers.jsonl").unlink()
    with pytest.raises(SystemExit) as stop:
        main(["--debug", "run", "--model", "tfidf", "--tasks-dir", str(data / "tasks"), "--task",
              "own-topic", "--data", str(data), "--output", str(data / "out")])  # fmt: skip
    assert stop.value.code == 3
    assert "tfidf/own-topic: Traceback" in capsys.readouterr().err
    kept = json.loads(next((data / "out").glob("*/run.json")).read_text())
    failed = next(task for task in kept["tasks"] if task["status"] == "failed")
    assert failed["traceback"].rstrip().splitlines()[-1].startswith("scirepeval_harness.errors.")


def test_an_output_that_is_a_file_is_one_line(
    data: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (data / "out").write_text("")
    assert run(data) == 2
    *_, line = capsys.readouterr().err.splitlines()
    assert "out: not a folder" in line


def test_a_full_disk_is_one_line_and_no_score_file(
    data: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def full(source: object, target: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(atomic.os, "replace", full)
    assert run(data) == 3
    shown = capsys.readouterr().err
    assert "No space left on device" in shown
    assert "Free space" in shown.splitlines()[-1]
    assert "Traceback" not in shown
    assert not list((data / "out").rglob("*.json"))
    assert not list((data / "out").rglob("*.parquet")), "no half-written file stays"


def test_a_disk_that_fills_up_keeps_what_was_finished(
    data: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    real = atomic.os.replace

    def fills(source: object, target: str) -> None:
        if "own-people" in str(target):
            raise OSError(28, "No space left on device")
        real(source, target)

    with monkeypatch.context() as patch:
        patch.setattr(atomic.os, "replace", fills)
        assert run(data) == 3
    kept = {path.name for path in (data / "out").rglob("own-*.json")}
    assert "own-cite.json" in kept
    assert "own-people.json" not in kept
    assert run(data, "--resume") == 0
    record = json.loads((data / "out/tfidf/run.json").read_text())
    assert sorted(task["task"] for task in record["tasks"]) == sorted(TASKS)


def test_a_word_that_is_not_utf_8_is_refused_before_anything_runs(
    data: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(data, "--dtype", "\udcff") == 2
    assert "is not UTF-8" in capsys.readouterr().err
    assert not (data / "out").exists()


def test_an_error_of_the_system_has_place_and_advice(
    data: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def fail(*given: object, **named: object) -> None:
        raise OSError(36, "File name too long", "x" * 5_000)

    monkeypatch.setattr("scirepeval_harness.evaluate", fail)
    assert run(data) == 2
    [line] = capsys.readouterr().err.splitlines()
    assert line.startswith("Error: xxx")
    assert line.endswith(": File name too long. Check the path and its permissions")
