"""What every probe shares: the protocol's grids and the record of a fit."""

from __future__ import annotations

import math
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np
from numpy.typing import NDArray

from scirepeval_harness.errors import ProbeError
from scirepeval_harness.task.spec import FewShot

if TYPE_CHECKING:
    from scipy.sparse import csr_matrix

Kind = Literal["single", "multi", "regression"]
"""Which probe the protocol fits: one label a row, a 0/1 matrix, or a number a row."""

# The published evaluation's settings (docs/protocol.md); another value moves scores.
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
        fell_back_to_reference: whether another probe left the work to the reference.
    """

    predictions: NDArray[np.generic]
    chosen_c: ChosenC
    fits: int
    unconverged: int
    fell_back_to_reference: bool = False


def grid_of(kind: Kind) -> tuple[float, ...]:
    """The values of C that the protocol searches, ascending (ties go to the smallest)."""
    return REGRESSOR_GRID if kind == "regression" else CLASSIFIER_GRID


def check_rows(
    kind: Kind,
    x: NDArray[np.floating] | csr_matrix,
    y: NDArray[np.generic],
    x_test: NDArray[np.floating] | csr_matrix,
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
    rows, tests = x.shape[0], x_test.shape[0]
    if rows != len(y):
        raise ProbeError(f"{rows} train vectors for {len(y)} labels", fix="Give one label a row")
    if not rows or not tests:
        raise ProbeError(
            f"{rows} train and {tests} test rows",
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


def single_label_samples(
    labels: NDArray[np.generic], setting: FewShot
) -> Sequence[NDArray[np.int64]]:
    """Small stratified folds of about ``sample_size`` rows, the first ``iterations`` of them.

    The training rows are cut into ceil(n / sample_size) stratified folds without shuffling and
    each fold is a training set of its own. Where there are fewer folds than iterations, all are
    used.

    Raises:
        ProbeError: no more rows than one sample, or every class rarer than the folds are many.
    """
    from sklearn.model_selection import StratifiedKFold

    folds = math.ceil(len(labels) / setting.sample_size)
    if folds < 2:
        raise ProbeError(
            f"{len(labels)} training rows for samples of {setting.sample_size}",
            fix="A few-shot setting needs more training rows than one sample (a larger --limit)",
        )
    largest = int(np.unique(labels, return_counts=True)[1].max())
    if largest < folds:
        raise ProbeError(
            f"samples of {setting.sample_size} need {folds} folds, but no class has as many rows",
            fix="Use more training rows a class or a larger sample size",
        )
    samples: list[NDArray[np.int64]] = []
    with warnings.catch_warnings():
        # A class with fewer rows than folds is legal: it is missing from some samples.
        warnings.simplefilter("ignore", UserWarning)
        for _, small in StratifiedKFold(n_splits=folds).split(np.zeros(len(labels)), labels):
            samples.append(small.astype(np.int64))
            if len(samples) == setting.iterations:
                break
    # Found before the first fit: half of the samples fitted and then an error would waste them.
    for k, rows in enumerate(samples):
        if np.unique(labels[rows]).size < 2:
            raise ProbeError(
                f"sample {k} of {len(rows)} rows has a single class",
                fix="Use a larger sample size, or more rows of the rare class",
            )
    return samples


def multilabel_samples(
    labels: NDArray[np.generic], setting: FewShot, seed: int
) -> Sequence[NDArray[np.int64]]:
    """For iteration k, ``sample_size`` positives of each class drawn under seed + k, united.

    Rows come in the iteration order of a Python set of integers, as the published code lists them;
    for integers that order does not depend on PYTHONHASHSEED.

    Raises:
        ProbeError: a class with fewer positives than ``sample_size``.
    """
    positives = [np.flatnonzero(labels[:, k] == 1) for k in range(labels.shape[1])]
    short = [k for k, rows in enumerate(positives) if len(rows) < setting.sample_size]
    if short:
        fewest = min(len(positives[k]) for k in short)
        raise ProbeError(
            f"{len(short)} classes (the first has index {short[0]}) have fewer than "
            f"{setting.sample_size} positive training rows (as few as {fewest})",
            fix="Use more training rows (a larger --limit) or a smaller sample size",
        )
    samples: list[NDArray[np.int64]] = []
    for k in range(setting.iterations):
        # The same stream as numpy.random.seed, without touching the global generator.
        generator = np.random.RandomState(seed + k)
        union: set[int] = set()
        for rows in positives:
            union.update(generator.choice(rows, setting.sample_size, replace=False).tolist())
        samples.append(np.array(list(union), dtype=np.int64))
    return samples
