from __future__ import annotations

import json
import resource
import shutil
from pathlib import Path

import numpy as np
import pytest
from huggingface_hub import ModelCard

from scirepeval_harness.cli.main import main
from scirepeval_harness.task.registry import load_registry
from tests.support.made_results import queries, write_result
from tests.support.without_models import BLOCKED, run_without_models

KEPT = Path(__file__).parents[1] / "results" / "schema_v1"
START = np.linspace(0.2, 0.8, 60)


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    folder = tmp_path_factory.mktemp("results")
    registry = load_registry()

    def made(suite: str, task: str, shift: float = 0.0):  # type: ignore[no-untyped-def]
        values = START + shift / 100 + 0.01 * np.sin(np.arange(60)) * (shift != 0)
        return queries(registry.suite(suite), registry.task(task), values)

    tasks = ("sample-search", "sample-cite")
    all_made = {
        "first": [made("sample", name) for name in tasks],
        "second": [made("sample", name, 2.0) for name in tasks],
        "third": [made("sample", name, -2.0) for name in tasks],
        "real": [made("scirepeval", "relish"), made("scirepeval", "nfcorpus")],
    }
    return {title: str(write_result(folder, title, *own)) for title, own in all_made.items()}


@pytest.fixture(autouse=True)
def own_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def report(*words: str) -> int:
    with pytest.raises(SystemExit) as stop:
        main(["report", *words])
    return int(stop.value.code or 0)


def values_of(folder: str) -> dict[str, object]:
    return json.loads((Path(folder) / "leaderboard.json").read_text())  # type: ignore[no-any-return]


def test_a_report_is_one_folder_below_results_reports(
    results: dict[str, str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert report(results["first"], results["second"]) == 0
    shown = capsys.readouterr().out
    assert [path.name for path in tmp_path.iterdir()] == ["results"]
    (folder,) = (tmp_path / "results" / "reports").iterdir()
    assert folder.name.startswith("sample-")
    assert f"Open: results/reports/{folder.name}/report.html" in shown
    text = (folder / "report.md").read_text()
    assert "Synthetic data" in text
    assert "## Against first" in text, "the first result is the baseline where none is named"


@pytest.mark.slow
def test_the_baseline_may_be_any_result_or_a_published_row(results: dict[str, str]) -> None:
    pair = [results["first"], results["second"]]
    assert report(*pair, "--baseline", results["second"], "--output", "a") == 0
    (comparison,) = values_of("a")["comparisons"]  # type: ignore[misc]
    assert (comparison["base"], comparison["other"]) == ("second", "first")
    assert report(*pair, "--baseline", results["third"], "--output", "b") == 0
    found = values_of("b")
    assert [row["model"] for row in found["leaderboard"]] == ["third", "first", "second"]  # type: ignore[attr-defined]
    assert [c["base"] for c in found["comparisons"]] == ["third", "third"]  # type: ignore[attr-defined]
    words = ["--published", "--baseline", "published:specter2", "--output", "c"]
    assert report(results["real"], *words) == 0
    found = values_of("c")
    assert found["comparisons"][0]["base"].endswith("(published)")  # type: ignore[index]
    rows = {row["model"]: row for row in found["leaderboard"]}  # type: ignore[attr-defined]
    assert rows["SPECTER2-Adapters"]["published"] is True
    assert rows["SPECTER2-Adapters"]["cells"]["In-Train"]["value"] == 62.3
    assert "SPECTER2-Adapters (published)" in Path("c/report.md").read_text()


def test_what_is_not_comparable_is_listed_not_refused(results: dict[str, str]) -> None:
    registry = load_registry()
    task = queries(registry.suite("sample"), registry.task("sample-search"), START)
    limited = task.with_record(settings={**task.record.settings, "limit": 9})
    folder = write_result(Path("more"), "limited", limited)
    assert report(results["first"], str(folder), "--output", "out") == 0
    text = Path("out/report.md").read_text()
    assert "limit none against 9: sample-search" in text
    assert "limited to 9 queries or rows" in text


def test_the_model_card_is_of_one_result(
    results: dict[str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    card = ["--model-card", "card/README.md"]
    assert report(results["second"], "--baseline", results["first"], *card) == 0
    assert "Model card: card/README.md" in capsys.readouterr().out
    data = ModelCard.load(Path("card/README.md")).data
    assert data.model_name == "second"  # type: ignore[attr-defined]
    values = [entry.metric_value for entry in data.eval_results]  # type: ignore[attr-defined]
    assert values == pytest.approx([52.0] * 3, abs=0.1)
    assert report(results["first"], results["second"], *card) == 2
    assert "a model card is of one model" in capsys.readouterr().err


def test_a_reading_that_was_chosen_is_shown(results: dict[str, str]) -> None:
    assert report(results["real"], "--s2and", "constant", "--output", "out") == 0
    text = Path("out/report.md").read_text()
    assert "author disambiguation | constant | no |" in text
    assert "author disambiguation constant | 96.5 |" in text


@pytest.mark.parametrize(
    ("words", "code", "message"),
    [
        (["nothing"], 2, "no results here"),
        (["first", "real"], 2, "do not compare"),
        (["first", "--suite", "smaple"], 2, "sample"),
        (["first", "--baseline", "nothing"], 2, "published:NAME"),
        (["first", "--output", "file"], 2, "cannot write"),
    ],
)
def test_mistakes_get_one_line(
    words: list[str],
    code: int,
    message: str,
    results: dict[str, str],
    capsys: pytest.CaptureFixture[str],
) -> None:
    Path("file").write_text("a file")
    assert report(*(results.get(word, word) for word in words)) == code
    error = capsys.readouterr().err
    assert message in error
    assert "Traceback" not in error
    assert len(error.strip().splitlines()) == 1


def test_an_old_result_can_be_reported(capsys: pytest.CaptureFixture[str]) -> None:
    assert report(str(KEPT), "--output", "out") == 0
    assert "66.36" in Path("out/report.md").read_text()


@pytest.mark.slow
def test_everything_works_without_libraries_for_models(tmp_path: Path) -> None:
    shutil.copytree(KEPT, tmp_path / "one")
    made = run_without_models(tmp_path, "models", "show", "nothing")
    assert made.returncode == 2, made.stderr
    result = str(tmp_path / "one" / "tfidf")
    for words in (
        ["report", result, "--output", "out", "--model-card", "README.md"],
        ["runs", str(tmp_path / "one")],
        ["runs", "show", result],
    ):
        done = run_without_models(tmp_path, *words)
        assert done.returncode == 0, done.stderr
    assert (tmp_path / "out" / "report.html").is_file()
    # The libraries are away indeed.
    run = run_without_models(tmp_path, "run", "--model", "minilm", "--task", "sample-cite")
    assert run.returncode == 2
    assert any(name in run.stderr for name in BLOCKED)


@pytest.mark.parametrize("words", [["--help"], ["report", "--help"], ["runs", "--help"]])
def test_the_command_line_starts_in_under_a_second(words: list[str], tmp_path: Path) -> None:
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    done = run_without_models(tmp_path, *words)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    assert done.returncode == 0, done.stderr
    # Seconds of the processor: those on the wall depend on what else the machine does.
    assert after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime < 1.0


@pytest.mark.parametrize("more", [(), ("--format", "csv"), ("--by", "task")])
def test_a_suite_without_published_scores_is_told(
    results: dict[str, str], more: tuple[str, ...], capsys: pytest.CaptureFixture[str]
) -> None:
    """Otherwise --published adds nothing and says nothing."""

    def told(*words: str) -> str:
        with pytest.raises(SystemExit) as stop:
            main(["leaderboard", *words, *more])
        assert not stop.value.code
        return capsys.readouterr().err

    line = "No published scores of sample: they are of scirepeval and mdcr.\n"
    assert told(results["first"], "--published") == line
    assert told(results["first"]) == ""
    assert told(results["real"], "--published") == ""
