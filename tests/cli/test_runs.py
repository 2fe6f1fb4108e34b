from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from scirepeval_harness.cli.main import main
from scirepeval_harness.task.registry import load_registry
from tests.support.golden import HOSTILE
from tests.support.made_results import queries, query_task, suite_of, write_result

KEPT = Path(__file__).parents[1] / "results" / "schema_v1" / "tfidf"
SEALED = Path(__file__).parents[2] / "results" / "baselines" / "sample" / "tfidf"


def runs(*words: str) -> int:
    with pytest.raises(SystemExit) as stop:
        main(["runs", *words])
    return int(stop.value.code or 0)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Two runs below a folder, one of them with a name that does harm."""
    shutil.copytree(KEPT, tmp_path / "runs" / "sample-1" / "tfidf")
    registry = load_registry()
    task = queries(registry.suite("sample"), registry.task("sample-search"), np.linspace(0, 1, 20))
    write_result(tmp_path / "runs" / "sample-0", HOSTILE[2], task)
    return tmp_path / "runs"


def test_results_are_listed_from_the_oldest_to_the_newest(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert runs(str(folder)) == 0
    header, *lines = capsys.readouterr().out.splitlines()
    for name in ("Folder", "Model", "Suite", "Averages", "Date", "Signature"):
        assert name in header
    assert len(lines) == 2
    assert "2026-01-01T00:00:00+00:00" in lines[0]
    assert "In-Train 50.0 (1 of 5)" in lines[0]
    assert all(part in lines[1] for part in ("TF-IDF", "sample (synthetic)", "tasks:2|all:"))
    assert "Out-of-Train 61.0 (3 of 7)" in lines[1] or "(3 of 7)" in lines[1]
    assert "\x1b" not in "".join(lines)


def test_list_may_be_said_or_left_out_and_the_default_folder_is_results_runs(
    folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert runs(str(folder)) == 0
    short = capsys.readouterr().out
    assert runs("list", str(folder)) == 0
    assert capsys.readouterr().out == short
    home = folder.parent / "home"
    shutil.copytree(folder, home / "results" / "runs")
    monkeypatch.chdir(home)
    assert runs() == 0
    assert "results/runs/sample-1/tfidf" in capsys.readouterr().out
    monkeypatch.chdir(folder)
    assert runs() == 2
    assert "results/runs: no such folder" in capsys.readouterr().err


def test_a_damaged_result_is_said_and_the_others_listed(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    bad = folder / "bad"
    bad.mkdir()
    (bad / "run.json").write_text('{"schema_version": 99}')
    assert runs(str(folder)) == 0
    shown = capsys.readouterr()
    assert "TF-IDF" in shown.out
    assert "Not read" in shown.err
    assert "Upgrade" in shown.err


def test_a_suite_that_is_not_registered_has_no_averages(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    task = query_task("mine")
    suite = suite_of(task, name="unknown-suite")
    write_result(tmp_path, "model", queries(suite, task, np.linspace(0, 1, 20)))
    assert runs(str(tmp_path), "--json") == 0
    (entry,) = json.loads(capsys.readouterr().out)
    assert entry["suites"] == ["unknown-suite"]
    assert entry["averages"] == {}


def test_an_empty_folder_has_no_results(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert runs(str(tmp_path)) == 0
    assert capsys.readouterr().out.strip() == "No results."


def test_show_gives_everything_of_a_result(capsys: pytest.CaptureFixture[str]) -> None:
    assert runs("show", str(KEPT)) == 0
    shown = capsys.readouterr().out
    raw = json.loads((KEPT / "run.json").read_text())
    task = json.loads((KEPT / "sample" / "sample-cite.json").read_text())
    for text in (
        raw["signature"],
        raw["created_at"],
        raw["hardware"]["cpu"],
        raw["packages"]["numpy"],
        task["signature"],
        "--model tfidf --suite sample --task sample-cite --task sample-nature",
        "403 of 403",
        "sublinear_tf",
        "Seconds total",
        *(f"{score['value']:.2f}" for score in task["scores"]),
    ):
        assert text in shown, text


def test_show_as_json_holds_the_files_as_they_are(capsys: pytest.CaptureFixture[str]) -> None:
    assert runs("show", str(KEPT), "--json") == 0
    found = json.loads(capsys.readouterr().out)
    assert found["run"] == json.loads((KEPT / "run.json").read_text())
    path = KEPT / "sample" / "sample-cite.json"
    assert found["tasks"]["sample-cite"] == json.loads(path.read_text())


def test_show_wants_one_result(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert runs("show", str(folder / "none")) == 2
    assert "no results here" in capsys.readouterr().err
    shutil.copytree(KEPT, folder / "sample-1" / "again")
    assert runs("show", str(folder / "sample-1")) == 2
    assert "Give the folder of one" in capsys.readouterr().err


def _verify(folder: Path, capsys: pytest.CaptureFixture[str]) -> str:
    """The last error."""
    assert runs("verify", str(folder)) == 2
    return capsys.readouterr().err.splitlines()[-1]


def test_what_to_do_where_there_is_no_one_result_to_verify(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for none in (tmp_path / "nowhere", KEPT / "sample"):
        assert _verify(none, capsys) == (
            f"Error: {none}: no results here. Give a folder that holds run.json"
        )
    shutil.copytree(KEPT, folder / "sample-1" / "other")
    assert _verify(folder / "sample-1", capsys) == (
        f"Error: {folder / 'sample-1'}: 2 results here (other, tfidf). Give the folder of one"
    )
    shutil.rmtree(folder / "sample-1" / "other")
    assert runs("verify", str(folder / "sample-1")) == 0, "a folder that holds one is that one's"


@pytest.mark.parametrize("content", ["", '{"schema_version": 2', "edited"])
def test_what_to_do_about_a_damaged_run_file(
    content: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """It is of all tasks: running one again mends nothing, and --resume stops at it."""
    words = ["--model", "tfidf", "--suite", "sample", "--task", "sample-search",
             "--output", str(tmp_path)]  # fmt: skip

    def again(*more: str) -> int:
        with pytest.raises(SystemExit) as stop:
            main(["run", *words, *more])
        return int(stop.value.code or 0)

    assert again() == 0
    path = tmp_path / "tfidf" / "run.json"
    edited = path.read_text().replace('"seconds"', '"SECONDS"')
    path.write_text(edited if content == "edited" else content)
    fix = "Take an unchanged copy, or run again with --overwrite"
    assert _verify(tmp_path, capsys).endswith(f". {fix}")
    assert again("--resume") == 2
    assert again("--overwrite") == 0
    assert runs("verify", str(tmp_path)) == 0


@pytest.mark.parametrize("sealed", [True, False])
def test_what_to_do_about_a_score_file_that_is_gone(
    sealed: bool, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    shutil.copytree(SEALED if sealed else KEPT, tmp_path / "tfidf")
    path = tmp_path / "tfidf" / "sample" / "sample-cite.json"
    path.unlink()
    line = f"Error: {path}: no such file. Take an unchanged copy, or run the task again"
    assert _verify(tmp_path, capsys) == line
