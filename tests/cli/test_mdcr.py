"""MDCR's exchange form on the command line: the same numbers from `run`, from a file, by hand."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import pytest

from scirepeval_harness.cli.main import main

# Words that no stemmer and no list of stop words touches.
TEXTS = {
    "q": "zork blip",
    "a": "zork zork plam",
    "b": "plam gruk drim vask",
    "c": "blip gruk",
    "far": "zork blip zork blip",
}
POOLS = {
    "Art": {"q": {"true": ["a"], "bm25": ["b"], "random": ["c"]}},
    "Music": {"far": {"true": ["b"], "bm25": [], "random": ["a", "q"]}},
}


def harness(*words: str) -> int:
    with pytest.raises(SystemExit) as stop:
        main(words)
    return int(stop.value.code or 0)


def by_field(path: Path) -> dict[str | None, dict[str, float]]:
    found: dict[str | None, dict[str, float]] = {}
    for score in json.loads(path.read_text())["scores"]:
        found.setdefault(score["field"], {})[score["metric"]] = score["value"]
    return found


@pytest.fixture
def small(tmp_path: Path) -> tuple[str, ...]:
    """Options that name a task of two fields with one query each."""
    data, tasks = tmp_path / "data", tmp_path / "tasks"
    data.mkdir()
    tasks.mkdir()
    rows = [{"paper_id": key, "title": text, "abstract": None} for key, text in TEXTS.items()]
    (data / "docs.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    (data / "pools.json").write_text(json.dumps(POOLS))
    (tasks / "small.toml").write_text(
        'name = "small"\ntitle = "Small"\nformat = "proximity"\nevaluation = "citation_pools"\n'
        'metrics = ["map", "ndcg", "recall_5"]\n'
        '[local]\ndocuments = "docs.jsonl"\npools = "pools.json"\n'
    )
    return ("--task", "small", "--tasks-dir", str(tasks), "--data", str(data))


@pytest.mark.parametrize(
    ("model", "options"),
    [
        ("tfidf", ()),
        ("bm25", ()),
        ("tfidf", ("--quantize", "int8")),
        ("both", ("--quantize", "binary")),
    ],
)
def test_a_written_file_scores_as_the_run_does(
    model: str, options: tuple[str, ...], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "scores.json"
    (tmp_path / "both.toml").write_text(
        'name = "both"\ntitle = "B"\nkind = "ensemble"\nmembers = ["bm25", "tfidf"]\n'
        'combine = "scores"\n'
    )
    given = str(tmp_path / "both.toml") if model == "both" else model
    task = ("--task", "sample-pools")
    words = ("--model", given, *task, *options)
    assert harness("mdcr", "write-scores", *words, "--output", str(file)) == 0
    capsys.readouterr()
    assert harness("mdcr", "score", str(file), *task, "--json") == 0
    found: dict[str, Any] = json.loads(capsys.readouterr().out)
    assert harness("run", *words, "--output", str(tmp_path / "out")) == 0
    expected = by_field(tmp_path / "out" / model / "sample" / "sample-pools.json")
    assert found.pop("mean of the fields") == expected.pop(None)
    assert found == expected


def test_bm25_is_scored_within_the_pools_as_by_hand(tmp_path: Path, small: tuple[str, ...]) -> None:
    file = tmp_path / "scores.json"
    assert harness("mdcr", "write-scores", "--model", "bm25", *small, "--output", str(file)) == 0
    scores = json.loads(file.read_text())
    assert set(scores) == {"q_a", "q_b", "q_c", "far_b", "far_a", "far_q"}, "pairs of pools only"

    def weight(word: str, document: str) -> float:
        # Lucene's BM25 with k1 1.5 and b 0.75; statistics from all five documents.
        texts = {key: text.split() for key, text in TEXTS.items()}
        holders = sum(word in text for text in texts.values())
        idf = math.log(1 + (len(texts) - holders + 0.5) / (holders + 0.5))
        mean = sum(map(len, texts.values())) / len(texts)
        count = texts[document].count(word)
        return idf * count / (count + 1.5 * (0.25 + 0.75 * len(texts[document]) / mean))

    for query, document in (("q", "a"), ("q", "b"), ("q", "c"), ("far", "q"), ("far", "a")):
        by_hand = sum(weight(word, document) for word in TEXTS[query].split())
        assert scores[f"{query}_{document}"] == pytest.approx(by_hand, rel=1e-6), (query, document)


def test_the_record_states_the_settings_of_bm25(tmp_path: Path, small: tuple[str, ...]) -> None:
    assert harness("run", "--model", "bm25", *small, "--output", str(tmp_path / "out")) == 0
    record = json.loads(next((tmp_path / "out" / "bm25").glob("*/small.json")).read_text())
    stated = record["model"]["roles"]["proximity"]
    assert {key: stated[key] for key in ("k1", "b", "method", "stemmer", "stop_words")} == {
        "k1": "1.5",
        "b": "0.75",
        "method": "lucene",
        "stemmer": "english",
        "stop_words": "en",
    }
    assert "candidate documents" in stated["statistics_from"]


def test_a_file_made_elsewhere_is_scored_field_by_field(
    tmp_path: Path, small: tuple[str, ...], capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "scores.json"
    # Art: the true one second of three. Music: the true one first of three.
    made = {"q_a": 0.5, "q_b": 0.9, "q_c": 0.1, "far_b": 3, "far_a": 2, "far_q": 1, "x_y": 0}
    file.write_text(json.dumps(made))
    assert harness("mdcr", "score", str(file), *small) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].split() == ["field", "map", "ndcg", "recall_5"]
    assert [line.split()[-3:] for line in lines[1:]] == [
        ["50.0000", f"{100 / math.log2(3):.4f}", "100.0000"],
        ["100.0000", "100.0000", "100.0000"],
        ["75.0000", f"{(100 + round(100 / math.log2(3), 4)) / 2:.4f}", "100.0000"],
    ]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["score", "none.json", "--task", "sample-pools"], "none.json"),
        (["score", "none.json", "--task", "sample-cite"], "no candidate pools"),
        (["score", "none.json"], "fetch --task mdcr"),
        (["write-scores", "--model", "bm25", "--output", "x.json", "--task", "sample-cite"],
         "no candidate pools"),
    ],
)  # fmt: skip
def test_mistakes_are_one_line(
    words: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert harness("mdcr", *words) == 2
    error = capsys.readouterr().err
    assert message in error
    assert "Traceback" not in error


def test_a_pair_without_a_score_is_refused(
    tmp_path: Path, small: tuple[str, ...], capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "scores.json"
    file.write_text('{"q_a": 1, "q_b": 2, "q_c": 3, "far_a": 1, "far_b": 2}')
    assert harness("mdcr", "score", str(file), *small) == 2
    assert "far_q" in capsys.readouterr().err
