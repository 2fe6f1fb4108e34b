"""Ctrl-C keeps what is finished, and --resume goes on to the same bytes."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

import scirepeval_harness as sh
from scirepeval_harness.options import Existing
from scirepeval_harness.results import folder

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


@pytest.mark.parametrize("step", ["write_task", "write_json", "digests", "write_run"])
@pytest.mark.parametrize("after", [False, True])
def test_a_task_that_has_its_scores_is_kept_wherever_ctrl_c_falls(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, step: str, after: bool
) -> None:
    """Before and behind each step between a task's scores and the run file with it."""
    real, hits = getattr(folder, step), []

    def falls(*given: Any, **named: Any) -> Any:
        hits.append(step)
        if len(hits) > 1:
            return real(*given, **named)
        if after:
            real(*given, **named)
        raise KeyboardInterrupt

    def run(output: Path, existing: Existing = "refuse") -> None:
        sh.evaluate(
            "tfidf", suite="sample", tasks=["sample-year", "sample-cite"], limit=30,
            output=output, existing=existing,
        )  # fmt: skip

    run(tmp_path / "whole")
    with monkeypatch.context() as patched:
        patched.setattr(folder, step, falls)
        with pytest.raises(sh.Interrupted):
            run(tmp_path / "cut")
    record = folder.read_run(tmp_path / "cut" / "tfidf")
    statuses = {task.task: task.status for task in record.tasks}
    assert statuses == {"sample-year": "ok", "sample-cite": "interrupted"}
    run(tmp_path / "cut", "resume")
    for path in (tmp_path / "whole").glob("tfidf/sample/*"):
        assert path.read_bytes() == (tmp_path / "cut/tfidf/sample" / path.name).read_bytes()


def _hear_interrupts() -> None:
    """A shell starts what it puts in the background deaf to Ctrl-C, and its children inherit it."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)
