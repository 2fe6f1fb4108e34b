"""What goes wrong in one task or one file is said, and stops nothing else."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from scirepeval_harness.cli.main import main
from scirepeval_harness.evaluations import ranking
from tests.support.tiny_models import save_base


def run(*words: str) -> int:
    with pytest.raises(SystemExit) as stop:
        main(["run", "--suite", "sample", *words])
    return int(stop.value.code or 0)


@pytest.mark.parametrize("error", [KeyError("x"), RecursionError("deep"), TypeError("of what")])
@pytest.mark.parametrize("way", ["run", "dry-run"])
def test_a_defect_in_one_task_stops_no_other(
    error: Exception, way: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    def fail(*given: object) -> object:
        raise error

    monkeypatch.setattr(ranking.EVALUATION, "read", fail, raising=True)
    words = ["--model", "tfidf", "--task", "sample-search", "--task", "sample-year",
             "--output", str(tmp_path), *(["--dry-run"] if way == "dry-run" else [])]  # fmt: skip
    assert run(*words) == 3
    shown = capsys.readouterr()
    assert f"sample-search: {type(error).__name__}" in shown.err or "FAILED" in shown.err
    if way == "run":
        record = json.loads((tmp_path / "tfidf" / "run.json").read_text())
        found = {entry["task"]: entry["status"] for entry in record["tasks"]}
        assert found == {"sample-search": "failed", "sample-year": "ok"}
    else:
        assert "tfidf  plan" in shown.out


def test_a_damaged_shard_is_said_at_the_end_and_a_checkpoint_that_moved_keeps_its_vectors(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip("torch")
    folder, cache = save_base(tmp_path / "model"), tmp_path / "cache"
    words = ["--task", "sample-cite", "--limit", "10", "--device", "cpu", "--cache", str(cache)]
    assert run("--model", f"tiny={folder}", *words, "--output", str(tmp_path / "one")) == 0
    moved = folder.rename(tmp_path / "moved")
    assert run("--model", f"tiny={moved}", *words, "--output", str(tmp_path / "two")) == 0
    record = json.loads((tmp_path / "two" / "tiny" / "run.json").read_text())
    assert record["documents_encoded"] == 0
    score = Path("tiny", "sample", "sample-cite.json")
    one, two = (json.loads((tmp_path / name / score).read_text()) for name in ("one", "two"))
    assert one["scores"] == two["scores"]
    (shard,) = cache.glob("*/*.vec")
    raw = bytearray(shard.read_bytes())
    raw[-5] ^= 1
    shard.write_bytes(raw)
    capsys.readouterr()
    assert run("--model", f"tiny={moved}", *words, "--output", str(tmp_path / "three")) == 0
    said = capsys.readouterr().err.splitlines()
    assert "set aside" in said[-1]
    assert "damaged" in said[-1]
    # A checkpoint that moved is the same model for a resume too.
    assert run("--model", f"tiny={moved}", *words, "--output", str(tmp_path / "one"),
               "--resume") == 0  # fmt: skip
    assert json.loads((tmp_path / "one" / score).read_text()) == one
