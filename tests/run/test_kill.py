"""kill -9 at random moments of a run: no finished vector is lost, and no score changes."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.shard_rows import stored

ROOT = Path(__file__).parents[2]
ROUNDS = 20
ENTRY = 32 + 16
"""A line of the log: the name of the space, then the key."""


def logged(path: Path) -> set[bytes]:
    raw = path.read_bytes() if path.exists() else b""
    return {raw[at : at + ENTRY] for at in range(0, len(raw) - len(raw) % ENTRY, ENTRY)}


@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.skipif(not hasattr(os, "fork"), reason="the runs are forks")
def test_killing_a_run_at_twenty_random_moments_loses_and_changes_nothing(tmp_path: Path) -> None:
    from tests.support.tiny_models import save_base

    model = save_base(tmp_path / "model")
    work = tmp_path / "work"
    environment = os.environ | {"PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1",
                                "TOKENIZERS_PARALLELISM": "false"}  # fmt: skip
    command = [sys.executable, "-m", "tests.support.killed_runs", str(work), str(model), "42",
               str(ROUNDS)]  # fmt: skip
    done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, env=environment)
    assert done.returncode == 0, done.stderr
    whole, *rounds = json.loads((work / "report.json").read_text())
    assert whole["codes"] == [0], (work / "whole" / "log.shown").read_text()
    _, expected = stored(work / "whole" / "cache")
    assert len(expected) > 300
    scores = sorted((work / "whole" / "out").rglob("sample/*"))
    assert len(scores) == 9
    in_the_middle = killed = 0
    for entry in rounds:
        folder = work / entry["folder"]
        assert entry["codes"][1] == 0, (folder / "log.shown").read_text()
        before, now = logged(folder / "finished-keys"), logged(folder / "log")
        killed += entry["codes"][0] == -9
        in_the_middle += 0 < len(before) < len(expected)
        rows, vectors = stored(folder / "cache")
        assert before <= set(vectors), "a finished vector was lost"
        assert not before & now, "a finished vector was encoded again"
        assert vectors == expected, "a vector differs from the uninterrupted run's"
        assert len(rows) == len(vectors)
        for path in scores:
            other = folder / path.relative_to(work / "whole")
            assert path.read_bytes() == other.read_bytes(), f"{entry}: {path.name}"
    assert killed >= ROUNDS * 3 // 4
    assert in_the_middle >= ROUNDS // 4, "too few kills fell into the encoding"
