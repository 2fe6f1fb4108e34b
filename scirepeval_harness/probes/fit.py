"""Fitting the protocol's probe on sets of training rows."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from scirepeval_harness.probes import reference
from scirepeval_harness.probes.types import Kind, ProbeFit

Floats = NDArray[np.float32]
Labels = NDArray[np.generic]


def fit_samples(
    kind: Kind,
    x_train: Floats,
    y_train: Labels,
    samples: Sequence[NDArray[np.int64]],
    x_test: Floats,
    *,
    grid: bool,
    seed: int,
) -> Iterator[ProbeFit]:
    """One fit for each set of training rows, in order.

    Raises:
        ProbeError: rows on which the probe cannot be fitted.
    """
    fit = {
        "single": reference.fit_classifier,
        "multi": reference.fit_multilabel,
        "regression": reference.fit_regressor,
    }[kind]
    for rows in samples:
        yield fit(x_train[rows], y_train[rows], x_test, grid=grid, seed=seed)
