from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from scirepeval_harness.errors import StorageError, UsageError
from scirepeval_harness.results import folder as write
from scirepeval_harness.results.folder import (
    RUN_FILE,
    draws_file,
    items_file,
    load_result,
    load_results,
    read_task,
    task_file,
    write_task,
)
from tests.support.made_results import queries, query_task, suite_of, write_result

TASK = query_task("one")
MADE = queries(suite_of(TASK), TASK, np.linspace(0, 1, 7))


def test_what_is_written_is_read_back(tmp_path: Path) -> None:
    again = load_result(write_result(tmp_path, "m", MADE))
    assert again.tasks["one"] == MADE.record
    assert again.items("one").equals(MADE.items)
    assert np.array_equal(again.draws("one")["map"], MADE.draws["map"])


def test_equal_results_are_equal_to_the_byte(tmp_path: Path) -> None:
    for name in ("a", "b"):
        write_task(tmp_path / name, MADE.record, MADE.items, MADE.draws)
    for place in (task_file, items_file, draws_file):
        one, two = (place(tmp_path / name, "made", "one") for name in ("a", "b"))
        assert one.read_bytes() == two.read_bytes()


def test_a_score_file_never_stands_without_its_items(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(path: Path, table: object) -> None:
        raise StorageError("full", where=str(path), fix="Free space")

    monkeypatch.setattr(write, "_write_parquet", fail)
    with pytest.raises(StorageError):
        write_task(tmp_path, MADE.record, MADE.items, MADE.draws)
    assert not task_file(tmp_path, "made", "one").exists()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{", "not a result file"),
        ("[]", "not a result file"),
        ("{}", "not a result file"),
        ('{"schema_version": 99}', r"schema version 99, newer than \d+.*Upgrade"),
        ('{"schema_version": 1}', "not a result file"),
    ],
)
def test_files_that_cannot_be_used_are_named(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "t.json"
    path.write_text(text)
    with pytest.raises(StorageError, match=message) as caught:
        read_task(path)
    assert str(path) in str(caught.value)


def test_a_missing_task_and_damaged_items_are_named(tmp_path: Path) -> None:
    found = load_result(write_result(tmp_path, "m", MADE))
    items_file(found.folder, "made", "one").write_bytes(b"PAR1")
    with pytest.raises(StorageError, match=r"one\.items\.parquet.*Run the task again"):
        found.items("one")
    task_file(found.folder, "made", "one").unlink()
    with pytest.raises(StorageError, match="no such file"):
        load_result(found.folder)


def test_a_folder_of_results_gives_all_in_order(tmp_path: Path) -> None:
    for name in ("b", "a"):
        write_result(tmp_path, name, MADE)
    assert [found.run.model.name for found in load_results([tmp_path])] == ["a", "b"]
    with pytest.raises(UsageError, match=RUN_FILE):
        load_results([tmp_path / "a" / "made"])


def test_a_folder_of_runs_gives_the_results_of_all(tmp_path: Path) -> None:
    for run in ("first", "second"):
        (tmp_path / run).mkdir()
        write_result(tmp_path / run, "a", MADE)
    found = [one.folder.relative_to(tmp_path).as_posix() for one in load_results([tmp_path])]
    assert found == ["first/a", "second/a"]
