"""cache info, verify, prune: what is shown is true, and nothing of others is deleted."""

from __future__ import annotations

import json
import os
import time
from pathlib import Path

import numpy as np
import pytest

from scirepeval_harness.cli.main import main
from scirepeval_harness.model.base import Identity
from scirepeval_harness.roles import Role
from scirepeval_harness.vectors.keys import key_array, text_key
from scirepeval_harness.vectors.shards import read_frames
from scirepeval_harness.vectors.store import EmbeddingStore


def cache(folder: Path, *words: str) -> int:
    with pytest.raises(SystemExit) as stop:
        main(["cache", *words, "--cache", str(folder)])
    return int(stop.value.code or 0)


def fill(folder: Path, model: str, rows: int, weights: str) -> Path:
    store = EmbeddingStore(folder)
    space = store.space(Identity(model, Role.QUERY, {"base": f"org/{model}", "weights": weights}))
    keys = key_array(text_key(str(row)) for row in range(rows))
    for start in range(0, rows, 4):
        part = keys[start : start + 4]
        space.append(part, np.ones((len(part), 5), np.float32))
    store.close()
    return space.folder


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    fill(tmp_path / "cache", "alpha", 10, "a")
    fill(tmp_path / "cache", "beta", 3, "b")
    return tmp_path / "cache"


def test_info_counts_what_is_there(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cache(folder, "info") == 0
    shown = capsys.readouterr().out
    assert "org/alpha" in shown
    assert "2 spaces, 13 vectors" in shown
    assert cache(folder, "info", "--json") == 0
    record = json.loads(capsys.readouterr().out)
    alpha, beta = record["spaces"]
    assert (alpha["model"], alpha["vectors"], alpha["shards"], alpha["damaged"]) == (
        "alpha", 10, 1, 0
    )  # fmt: skip
    assert alpha["bytes"] == 3 * 48 + 10 * (16 + 5 * 4)
    assert beta["details"]["weights"] == "b"


def test_an_empty_cache(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for words in (["info"], ["verify"], ["prune", "--all", "--yes"]):
        assert cache(tmp_path / "none", *words) == 0
    assert "0 spaces, 0 vectors, 0 B" in capsys.readouterr().out
    assert not (tmp_path / "none").exists()


def test_verify_names_damage_and_saves_the_rest(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cache(folder, "verify") == 0
    assert "all checksums are right: 2 shards" in capsys.readouterr().out
    shard = max(folder.glob("*/*.vec"), key=lambda path: path.stat().st_size)
    raw = bytearray(shard.read_bytes())
    raw[read_frames(shard).frames[1].start] ^= 1
    shard.write_bytes(raw)
    assert cache(folder, "verify") == 3
    shown = capsys.readouterr().out
    assert "the checksum of its vectors is wrong; 6 rows saved" in shown
    assert str(shard.parent / "damaged" / shard.name) in shown
    assert cache(folder, "verify") == 0, "what was set aside is not found again"
    assert cache(folder, "info", "--json") == 0
    record = json.loads(capsys.readouterr().out.split("\n", 1)[1])
    assert [(s["vectors"], s["damaged"]) for s in record["spaces"]] == [(6, 1), (3, 0)]
    assert cache(folder, "prune", "--damaged", "--yes") == 0
    assert not (shard.parent / "damaged").exists()
    assert cache(folder, "info") == 0
    assert "2 spaces, 9 vectors" in capsys.readouterr().out


def test_prune_only_lists_without_yes(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    before = sorted(folder.rglob("*"))
    assert cache(folder, "prune", "--all") == 0
    assert "would delete" in capsys.readouterr().out
    assert sorted(folder.rglob("*")) == before
    assert cache(folder, "prune") == 2
    assert "--older-than DAYS" in capsys.readouterr().err


def test_prune_by_model_and_age(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    old = next(path for path in folder.glob("*/space.json") if "alpha" in path.read_text())
    os.utime(old, (time.time() - 40 * 86_400,) * 2)
    assert cache(folder, "prune", "--model", "beta", "--older-than", "30", "--yes") == 0
    assert len(list(folder.glob("*/space.json"))) == 2, "beta is young"
    assert cache(folder, "prune", "--older-than", "30", "--yes") == 0
    left = list(folder.glob("*/space.json"))
    assert len(left) == 1
    assert "beta" in left[0].read_text()
    assert cache(folder, "prune", "--model", "beta", "--yes") == 0
    assert list(folder.iterdir()) == []


def test_prune_deletes_nothing_that_is_not_the_stores_own(folder: Path, tmp_path: Path) -> None:
    space = next(folder.glob("*/space.json")).parent
    kept = [folder / "thesis.txt", folder / "papers" / "space.json", space / "notes.md",
            space / "mine.vec", tmp_path / "outside.vec"]  # fmt: skip
    for path in kept:
        path.parent.mkdir(exist_ok=True)
        path.write_text("mine")
    (folder / ("f" * 32)).symlink_to(tmp_path)
    (tmp_path / "space.json").write_text("{}")
    assert cache(folder, "prune", "--all", "--yes") == 0
    assert all(path.read_text() == "mine" for path in kept)
    assert (tmp_path / "space.json").exists()
    assert sorted(path.name for path in space.iterdir()) == ["mine.vec", "notes.md"]


def test_a_space_that_is_being_written_is_not_pruned(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    space = EmbeddingStore(folder).space(Identity("live", Role.QUERY, {"weights": "c"}))
    space.append([text_key("x")], np.ones((1, 5), np.float32))
    assert cache(folder, "prune", "--model", "live", "--yes") == 2
    assert "a run is writing here" in capsys.readouterr().err
    space.finish()
    assert cache(folder, "prune", "--model", "live", "--yes") == 0
    assert not space.folder.exists()
