"""Fits on several processors: as many as memory allows, and the same to the last bit."""

from __future__ import annotations

import numpy as np
import pytest

from scirepeval_harness.probes import processes
from scirepeval_harness.probes.fit import fit_samples
from scirepeval_harness.probes.types import Kind

RNG = np.random.default_rng(9)
X = (4 * RNG.normal(size=(160, 12))).astype(np.float32)
LABELS = {
    "single": (X[:, :3] + RNG.normal(size=(160, 3))).argmax(1),
    "multi": (X[:, :3] + RNG.normal(size=(160, 3)) > 2).astype(np.int64),
    "regression": np.maximum(X[:, 0] + RNG.normal(size=160), 0),
}


@pytest.mark.parametrize("kind", ["single", "multi", "regression"])
def test_processes_change_no_bit(kind: Kind, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(processes, "processes_for", lambda rows, dimensions, processors: 2)
    words = (kind, X[:120], LABELS[kind][:120], [np.arange(120)], X[120:])
    alone = next(fit_samples(*words, grid=True, seed=42))
    spread = list(processes.fit_on_processors(*words, grid=True, seed=42))
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


def test_nothing_is_left_running() -> None:
    from joblib.externals.loky import get_reusable_executor

    with processes.processes(2):
        running = get_reusable_executor(max_workers=2)
        assert running.submit(abs, -3).result() == 3
    assert running._flags.shutdown
