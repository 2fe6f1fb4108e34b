"""The reference's grid searches on all processors of this machine."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from threading import Thread

import numpy as np
from numpy.typing import NDArray

from scirepeval_harness.choices import Probe
from scirepeval_harness.probes.fit import Floats, Labels, fit_samples
from scirepeval_harness.probes.types import Kind, ProbeFit

NUMBERS = 2**20
"""Training vectors of fewer numbers are searched faster than processes start."""
BYTES_A_NUMBER = 24
"""Of a fit in a process of its own: 8 of scikit-learn's copy, 16 of liblinear's."""
BUDGET = 3 * 2**30
"""Bytes that all fits at work may take; the largest tasks of the benchmark fit one by one."""


def fit_on_processors(
    kind: Kind,
    x_train: Floats,
    y_train: Labels,
    samples: Sequence[NDArray[np.int64]],
    x_test: Floats,
    *,
    grid: bool,
    seed: int,
    probe: Probe = "reference",
    device: str | None = None,
) -> Iterator[ProbeFit]:
    """As :func:`~.fit.fit_samples`, with the folds and values of C of a large search at a time.

    The fits are the same to the last bit. A fast probe has use for the processes too, where it
    gives a regression back.
    """
    from joblib import cpu_count

    longest = max((len(rows) for rows in samples), default=0)
    jobs = processes_for(longest, x_train.shape[1], cpu_count()) if grid else 1
    fits = fit_samples(
        kind, x_train, y_train, samples, x_test, grid=grid, seed=seed, probe=probe, device=device
    )
    if jobs == 1:
        yield from fits
        return
    with processes(jobs):
        done = list(fits)
    yield from done


def processes_for(rows: int, dimensions: int, processors: int) -> int:
    """How many fits of so many training vectors to run at a time."""
    numbers = rows * dimensions
    if numbers < NUMBERS:
        return 1
    return max(1, min(processors, BUDGET // (BYTES_A_NUMBER * numbers)))


@contextmanager
def processes(jobs: int) -> Iterator[None]:
    """Grid searches inside use so many processes, which end with it.

    Not threads: liblinear draws from one generator a process, so that in threads the fits would
    take each other's draws, and one that stops early would not be the same twice.
    """
    from joblib import parallel_config
    from joblib.externals.loky import reusable_executor

    if jobs == 1:
        yield
        return
    before = getattr(reusable_executor, "_executor", None)
    try:
        with parallel_config("loky", n_jobs=jobs, initializer=end_with, initargs=(os.getpid(),)):
            yield
    finally:
        # Not get_reusable_executor(), which starts workers where nothing was to be searched.
        executor = getattr(reusable_executor, "_executor", None)
        if executor is not None and executor is not before:
            executor.shutdown(wait=True)


def end_with(parent: int) -> None:
    """Ends this process soon after its parent, which may be killed.

    joblib's workers would wait for its next word for ever.
    """

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(1.0)
        os._exit(1)

    Thread(target=watch, daemon=True).start()
