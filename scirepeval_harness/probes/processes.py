"""The reference's grid searches on all processors of this machine."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Thread

NUMBERS = 2**20
"""Training vectors of fewer numbers are searched faster than processes start."""
BYTES_A_NUMBER = 24
"""Of a fit in a process of its own: 8 of scikit-learn's copy, 16 of liblinear's."""
BUDGET = 3 * 2**30
"""Bytes that all fits at work may take; the largest tasks of the benchmark fit one by one."""


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
