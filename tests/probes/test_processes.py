"""Fits on several processors: as many as memory allows, and the same to the last bit."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from scirepeval_harness.probes import fit
from scirepeval_harness.probes import reference as processes
from scirepeval_harness.probes.fit import ProbeJob, fit_samples
from scirepeval_harness.probes.problem import Kind

RNG = np.random.default_rng(9)
X = (4 * RNG.normal(size=(160, 12))).astype(np.float32)
LABELS = {
    "single": (X[:, :3] + RNG.normal(size=(160, 3))).argmax(1),
    "multi": (X[:, :3] + RNG.normal(size=(160, 3)) > 2).astype(np.int64),
    "regression": np.maximum(X[:, 0] + RNG.normal(size=160), 0),
}


@pytest.mark.parametrize("kind", ["single", "multi", "regression"])
def test_processes_change_no_bit(kind: Kind, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fit, "processes_for", lambda rows, dimensions, processors: 2)
    labels, rows = LABELS[kind][:120], [np.arange(120)]
    job = ProbeJob(kind, X[:120], labels, rows, X[120:], grid=True, seed=42, probe="sklearn")
    alone = next(fit_samples(job, 1))
    spread = list(fit_samples(job))
    assert len(spread) == 1
    assert spread[0].predictions.tobytes() == alone.predictions.tobytes()
    assert spread[0].chosen_c == alone.chosen_c
    assert (spread[0].fits, spread[0].unconverged) == (alone.fits, alone.unconverged)
    if kind == "regression":
        assert alone.unconverged, "where liblinear stops at its limit, its random draws show"


@pytest.mark.parametrize(
    ("rows", "processors", "count"),
    [
        (1_000, 64, 1),  # done before processes start
        (2_000, 2, 2),
        (2_000, 64, 64),
        (20_000, 64, 8),  # 369 MB each
        (260_000, 64, 1),
        (10_000_000, 64, 1),
    ],
)
def test_as_many_as_memory_allows(rows: int, processors: int, count: int) -> None:
    assert processes.processes_for(rows, 768, processors) == count


KILLED = """
import os
from joblib import Parallel, delayed
from scirepeval_harness.probes.reference import worker_processes

with worker_processes(2):
    pids = set(Parallel()(delayed(os.getpid)() for _ in range(20)))
    print(*pids, flush=True)
    os.kill(os.getpid(), 9)
"""


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="looks processes up in /proc")
def test_workers_end_with_a_process_that_is_killed() -> None:
    with subprocess.Popen([sys.executable, "-c", KILLED], stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        # Not to the end of the stream, which the workers hold open.
        workers = [Path("/proc") / pid for pid in process.stdout.readline().decode().split()]
        assert process.wait() == -9
    assert workers
    deadline = time.monotonic() + 20
    while any(map(_runs, workers)) and time.monotonic() < deadline:
        time.sleep(0.1)
    assert not any(map(_runs, workers))


def _runs(process: Path) -> bool:
    """Whether a process is there and no zombie, which whoever adopted it has yet to bury."""
    try:
        return (process / "stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def test_workers_end_with_the_searches_and_start_only_for_them() -> None:
    from joblib import Parallel, delayed
    from joblib.externals.loky import reusable_executor

    before = reusable_executor._executor
    with processes.worker_processes(2):
        pass
    assert reusable_executor._executor is before
    with processes.worker_processes(2):
        assert Parallel()(delayed(abs)(-k) for k in range(4)) == [0, 1, 2, 3]
    assert reusable_executor._executor._flags.shutdown
