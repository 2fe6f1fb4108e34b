from __future__ import annotations

import json
from pathlib import Path

import pytest

from scirepeval_harness.errors import StorageError
from scirepeval_harness.files import write_bytes, write_json, write_with


def test_equal_values_give_equal_bytes_and_folders_are_made(tmp_path: Path) -> None:
    first, second = tmp_path / "a" / "b" / "one.json", tmp_path / "two.json"
    write_json(first, {"b": [1.5, "ü"], "a": None})
    write_json(second, {"a": None, "b": [1.5, "ü"]})
    assert first.read_bytes() == second.read_bytes()
    assert json.loads(first.read_text(encoding="utf-8")) == {"a": None, "b": [1.5, "ü"]}


def test_nan_is_no_json(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="not JSON compliant"):
        write_json(tmp_path / "x.json", {"score": float("nan")})
    assert list(tmp_path.iterdir()) == []


def test_a_write_that_fails_leaves_the_old_file_and_nothing_else(tmp_path: Path) -> None:
    path = tmp_path / "x"
    write_bytes(path, b"old")

    def fail(temporary: Path) -> None:
        temporary.write_bytes(b"half")
        raise OSError(28, "No space left on device")

    with pytest.raises(StorageError, match=r"No space left.*--output"):
        write_with(path, fail)
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]


def test_any_other_error_leaves_nothing_either(tmp_path: Path) -> None:
    def stop(temporary: Path) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_with(tmp_path / "x", stop)
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_is_a_file_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(StorageError, match=r"x\.json"):
        write_bytes(tmp_path / "file" / "x.json", b"")
