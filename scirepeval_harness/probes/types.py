"""What every probe shares: the protocol's grids and the record of a fit."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from scirepeval_harness.errors import ProbeError

Kind = Literal["single", "multi", "regression"]
"""Which probe the protocol fits: one label a row, a 0/1 matrix, or a number a row."""

FOLDS = 3
CLASSIFIER_GRID: tuple[float, ...] = (1e-2, 1e-1, 1.0, 10.0, 100.0)
REGRESSOR_GRID: tuple[float, ...] = (1e-4, 1e-3, 1e-2, 1e-1, 1.0, 10.0, 100.0)
DEFAULT_C = 1.0
HINGE_ITERATIONS = 10_000

ChosenC = float | tuple[float | None, ...] | None


@dataclass(frozen=True)
class ProbeFit:
    """Predictions for the test rows and how they came about.

    Attributes:
        predictions: labels (n_test,), a 0/1 matrix (n_test, classes), or numbers (n_test,).
        chosen_c: the grid's choice; one a class in multi-label tasks, None where a class is
            constant in the training rows; None without a grid.
        fits: how many times an estimator was fitted, the refit counted.
        unconverged: how many of them missed their stopping rule.
        given_back: whether the fast probe left the work to the reference.
    """

    predictions: NDArray[np.generic]
    chosen_c: ChosenC
    fits: int
    unconverged: int
    given_back: bool = False


def grid_of(kind: Kind) -> tuple[float, ...]:
    """The values of C that the protocol searches, ascending (ties go to the smallest)."""
    return REGRESSOR_GRID if kind == "regression" else CLASSIFIER_GRID


def check_rows(
    kind: Kind, x: NDArray[np.floating], y: NDArray[np.generic], x_test: NDArray[np.floating]
) -> None:
    """Shapes that every probe needs.

    Raises:
        ProbeError: rows and labels of different number, no rows, or two widths of vectors.
    """
    if x.ndim != 2 or x_test.ndim != 2 or x.shape[1] != x_test.shape[1]:
        raise ProbeError(
            f"train vectors {x.shape} and test vectors {x_test.shape} do not match",
            fix="Make both with the same model",
        )
    if len(x) != len(y):
        raise ProbeError(f"{len(x)} train vectors for {len(y)} labels", fix="Give one label a row")
    if not len(x) or not len(x_test):
        raise ProbeError(
            f"{len(x)} train and {len(x_test)} test rows",
            fix="A probe needs labelled rows in both splits",
        )
    if (y.ndim == 2) != (kind == "multi"):
        raise ProbeError(
            f"labels of shape {y.shape} for a {kind}-label probe",
            fix="Check the task's format and multi_label",
        )


def check_folds(kind: Kind, y: NDArray[np.generic]) -> None:
    """Whether the 3-fold grid search of the protocol is possible.

    A class with fewer rows than folds is legal, as in scikit-learn: it is then missing from a
    fold's training or test part. Only labels that no fold can be made of are refused.

    Raises:
        ProbeError: fewer rows than folds, or every class rarer than the folds are many.
    """
    advice = "Use more training rows (a larger --limit) or leave the task out"
    if len(y) < FOLDS:
        raise ProbeError(f"{len(y)} training rows for {FOLDS} folds", fix=advice)
    if kind == "regression":
        return
    columns = [y] if kind == "single" else [y[:, k] for k in range(y.shape[1])]
    for k, column in enumerate(columns):
        counts = np.unique(column, return_counts=True)[1]
        if counts.size > 1 and counts.max() < FOLDS:
            label = "every class" if kind == "single" else f"label {k}: each side"
            raise ProbeError(f"{label} has fewer than {FOLDS} training rows", fix=advice)


def check_classes(y: NDArray[np.generic]) -> None:
    """Raises ProbeError when single-label training rows all have one class."""
    if np.unique(y).size < 2:
        raise ProbeError(
            f"all {len(y)} training rows have the same class",
            fix="A classifier needs two classes: use more training rows or leave the task out",
        )
