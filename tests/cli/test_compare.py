from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from scirepeval_harness.cli.main import main
from scirepeval_harness.task.registry import load_registry
from tests.support.golden import HOSTILE
from tests.support.made_results import SETTINGS, MadeTask, queries, write_result

START = np.linspace(0.2, 0.8, 60)


def task(name: str, suite: str, shift: float = 0.0, **update: object) -> MadeTask:
    registry = load_registry()
    values = START + shift / 100 + 0.01 * np.sin(np.arange(60)) * (shift != 0)
    return queries(registry.suite(suite), registry.task(name), values).with_record(**update)


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    folder = tmp_path_factory.mktemp("results")
    made = {
        "first": (task("sample-search", "sample"), task("sample-cite", "sample")),
        "second": (task("sample-search", "sample", 2.0), task("sample-cite", "sample")),
        "limited": (task("sample-search", "sample", settings={**SETTINGS, "limit": 9}),),
        "real": (task("relish", "scirepeval"), task("nfcorpus", "scirepeval")),
        HOSTILE[0]: (task("sample-search", "sample"),),
    }
    return {title: str(write_result(folder, title, *own)) for title, own in made.items()}


def compare(*words: str) -> int:
    with pytest.raises(SystemExit) as stop:
        main(["compare", *words])
    return int(stop.value.code or 0)


def test_two_results_in_three_forms(
    results: dict[str, str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    pair = [results["first"], results["second"]]
    assert compare(*pair) == 0
    table = capsys.readouterr().out
    assert "A: first. B: second. Of 3 scores B is better in 1, worse in 0, the same in 2." in table
    assert "Average" in table
    assert compare(*pair, "--format", "md") == 0
    assert "| Search (sample) | ndcg | 50.00 | 52.0" in capsys.readouterr().out
    path = tmp_path / "out" / "compare.json"
    assert compare(*pair, "--format", "json", "--output", str(path)) == 0
    (values,) = json.loads(path.read_text())
    entry = next(entry for entry in values["tasks"] if entry["task"] == "sample-search")
    assert entry["verdict"] == "better"
    assert entry["interval"][0] < entry["difference"] < entry["interval"][1]
    assert compare(*pair, "--format", "json") == 0
    assert str(path) in capsys.readouterr().out.splitlines()[0]


def test_more_than_two_are_each_compared_with_the_first(
    results: dict[str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert compare(results["first"], results["second"], results["first"]) == 0
    shown = capsys.readouterr().out
    assert shown.count("A: first [") == 2
    assert "B: second" in shown


def test_a_result_against_a_published_row(
    results: dict[str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert compare("published:specter2", results["real"]) == 0
    shown = capsys.readouterr().out
    # 92.3 or so and 70-odd points in the source; the made result has 50 in both.
    line = next(line for line in shown.splitlines() if line.startswith("RELISH"))
    assert "50.00" in line
    assert line.endswith("unknown")
    assert "not tested in 2" in shown
    assert "Average: real" not in shown
    assert "real has 2 of the 27 numbers: Average" in shown


def test_what_differs_in_protocol_is_refused_unless_allowed(
    results: dict[str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert compare(results["first"], results["limited"]) == 4
    assert "limit none against 9" in capsys.readouterr().err
    assert compare(results["first"], results["limited"], "--allow-mismatch") == 0
    assert "limit none against 9: sample-search" in capsys.readouterr().out


def test_a_hostile_model_name_is_text(
    results: dict[str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert compare(results["first"], results[HOSTILE[0]], "--format", "md") == 0
    shown = capsys.readouterr().out
    assert "&lt;script&gt;" in shown
    assert "<script" not in shown


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["first"], "Give two or more"),
        (["first", "nothing-here"], "published:NAME"),
        (["first", "published:spectre"], "specter"),
        (["first", "second", "--suite", "smaple"], "sample"),
    ],
)
def test_mistakes_get_one_line(
    words: list[str], message: str, results: dict[str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert compare(*(results.get(word, word) for word in words)) == 2
    error = capsys.readouterr().err
    assert message in error
    assert "Traceback" not in error


def test_a_folder_of_several_results_asks_for_one(
    results: dict[str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert compare(str(Path(results["first"]).parent), results["second"]) == 2
    assert "Give the folder of one" in capsys.readouterr().err
