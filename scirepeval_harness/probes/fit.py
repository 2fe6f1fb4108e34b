"""The way into the probes: the same calls for scikit-learn's estimators and the fast solvers."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from scirepeval_harness.probes import reference
from scirepeval_harness.probes.types import Kind, Probe, ProbeFit

Floats = NDArray[np.floating[Any]]
Labels = NDArray[np.generic]


def fit_classifier(
    x_train: Floats, y_train: Labels, x_test: Floats, *, grid: bool, probe: Probe, seed: int
) -> ProbeFit:
    """Squared-hinge linear SVM on class indices (rows,); see :func:`reference.fit_classifier`."""
    return fit("single", x_train, y_train, x_test, grid=grid, probe=probe, seed=seed)


def fit_multilabel(
    x_train: Floats, y_train: Labels, x_test: Floats, *, grid: bool, probe: Probe, seed: int
) -> ProbeFit:
    """Hinge one-vs-rest SVMs on a 0/1 matrix; see :func:`reference.fit_multilabel`."""
    return fit("multi", x_train, y_train, x_test, grid=grid, probe=probe, seed=seed)


def fit_regressor(
    x_train: Floats, y_train: Labels, x_test: Floats, *, grid: bool, probe: Probe, seed: int
) -> ProbeFit:
    """Linear support vector regression on numbers (rows,); see :func:`reference.fit_regressor`."""
    return fit("regression", x_train, y_train, x_test, grid=grid, probe=probe, seed=seed)


def fit(
    kind: Kind,
    x_train: Floats,
    y_train: Labels,
    x_test: Floats,
    *,
    grid: bool,
    probe: Probe,
    seed: int,
    device: str = "cpu",
) -> ProbeFit:
    """Fits the protocol's probe of a kind and predicts the test rows.

    Raises:
        ProbeError: training rows on which the probe cannot be fitted.
        MissingExtraError: the fast probe without torch.
    """
    every = np.arange(len(x_train))
    samples = fit_samples(
        kind, x_train, y_train, [every], x_test, grid=grid, probe=probe, seed=seed, device=device
    )
    return next(samples)


def fit_samples(
    kind: Kind,
    x_train: Floats,
    y_train: Labels,
    samples: Sequence[NDArray[np.int64]],
    x_test: Floats,
    *,
    grid: bool,
    probe: Probe,
    seed: int,
    device: str = "cpu",
) -> Iterator[ProbeFit]:
    """One fit for each set of training rows, in order; the fast probe solves many together."""
    if probe == "fast":
        from scirepeval_harness.probes import fast

        yield from fast.fit_samples(
            kind, x_train, y_train, samples, x_test, grid=grid, device=device
        )
        return
    one = {
        "single": reference.fit_classifier,
        "multi": reference.fit_multilabel,
        "regression": reference.fit_regressor,
    }[kind]
    for rows in samples:
        yield one(x_train[rows], y_train[rows], x_test, grid=grid, seed=seed)
