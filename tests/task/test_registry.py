"""The registry: bundled suites, users' folders, selection."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from scirepeval_harness.errors import SpecError, UnknownNameError, UsageError
from scirepeval_harness.roles import Format
from scirepeval_harness.task.registry import Registry, load_registry

TASK = """
name = "{name}"
title = "Own task"
format = "proximity"
evaluation = "ranking"
metrics = ["map"]
[local]
documents = "docs.jsonl"
labels = "labels"
"""
SUITE = """
name = "own"
title = "Own"
task_set = "own"
[[columns]]
name = "Own"
tasks = ["own-a"]
"""
HUB = """
[hub]
documents = { repo = "org/docs", config = "c" }
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A user's folder with two task files."""
    made = tmp_path / "My Tasks"
    made.mkdir()
    for name in ("own-a", "own-b"):
        write(made / f"{name}.toml", TASK.format(name=name))
    return made


@pytest.fixture(scope="module")
def bundled_only() -> Registry:
    return load_registry()


def write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")


def names(selection: tuple[tuple[object, object], ...]) -> list[tuple[str, str]]:
    return [(suite.name, task.name) for suite, task in selection]  # type: ignore[attr-defined]


def test_a_folder_of_task_files_is_a_suite_named_after_it(folder: Path) -> None:
    registry = load_registry([folder])
    suite = registry.suite("my-tasks")
    assert (suite.title, suite.task_names(), suite.columns) == (
        "My Tasks",
        ("own-a", "own-b"),
        (),
    )
    assert suite.folder == folder
    assert registry.home("own-a") == suite
    assert registry.origins["own-b"] == str(folder / "own-b.toml")
    assert "scirepeval" in registry.suites


def test_a_suite_file_decides_and_other_tasks_are_kept_unlisted(folder: Path) -> None:
    write(folder / "suite.toml", SUITE)
    suite = load_registry([folder]).suite("own")
    assert suite.task_names() == ("own-a", "own-b")
    assert (suite.group_of("own-a"), suite.group_of("own-b")) == ("Own", None)


def test_subfolders_with_a_suite_file_are_suites_and_others_are_not_read(folder: Path) -> None:
    write(folder / "inner" / "suite.toml", SUITE.replace("own-a", "deep"))
    write(folder / "inner" / "deep.toml", TASK.format(name="deep"))
    write(folder / "data" / "broken.toml", "not toml at all")
    registry = load_registry([folder])
    assert registry.suite("own").task_names() == ("deep",)
    assert registry.suite("my-tasks").task_names() == ("own-a", "own-b")


def test_a_suite_of_bundled_tasks_alone(tmp_path: Path) -> None:
    text = SUITE.replace('"own-a"', '"mdcr"')
    write(tmp_path / "suite.toml", text)
    registry = load_registry([tmp_path])
    assert names(registry.select(["own"], [], [])) == [("own", "mdcr")]
    assert registry.home("mdcr").name == "mdcr"


def test_the_same_folder_twice_is_read_once(folder: Path) -> None:
    assert "own-a" in load_registry([folder, folder]).tasks


def test_a_task_name_used_twice_names_both_files(folder: Path) -> None:
    write(folder / "search.toml", TASK.format(name="search"))
    with pytest.raises(SpecError) as caught:
        load_registry([folder])
    message = str(caught.value)
    assert message.startswith(str(folder / "search.toml") + ": name: task 'search' is already")
    assert str(Path("scirepeval") / "search.toml") in message


def test_a_suite_name_used_twice_names_both_files(folder: Path) -> None:
    write(folder / "suite.toml", SUITE.replace('"own"\ntitle', '"scirepeval"\ntitle'))
    with pytest.raises(SpecError) as caught:
        load_registry([folder])
    message = str(caught.value)
    assert message.startswith(f"{folder / 'suite.toml'}: name: suite 'scirepeval' is already")
    assert str(Path("scirepeval") / "suite.toml") in message


def test_a_column_with_an_unknown_task_names_the_suite_file(folder: Path) -> None:
    write(folder / "suite.toml", SUITE.replace("own-a", "own-aa"))
    with pytest.raises(SpecError) as caught:
        load_registry([folder])
    assert str(caught.value).startswith(
        f"{folder / 'suite.toml'}: columns.0.tasks: unknown task 'own-aa'. Did you mean own-a"
    )


def test_a_column_with_a_metric_that_its_task_lacks(folder: Path) -> None:
    write(folder / "suite.toml", SUITE + 'metric = "ndcg"\n')
    with pytest.raises(SpecError, match=r"columns\.0\.metric: task 'own-a' has no metric 'ndcg'"):
        load_registry([folder])


def test_a_column_may_name_a_metric_of_reviewer_matching_with_its_prefix(tmp_path: Path) -> None:
    text = SUITE.replace("own-a", "reviewer-matching") + 'metric = "hard_P_5"\n'
    pins = '[revisions]\n"allenai/scirepeval" = "a"\n"allenai/scirepeval_test" = "b"\n'
    write(tmp_path / "suite.toml", text + pins)
    assert load_registry([tmp_path]).suite("own").columns[0].metric == "hard_P_5"


def test_data_on_the_hub_must_be_pinned(folder: Path) -> None:
    write(folder / "own-a.toml", TASK.format(name="own-a") + HUB)
    write(folder / "suite.toml", SUITE)
    with pytest.raises(SpecError) as caught:
        load_registry([folder])
    assert str(caught.value).startswith(
        f"{folder / 'suite.toml'}: revisions: 'org/docs' of task 'own-a' is not pinned"
    )
    write(folder / "suite.toml", SUITE + '[revisions]\n"org/docs" = "abc"\n')
    suite = load_registry([folder]).suite("own")
    assert suite.revisions == {"org/docs": "abc"}


def test_a_folder_without_suite_file_inherits_known_pins(folder: Path) -> None:
    text = TASK.format(name="own-a") + HUB.replace("org/docs", "allenai/scirepeval")
    write(folder / "own-a.toml", text)
    registry = load_registry([folder])
    task, suite = registry.task("own-a"), registry.suite("my-tasks")
    assert task.hub is not None
    assert task.hub.documents is not None
    revision = suite.revision_of(task.hub.documents)
    assert revision == registry.suite("scirepeval").revisions["allenai/scirepeval"]


def test_a_folder_without_tasks_and_one_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(SpecError, match="no task files"):
        load_registry([tmp_path])
    with pytest.raises(SpecError, match="no such folder of tasks"):
        load_registry([tmp_path / "nowhere"])


def test_a_task_list_in_the_published_form(folder: Path) -> None:
    line = {
        "name": "Own (listed)",
        "type": "regression",
        "data": {"meta": "x/meta.jsonl", "test": "x"},
        "metrics": ["kendalltau"],
    }
    write(folder / "my_tasks.jsonl", json.dumps(line) + "\n")
    registry = load_registry([folder])
    assert "own-listed" in registry.suite("my-tasks").task_names()
    assert registry.origins["own-listed"] == f"{folder / 'my_tasks.jsonl'}:1"


def test_unknown_names_come_with_the_nearest(bundled_only: Registry) -> None:
    with pytest.raises(UnknownNameError, match=r"unknown task 'biomimcry'\. Did you mean biomim"):
        bundled_only.task("biomimcry")
    with pytest.raises(UnknownNameError, match=r"unknown suite 'scirepval'\. Did you mean scirep"):
        bundled_only.suite("scirepval")
    for arguments in ((["scirepval"], [], []), ([], ["biomimcry"], [])):
        with pytest.raises(UnknownNameError):
            bundled_only.select(*arguments)


def test_select_keeps_the_order_of_the_suite(bundled_only: Registry) -> None:
    chosen = bundled_only.select(["scirepeval"], ["drsm", "search", "fields-of-study"], [])
    assert [name for _, name in names(chosen)] == ["fields-of-study", "search", "drsm"]


def test_select_by_format(bundled_only: Registry) -> None:
    chosen = bundled_only.select(["scirepeval"], [], [Format.ADHOC_SEARCH])
    assert [name for _, name in names(chosen)] == ["search", "nfcorpus", "trec-covid"]


def test_select_several_suites_and_all(bundled_only: Registry) -> None:
    both = names(bundled_only.select(["mdcr", "scirepeval", "mdcr"], [], []))
    assert both[0] == ("mdcr", "mdcr")
    assert len(both) == 24
    everything = {name for _, name in names(bundled_only.select([], [], []))}
    assert everything == set(bundled_only.tasks)


def test_select_tasks_without_a_suite_takes_their_homes(bundled_only: Registry) -> None:
    chosen = names(bundled_only.select([], ["drsm", "mdcr"], []))
    assert sorted(chosen) == [("mdcr", "mdcr"), ("scirepeval", "drsm")]


def test_select_refuses_a_task_outside_the_chosen_suites(bundled_only: Registry) -> None:
    with pytest.raises(UsageError, match=r"no task 'drsm' in suite mdcr\. It is in suite scirep"):
        bundled_only.select(["mdcr"], ["drsm"], [])


def test_select_refuses_to_choose_nothing(bundled_only: Registry) -> None:
    with pytest.raises(UsageError, match="no task of format regression in suite mdcr"):
        bundled_only.select(["mdcr"], [], [Format.REGRESSION])
