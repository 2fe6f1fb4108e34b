"""Result folders hold the definitions of their suites and tasks, and are read by them anywhere."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import scirepeval_harness as sh
from scirepeval_harness.cli.main import main
from scirepeval_harness.results.folder import OTHERWISE, load_result, seal_of
from scirepeval_harness.task.registry import Defined, load_registry, with_defined

WORDS = ("alpha", "beta", "gamma", "delta")
TASK = """
name = "own-search"
title = "Own search"
format = "adhoc_search"
evaluation = "ranking"
metrics = ["ndcg", "map"]
[local]
documents = "documents.jsonl"
labels = "."
"""
SUITE = """
name = "own"
title = "Own"
task_set = "own"
[[columns]]
name = "Search"
tasks = ["own-search"]
metric = "map"
"""


@pytest.fixture(scope="module")
def tasks(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of one's own: a suite, a task and its data."""
    folder = tmp_path_factory.mktemp("tasks")
    (folder / "suite.toml").write_text(SUITE)
    (folder / "search.toml").write_text(TASK)
    rows, labels = [], []
    for number in range(6):
        papers = [
            {"doc_id": f"{number}-{word}", "title": f"{word} paper", "abstract": f"on {word}"}
            for word in WORDS
        ]
        query = WORDS[number % 4] if number else WORDS[1]
        rows.append({"doc_id": f"q{number}", "query": f"{query} {number}", "candidates": papers})
        labels += [
            {
                "query_id": f"q{number}",
                "cand_id": paper["doc_id"],
                "score": int(place == number % 4),
            }
            for place, paper in enumerate(papers)
        ]
    for name, lines in (("documents.jsonl", rows), ("test_qrel.jsonl", labels)):
        (folder / name).write_text("\n".join(map(json.dumps, lines)) + "\n")
    return folder


@pytest.fixture(scope="module")
def made(tasks: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    output = tmp_path_factory.mktemp("results")
    models = {"one": "tfidf", "two": "bm25"}
    what: dict[str, Any] = {"tasks_dirs": [tasks], "data": tasks, "cache": None}
    assert sh.evaluate(models, **what, output=output).complete
    return output


@pytest.fixture
def folders(made: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The results alone, in another place, as who gets them by mail has them."""
    monkeypatch.chdir(tmp_path)
    return Path(shutil.copytree(made, tmp_path / "moved"))


def redefine(folder: Path, change: Callable[[dict[str, Any]], object]) -> None:
    """Change the definitions as another run would have had them."""
    path = folder / "run.json"
    raw = json.loads(path.read_text())
    change(raw["definitions"])
    path.write_text(json.dumps({**raw, "seal": seal_of(raw)}))


def test_a_folder_holds_its_suite_and_all_tasks_of_it(made: Path, tasks: Path) -> None:
    registry = load_registry([tasks])
    result = load_result(made / "one")
    assert result.sealed
    held = result.run.definitions
    assert held is not None
    assert held.suites == {"own": registry.suite("own").model_dump(mode="json")}
    assert held.tasks == {"own-search": registry.task("own-search").model_dump(mode="json")}
    again = with_defined(load_registry(), [result.defined]) if result.defined else registry
    assert again.task("own-search") == registry.task("own-search")
    assert again.task("own-search").definition_hash() == result.tasks["own-search"].definition_hash
    assert again.suite("own").columns == registry.suite("own").columns


def test_a_part_of_a_suite_keeps_the_definitions_of_the_rest(tmp_path: Path) -> None:
    sh.evaluate("tfidf", tasks="sample-search", cache=None, output=tmp_path)
    held = load_result(tmp_path / "tfidf").run.definitions
    assert held is not None
    assert set(held.tasks) == set(load_registry().suite("sample").task_names())


@pytest.mark.parametrize(
    "words",
    [
        "leaderboard moved",
        "compare moved/one moved/two",
        "check --baseline moved/one --candidate moved/one --all",
        "report moved --output report",
        "runs moved",
        "runs show moved/one",
        "runs verify moved/one",
    ],
)
def test_no_command_asks_for_the_folder_of_tasks(
    words: str, folders: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as end:
        main(words.split())
    printed = capsys.readouterr()
    assert (end.value.code or 0, printed.err) == (0, "")
    page = folders.parent / "report" / "report.md"
    shown = page.read_text() if page.is_file() else printed.out
    assert "search" in shown.lower()
    assert OTHERWISE not in shown
    assert "not checked" not in shown


def test_the_same_row_as_with_the_folder_of_tasks(folders: Path, tasks: Path) -> None:
    alone = sh.leaderboard(folders)
    assert alone.columns == ["Search"]
    assert alone.to_csv() == sh.leaderboard(folders, tasks_dirs=[tasks]).to_csv()


def test_definitions_are_under_the_seal(folders: Path) -> None:
    path = folders / "one" / "run.json"
    raw = json.loads(path.read_text())
    raw["definitions"]["suites"]["own"]["columns"][0]["metric"] = "ndcg"
    path.write_text(json.dumps(raw))
    with pytest.raises(sh.HarnessError, match="its seal does not fit"):
        sh.load_results(folders)


def test_a_folder_without_definitions_asks_for_the_tasks_as_before(
    folders: Path, tasks: Path
) -> None:
    path = folders / "one" / "run.json"
    raw = json.loads(path.read_text())
    del raw["definitions"]
    path.write_text(json.dumps({**raw, "seal": seal_of(raw)}))
    with pytest.raises(sh.HarnessError, match="unknown suite 'own'"):
        sh.leaderboard(folders / "one")
    assert sh.leaderboard(folders / "one", tasks_dirs=[tasks]).columns == ["Search"]
    # Beside one that holds them, they are known.
    assert sh.leaderboard(folders).columns == ["Search"]


def test_other_definitions_of_one_version_are_said_beside_the_row(
    folders: Path, tasks: Path
) -> None:
    redefine(folders / "two", lambda held: held["tasks"]["own-search"].update(metrics=["map"]))
    remarks = [record["remarks"] for record in sh.load_results(folders).records]
    assert remarks == [[], [f"{OTHERWISE}: task own-search"]]
    one, two = sh.leaderboard(folders).rows
    assert one.notes == ()
    assert two.notes == (f"{OTHERWISE}: task own-search",)
    columns = {"name": "Search", "tasks": ["own-search"], "metric": "ndcg"}
    redefine(folders / "one", lambda held: held["suites"]["own"].update(columns=[columns]))
    one, two = sh.leaderboard(folders, tasks_dirs=[tasks]).rows
    assert one.notes == (f"{OTHERWISE}: the columns of suite own",)
    assert f"{OTHERWISE}: task own-search" in sh.leaderboard(folders, tasks_dirs=[tasks]).to_csv()


def test_the_newest_version_is_that_of_today(folders: Path) -> None:
    redefine(folders / "two", lambda held: held["tasks"]["own-search"].update(version=2))
    for row in sh.leaderboard(folders).rows:
        assert "scored under version 1 of the task, which is at 2" in row.notes[0]
        assert row.means["Search"].value is None


def test_two_definitions_of_one_version_do_not_compare(folders: Path, tasks: Path) -> None:
    own = folders.parent / "own"
    shutil.copytree(tasks, own)
    text = (own / "search.toml").read_text()
    (own / "search.toml").write_text(text.replace("[local]", 'query_fields = ["query"]\n[local]'))
    other = folders.parent / "other"
    what: dict[str, Any] = {"tasks_dirs": [own], "data": own, "cache": None}
    sh.evaluate({"three": "tfidf"}, **what, output=other)
    with pytest.raises(sh.HarnessError, match="task definition") as caught:
        sh.compare(folders / "one", other / "three")
    assert caught.value.exit_code == 4
    assert sh.check(baseline=folders / "one", candidate=other / "three").exit_code == 4


def test_what_cannot_be_used_here_is_an_error_where_it_is_needed(
    folders: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in ("one", "two"):
        redefine(folders / name, lambda held: held["tasks"]["own-search"].update(evaluation="far"))
    with pytest.raises(sh.HarnessError, match=r"run\.json, own-search: evaluation: must be one of"):
        sh.leaderboard(folders)
    (one, two) = sh.runs(folders).records
    assert (one["averages"], two["averages"]) == ({}, {})
    assert sh.leaderboard(published=True).rows


@pytest.mark.parametrize(
    ("suite", "task", "message"),
    [
        ({"columns": 5}, {}, "own: columns"),
        ({"columns": [{"name": "x", "tasks": ["gone"]}]}, {}, "unknown task 'gone'"),
        ({"columns": [{"name": "x", "tasks": ["own-search"], "metric": "P_5"}]}, {}, "no metric"),
        ({"title": {"a": [[]]}}, {}, "own: title"),
        ({"more": 1}, {}, "own: more: unknown key"),
        ({}, {"metrics": ["a"]}, "own-search: metrics"),
        ({}, {"local": {"documents": "../../etc/passwd"}}, "own-search: local.documents"),
        ({}, {"local": {"documents": "/etc/passwd"}}, "own-search: local.documents"),
        ({}, {"version": "9" * 5000}, "own-search: version"),
    ],
)
def test_a_definition_that_no_file_may_hold_is_refused_in_one_line(
    suite: dict[str, Any], task: dict[str, Any], message: str, folders: Path
) -> None:
    for name in ("one", "two"):
        redefine(folders / name, lambda held: held["suites"]["own"].update(suite))
        redefine(folders / name, lambda held: held["tasks"]["own-search"].update(task))
    with pytest.raises(sh.HarnessError, match=message) as caught:
        sh.leaderboard(folders)
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 1000
    assert len(sh.runs(folders).records) == 2


def test_a_definition_takes_no_installed_name() -> None:
    installed = load_registry()
    held = installed.suite("sample").model_dump(mode="json")
    task = installed.task("sample-search").model_dump(mode="json")
    found = with_defined(
        installed,
        [
            Defined(
                "x", {"sample": {**held, "columns": []}}, {"sample-search": {**task, "version": 9}}
            )
        ],
    )
    assert found.tasks == installed.tasks
    assert found.suites == installed.suites


def test_resuming_keeps_the_definitions_of_what_it_keeps(made: Path, tmp_path: Path) -> None:
    output = Path(shutil.copytree(made, tmp_path / "results"))
    what: dict[str, Any] = {"tasks": "sample-search", "cache": None, "existing": "resume"}
    sh.evaluate({"one": "tfidf"}, **what, output=output)
    held = load_result(output / "one").run.definitions
    assert held is not None
    assert set(held.suites) == {"own", "sample"}
    assert {"own-search", "sample-search"} <= set(held.tasks)
    assert sh.leaderboard(output / "one", suite="own").rows[0].means["Search"].value is not None


def test_a_draw_of_one_s_own_is_read_by_what_the_folder_says(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    suite = tmp_path / "mini"
    suite.mkdir()
    text = 'name = "mini"\ntitle = "Mini"\nof = "sample"\n[draw]\nname = "mini"\nshare = 0.5\n'
    (suite / "suite.toml").write_text(text)
    what: dict[str, Any] = {"suite": "mini", "tasks": "sample-search-mini", "tasks_dirs": [suite]}
    made = sh.evaluate("bm25", **what, output=tmp_path / "out", cache=None)
    monkeypatch.chdir(tmp_path)
    assert str(sh.leaderboard("out")) == str(made.leaderboard())


def test_a_list_without_columns_ends_with_a_table(tasks: Path, tmp_path: Path) -> None:
    bare = Path(shutil.copytree(tasks, tmp_path / "bare"))
    (bare / "suite.toml").unlink()
    what: dict[str, Any] = {"tasks_dirs": [bare], "data": bare, "cache": None}
    results = sh.evaluate("bm25", **what, output=tmp_path / "results")
    assert results.leaderboard().columns == ["adhoc_search", "Average"]
    assert "| adhoc\\_search | Average |" in (tmp_path / "results" / "leaderboard.md").read_text()
    (record,) = sh.load_results(tmp_path / "results").records
    assert set(record["averages"]["bare"]) == {"adhoc_search", "Average"}
    page = sh.report(tmp_path / "results", tmp_path / "report").page
    assert "Average</button>" in page.read_text()
