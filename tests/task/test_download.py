"""Downloads from a public address, against a server on the loopback address that misbehaves."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from scirepeval_harness.errors import HarnessError, OfflineError
from scirepeval_harness.task import download
from scirepeval_harness.task.download import SUMS, have, kept_files, obtain
from scirepeval_harness.task.spec import Download, TaskSpec
from tests.support.address import CONTENT, Address


@pytest.fixture
def address(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Address]:
    monkeypatch.setenv("SCIREPEVAL_HARNESS_DATA_DIR", str(tmp_path / "data"))
    server = Address()
    yield server
    server.server.shutdown()
    server.server.server_close()


def task_at(url: str) -> TaskSpec:
    return TaskSpec(
        name="pools",
        title="Pools",
        format="proximity",
        evaluation="citation_pools",
        metrics=("map",),
        expected_fields=("Art",),
        local={"documents": "in/texts.jsonl", "pools": "in/pools.json"},
        download=Download(url=url, into="in", files=("texts.jsonl",)),
    )


def test_a_file_arrives_once_and_its_sum_is_kept(address: Address) -> None:
    task = task_at(address.url)
    assert not have(task)
    folder = obtain(task, offline=False)
    assert (folder / "in" / "texts.jsonl").read_bytes() == CONTENT
    assert have(task)
    kept = kept_files(folder)["in/texts.jsonl"]
    assert (kept.bytes, kept.url) == (len(CONTENT), f"{address.url}texts.jsonl")
    obtain(task, offline=True)
    assert len(address.ranges) == 1


def test_a_broken_line_is_taken_up_where_it_broke(address: Address) -> None:
    address.behave = [(200, 300_000), (200, 100_000), (200, None)]
    folder = obtain(task_at(address.url), offline=False)
    assert (folder / "in" / "texts.jsonl").read_bytes() == CONTENT
    assert address.ranges == [None, "bytes=262144-", "bytes=327680-"]
    assert sorted(path.name for path in (folder / "in").iterdir()) == ["texts.jsonl"]


def test_a_file_that_changed_meanwhile_starts_anew(address: Address) -> None:
    address.behave = [(200, 70_000)]
    task = task_at(address.url)
    with pytest.raises(OfflineError, match="goes on where it stopped"):
        obtain(task, offline=False)
    address.content, address.tag, address.behave = CONTENT[::-1], '"second"', [(200, None)]
    folder = obtain(task, offline=False)
    assert (folder / "in" / "texts.jsonl").read_bytes() == CONTENT[::-1]


def test_a_busy_address_is_asked_again(address: Address) -> None:
    address.behave = [(503, None), (429, None), (200, None)]
    obtain(task_at(address.url), offline=False)
    assert len(address.ranges) == 3


def _gone(address: Address, folder: Path) -> None:
    address.behave = [(404, None)]


def _edited(address: Address, folder: Path) -> None:
    obtain(task_at(address.url), offline=False)
    (folder / "in" / "texts.jsonl").write_bytes(CONTENT + b"more")


def _other_source(address: Address, folder: Path) -> None:
    obtain(task_at(address.url), offline=False)
    (folder / "in" / "texts.jsonl").unlink()
    address.content, address.tag = CONTENT[::-1], '"second"'


def _damaged_record(address: Address, folder: Path) -> None:
    obtain(task_at(address.url), offline=False)
    (folder / SUMS).write_text("{")


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (_gone, "answers 404.*--data pools=FOLDER"),
        (_edited, "recorded is"),
        (_other_source, "recorded is"),
        (_damaged_record, "cannot be read"),
    ],
)
def test_what_cannot_be_had_or_has_changed_is_one_line(
    address: Address, tmp_path: Path, spoil: Callable[[Address, Path], None], said: str
) -> None:
    spoil(address, tmp_path / "data" / "pools")
    with pytest.raises(HarnessError, match=said):
        obtain(task_at(address.url), offline=False)


def test_offline_says_how_to_fetch(address: Address) -> None:
    with pytest.raises(OfflineError, match="fetch --task pools"):
        obtain(task_at(address.url), offline=True)
    assert not address.ranges


def test_an_address_where_nobody_answers(address: Address, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(download, "TRIES", 1)
    address.server.shutdown()
    address.server.server_close()
    with pytest.raises(OfflineError, match="does not answer"):
        obtain(task_at(address.url), offline=False)


@pytest.mark.parametrize("path", ["/etc/passwd", "../outside", "a/../../b"])
def test_a_task_file_cannot_write_elsewhere(path: str) -> None:
    with pytest.raises(ValueError, match="outside the folder"):
        Download(url="https://example.org/", files=(path,))
