"""Task files name places inside their data folder, and damaged files of the hub are named."""

from __future__ import annotations

from pathlib import Path

import pytest

from scirepeval_harness.errors import DataError, SpecError
from scirepeval_harness.schema import read_toml, validate
from scirepeval_harness.task.official import read_official
from scirepeval_harness.task.sources import HubConfig
from scirepeval_harness.task.spec import HubTable, LocalData


@pytest.mark.parametrize(
    "path",
    ["", "/etc/passwd", "../x.jsonl", "a/../../x", "a\\..\\..\\x", "\\\\host\\x", "C:\\x", "C:x",
     "~/x", "a\0b", "a\nb"],
)  # fmt: skip
def test_no_path_leads_out_of_the_data_folder(path: str) -> None:
    for schema, raw in (
        (LocalData, {"documents": path}),
        (LocalData, {"labels": path}),
        (HubTable, {"repo": "a/b", "config": path}),
    ):
        with pytest.raises(SpecError, match="inside the data folder"):
            validate(schema, raw, "task.toml")


@pytest.mark.parametrize("path", ["papers.jsonl", "a/b/meta.jsonl", "a..b/c", "scirepeval/x: y"])
def test_paths_inside_are_taken(path: str) -> None:
    assert validate(LocalData, {"documents": path}, "task.toml").documents == path


@pytest.mark.parametrize(
    ("content", "what"),
    [
        (b"a = " + b"[" * 50_000, "nested too deeply"),
        (b"a = " + b"1" * 5_000, "digits"),
        ("a = 1".encode("utf-16"), "not UTF-8"),
        (b'a = "\xff"', "not UTF-8"),
        (b'a = "\x00"', "malformed TOML"),
        (b'a = "\\ud800"', "malformed TOML"),
    ],
)
def test_toml_that_cannot_be_read_is_named(content: bytes, what: str, tmp_path: Path) -> None:
    file = tmp_path / "task.toml"
    file.write_bytes(content)
    with pytest.raises(SpecError, match=what) as caught:
        read_toml(file)
    assert str(file) in str(caught.value)
    assert len(str(caught.value)) < 400


def test_a_byte_order_mark_is_no_part_of_a_file(tmp_path: Path) -> None:
    (tmp_path / "x.toml").write_bytes(b"\xef\xbb\xbfa = 1\r\n")
    assert read_toml(tmp_path / "x.toml") == {"a": 1}


@pytest.mark.parametrize(
    "line",
    ["[" * 50_000, '{"name": ' + "1" * 5_000 + "}", '{"name": "\\ud800"}', '{"name": ' + "[" * 900
     + "]" * 900 + "}", '{"name": "' + "x" * 10**6 + '", "type": "no"}'],
    ids=["open", "digits", "surrogate", "deep", "long"],
)  # fmt: skip
def test_a_line_of_a_task_list_that_cannot_be_read_is_named(line: str, tmp_path: Path) -> None:
    file = tmp_path / "tasks.jsonl"
    file.write_text(line + "\n")
    with pytest.raises(SpecError) as caught:
        list(read_official(file))
    assert f"{file}:1" in str(caught.value)
    assert len(str(caught.value)) < 600


@pytest.mark.parametrize("damage", ["cut", "flipped", "empty", "text", "pipe"])
def test_a_damaged_parquet_file_of_the_hub_is_named(
    damage: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    datasets = pytest.importorskip("datasets")
    monkeypatch.setattr("datasets.config.HF_DATASETS_CACHE", str(tmp_path / "cache"))
    path = tmp_path / "0000.parquet"
    datasets.Dataset.from_dict({"doc_id": list(map(str, range(5_000)))}).to_parquet(str(path))
    raw = bytearray(path.read_bytes())
    if damage == "pipe":
        path.unlink()
        import os

        os.mkfifo(path)
    else:
        raw[60:400] = bytes(340)
        cut = {"cut": raw[: len(raw) // 2], "flipped": raw, "empty": b"", "text": b"no parquet"}
        path.write_bytes(cut[damage])
    table = HubConfig("a/b", "main", {"test": (path,)}).table("test")
    with pytest.raises(DataError, match=r"0000\.parquet.*fetch"):
        list(table.rows())
