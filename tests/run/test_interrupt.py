"""Ctrl-C keeps what is finished, and --resume goes on to the same bytes."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

WORDS = [sys.executable, "-m", "scirepeval_harness", "run", "--suite", "sample", "--model", "tfidf"]


@pytest.mark.slow
def test_finished_tasks_survive_an_interrupt_and_resume_to_the_same_bytes(tmp_path: Path) -> None:
    cut, whole = tmp_path / "cut", tmp_path / "whole"
    process = subprocess.Popen(
        [*WORDS, "--output", str(cut)],
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=_hear_interrupts,
    )
    deadline = time.monotonic() + 60
    while not list(cut.glob("tfidf/sample/*.json")) and time.monotonic() < deadline:
        time.sleep(0.01)
    process.send_signal(signal.SIGINT)
    _, shown = process.communicate(timeout=60)
    assert process.returncode == 130, shown
    assert "Traceback" not in shown
    assert f"--output {cut} --resume" in shown.splitlines()[-1]
    record = json.loads((cut / "tfidf" / "run.json").read_text())
    assert record["status"] == "interrupted"
    statuses = [task["status"] for task in record["tasks"]]
    assert statuses[0] == "ok"
    assert statuses[-1] == "interrupted"
    assert len(statuses) < 12
    for output, more in ((cut, ["--resume"]), (whole, [])):
        subprocess.run([*WORDS, "--output", str(output), *more], check=True, capture_output=True)
    files = sorted(whole.glob("tfidf/sample/*"))
    assert len(files) == 36
    for path in files:
        assert path.read_bytes() == (cut / path.relative_to(whole)).read_bytes(), path.name


def _hear_interrupts() -> None:
    """A shell starts what it puts in the background deaf to Ctrl-C, and its children inherit it."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)
