"""Data arrives before a run begins, or its task is left out with one line."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

import scirepeval_harness as sh
from scirepeval_harness.errors import OfflineError
from tests.support.address import Address

TASK = """
name = "{name}"
title = "Pools"
format = "proximity"
evaluation = "citation_pools"
metrics = ["map"]
expected_fields = ["Art"]

[local]
documents = "../texts.jsonl"
pools = "pools.json"

[download]
url = "{url}"
files = ["pools.json"]
"""
DOCUMENTS = [{"paper_id": str(n), "title": f"paper {n}", "abstract": "text"} for n in range(4)]
POOLS = {"Art": {"0": {"true": ["1"], "bm25": ["2"], "random": ["3"]}}}


@pytest.fixture
def address(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Address]:
    monkeypatch.setenv("SCIREPEVAL_HARNESS_DATA_DIR", str(tmp_path / "data"))
    monkeypatch.chdir(tmp_path)
    server = Address()
    lines = "".join(json.dumps(one) + "\n" for one in DOCUMENTS)
    server.content = json.dumps(POOLS).encode()
    (tmp_path / "tasks").mkdir()
    text = TASK.format(name="pools", url=server.url).replace("../texts", "texts")
    (tmp_path / "tasks" / "pools.toml").write_text(text)
    (tmp_path / "data" / "pools").mkdir(parents=True)
    (tmp_path / "data" / "pools" / "texts.jsonl").write_text(lines)
    yield server
    server.server.shutdown()
    server.server.server_close()


class Lines(sh.Silent):
    """What a run says."""

    def __init__(self) -> None:
        self.lines: list[str] = []

    def say(self, line: str) -> None:
        self.lines.append(line)


def test_a_download_arrives_before_the_first_task(address: Address) -> None:
    said = Lines()
    results = sh.evaluate("tfidf", tasks="pools", tasks_dirs=["tasks"], cache=None, progress=said)
    assert results.complete
    assert said.lines[1].startswith("to download: ")
    assert f"pools from {address.url}" in said.lines[1]
    assert said.lines[2].startswith("pools  downloading to ")
    record = results["tfidf"].tasks["pools"]
    assert record.data.source == "download"
    assert [part.name for part in sh.data.kept(["tasks"])] == ["pools"]


def test_one_asked_for_by_name_is_refused(address: Address) -> None:
    address.behave = [(404, None)]
    with pytest.raises(sh.HarnessError, match="404"):
        sh.evaluate("tfidf", tasks="pools", tasks_dirs=["tasks"], cache=None)


def test_one_of_many_is_left_out_with_a_line(address: Address) -> None:
    address.behave = [(404, None)]
    results = sh.evaluate(
        "tfidf", suite=["sample", "tasks"], formats="proximity", tasks_dirs=["tasks"], cache=None
    )
    assert results.complete
    [(name, why)] = results.left_out
    assert name == "pools"
    assert "--data pools=FOLDER" in why


def test_without_the_hub_there_is_one_line(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("SCIREPEVAL_HARNESS_DATA_DIR", str(tmp_path / "data"))
    monkeypatch.setenv("HF_HOME", str(tmp_path))
    with pytest.raises(OfflineError) as caught:
        sh.evaluate("tfidf", offline=True, cache=None)
    assert len(str(caught.value).splitlines()) == 1
    assert "tasks (" in str(caught.value)
