"""Fitting the protocol's probe on sets of training rows."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Protocol, TypeAlias

import numpy as np
from numpy.typing import NDArray

from scirepeval_harness.options import Probe
from scirepeval_harness.probes import fast, reference
from scirepeval_harness.probes.problem import FOLDS, Kind, ProbeFit, grid_of
from scirepeval_harness.probes.reference import processes_for, worker_processes

Floats = NDArray[np.float32]
# An array, or compressed rows (scipy's ``csr_matrix``).
Rows: TypeAlias = Any
Labels = NDArray[np.generic]


Done = Callable[[float], None]
"""Called with how many fits have just been done; a part of one counts as such."""


def nobody(fits: float) -> None:
    """Whom to tell of fits where nobody asks. At the top of a module, so that it can be pickled."""


@dataclass(frozen=True)
class ProbeJob:
    """Probes of one task in one setting: a fit on each set of training rows.

    Attributes:
        kind: one label a row, a 0/1 matrix (rows, classes), or a number a row.
        x_train, x_test: vectors (rows, dimensions); compressed rows are fitted by the reference,
            whichever probe is asked for.
        y_train: labels of the training rows.
        samples: rows of ``x_train`` that each fit is made on.
        grid: search C by cross validation; else C = 1.
        seed: random state of the reference's solver.
        probe: ``exact`` (scikit-learn's steps in machine code, or scikit-learn where that is
            impossible), ``sklearn`` or ``reference`` (scikit-learn), or ``fast`` (torch).
        device: where the fast probe computes, as torch names it; None for the processor.
        done: told of each fit within a sample, by those that know it; perhaps from other threads.
    """

    kind: Kind
    x_train: Rows
    y_train: Labels
    samples: Sequence[NDArray[np.int64]]
    x_test: Rows
    grid: bool = field(kw_only=True)
    seed: int = field(kw_only=True)
    probe: Probe = field(kw_only=True)
    device: str | None = field(default=None, kw_only=True)
    done: Done = field(default=nobody, kw_only=True, repr=False)

    @property
    def fits(self) -> int:
        """How many there are, searches over C included; fewer where a class is constant."""
        searched = FOLDS * len(grid_of(self.kind)) + 1 if self.grid else 1
        return searched * len(self.samples) * (self.y_train.shape[1] if self.kind == "multi" else 1)

    def part(self, samples: slice, classes: slice, device: str | None) -> ProbeJob:
        """Some of the samples and, of a multi-label task, some of the classes."""
        labels = self.y_train[:, classes] if self.kind == "multi" else self.y_train
        return replace(self, y_train=labels, samples=self.samples[samples], device=device)


class FitSamples(Protocol):
    """Who fits a job's probes: :func:`fit_samples` here, or a cluster; one fit a sample."""

    def __call__(self, job: ProbeJob, /) -> Iterator[ProbeFit]: ...


def fit_samples(job: ProbeJob, processes: int | None = None) -> Iterator[ProbeFit]:
    """One fit for each set of training rows, in order.

    Args:
        processes: fits at a time, which moves no bit of the result: scikit-learn's of one grid
            search, in processes, or the exact probe's, in threads; None for as many as this
            machine's processors and, for scikit-learn's, memory allow.

    Raises:
        ProbeError: rows on which the probe cannot be fitted.
    """
    from joblib import cpu_count

    sparse = not isinstance(job.x_train, np.ndarray)
    if job.probe == "exact" and not sparse and can_compile():
        from scirepeval_harness.probes import exact

        yield from exact.fit_samples(job, processes or cpu_count())
        return
    longest = max((len(rows) for rows in job.samples), default=0)
    dimensions = job.x_train.shape[1]
    if processes is None:
        if sparse:
            dimensions = -(-job.x_train.nnz // max(1, job.x_train.shape[0]))
        processes = processes_for(longest, dimensions, cpu_count()) if job.grid else 1
    if (
        job.probe == "fast"
        and not sparse
        and job.kind == "single"
        and not job.grid
        and longest <= dimensions
    ):
        # Few-shot samples are so small that starting each solver costs more than solving.
        yield from fast.fit_small_classifiers(
            job.x_train, job.y_train, job.samples, job.x_test, device=job.device
        )
        return
    for rows in job.samples:
        # Closed before each yield: whoever takes the fits may fit something else in between.
        with worker_processes(processes):
            found = _fit(job, taken(job.x_train, rows), job.y_train[rows])
        yield found


def _fit(job: ProbeJob, x: Rows, y: Labels) -> ProbeFit:
    if job.probe != "fast" or not isinstance(x, np.ndarray):
        fitted = reference.fit(job.kind, x, y, job.x_test, grid=job.grid, seed=job.seed)
        return replace(fitted, fell_back_to_reference=job.probe in ("exact", "fast"))
    if job.kind == "regression":
        return fast.fit_regressor(x, y, job.x_test, grid=job.grid, seed=job.seed, device=job.device)
    solve = fast.fit_classifier if job.kind == "single" else fast.fit_multilabel
    return solve(x, y, job.x_test, grid=job.grid, device=job.device)


def prepare(say: Callable[[str], None]) -> None:
    """Compiles the exact probe ahead of the first fit of this process; says what that means."""
    if can_compile.cache_info().currsize:
        return
    try:
        from scirepeval_harness.probes import compiled

        if not compiled.at_hand():
            say("compiling the probes, once: some seconds")
    except (ImportError, OSError):
        pass
    if not can_compile():
        say("numba cannot compile here: scikit-learn fits the probes, to the same scores")


@functools.cache
def can_compile() -> bool:
    """Whether numba is installed and makes machine code of the exact probe here."""
    try:
        import numba.core.errors

        from scirepeval_harness.probes import exact
    except (ImportError, OSError):  # without numba, or without the compiler's own library
        return False
    try:
        exact.compile_all(np.float32)
    except numba.core.errors.NumbaError:
        return False
    return True


def taken(vectors: Rows, rows: NDArray[np.int64]) -> Rows:
    """The rows of vectors; no copy where they are all of them, which may be a GB."""
    if np.array_equal(rows, np.arange(vectors.shape[0])):
        return vectors
    return vectors[rows]
