"""Fitting the protocol's probe on sets of training rows."""

from __future__ import annotations

import functools
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from scirepeval_harness.options import Probe
from scirepeval_harness.probes.problem import Kind, ProbeFit
from scirepeval_harness.probes.reference import processes, processes_for

Floats = NDArray[np.float32]
Labels = NDArray[np.generic]


class FitSamples(Protocol):
    """Fits a probe on sets of training rows, as :func:`fit_samples` does, here or elsewhere."""

    def __call__(
        self,
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
    ) -> Iterator[ProbeFit]: ...


def fit_samples(
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
    jobs: int | None = None,
) -> Iterator[ProbeFit]:
    """One fit for each set of training rows, in order.

    Args:
        seed: random state of the reference's solver.
        probe: ``reference`` (scikit-learn), ``exact`` (its steps compiled; the reference where
            that is impossible) or ``fast`` (torch).
        device: where the fast probe computes, as torch names it; None for the processor.
        jobs: fits at a time, which moves no bit of the result; None for as many as this machine's
            processors and, in the reference, memory allow.

    Raises:
        ProbeError: rows on which the probe cannot be fitted.
    """
    from joblib import cpu_count

    compiles = probe == "exact" and can_compile()
    if compiles:
        from scirepeval_harness.probes import exact

        yield from exact.fit_samples(
            kind, x_train, y_train, samples, x_test,
            grid=grid, seed=seed, threads=jobs or cpu_count(),
        )  # fmt: skip
        return
    longest = max((len(rows) for rows in samples), default=0)
    if jobs is None:
        jobs = processes_for(longest, x_train.shape[1], cpu_count()) if grid else 1
    if probe != "fast":
        from scirepeval_harness.probes import reference

        fit = {
            "single": reference.fit_classifier,
            "multi": reference.fit_multilabel,
            "regression": reference.fit_regressor,
        }[kind]
        for rows in samples:
            with processes(jobs):
                found = fit(_taken(x_train, rows), y_train[rows], x_test, grid=grid, seed=seed)
            yield replace(found, given_back=probe == "exact")
        return
    from scirepeval_harness.probes import fast
    from scirepeval_harness.probes.fast import fit_small_classifiers

    if kind == "single" and not grid and longest <= x_train.shape[1]:
        yield from fit_small_classifiers(x_train, y_train, samples, x_test, device=device)
        return
    for rows in samples:
        x, y = _taken(x_train, rows), y_train[rows]
        if kind == "regression":
            with processes(jobs):  # for a search that is given back
                found = fast.fit_regressor(x, y, x_test, grid=grid, seed=seed, device=device)
            yield found
        else:
            solve = fast.fit_classifier if kind == "single" else fast.fit_multilabel
            yield solve(x, y, x_test, grid=grid, device=device)


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


def _taken(vectors: Floats, rows: NDArray[np.int64]) -> Floats:
    """The rows of vectors; no copy where they are all of them, which may be a GB."""
    if len(rows) == len(vectors) and np.array_equal(rows, np.arange(len(vectors))):
        return vectors
    return vectors[rows]
