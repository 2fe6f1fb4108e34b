"""Finding result folders below others."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from scirepeval_harness.errors import UsageError
from scirepeval_harness.results.folder import readable_results, result_folders

KEPT = Path(__file__).parent / "schema_v1" / "tfidf"


def test_results_are_found_some_levels_down_and_in_order(tmp_path: Path) -> None:
    for place in ("b/model", "a/model", "model", "1/2/3", "1/2/3/4"):
        shutil.copytree(KEPT, tmp_path / place, dirs_exist_ok=True)
    found = [path.relative_to(tmp_path).as_posix() for path in result_folders(tmp_path)]
    assert found == ["1/2/3", "a/model", "b/model", "model"]
    assert result_folders(KEPT) == (KEPT,)


def test_a_damaged_result_does_not_hide_the_others(tmp_path: Path) -> None:
    shutil.copytree(KEPT, tmp_path / "good")
    shutil.copytree(KEPT, tmp_path / "bad")
    (tmp_path / "bad" / "run.json").write_text("{")
    results, errors = readable_results(result_folders(tmp_path))
    assert [result.folder.name for result in results] == ["good"]
    (error,) = errors
    assert "bad" in str(error)


def test_a_missing_folder_is_said(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no such folder"):
        result_folders(tmp_path / "none")
