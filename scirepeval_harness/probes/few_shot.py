"""Which training rows a few-shot setting uses. Order matters: it decides the grid's folds."""

from __future__ import annotations

import math
import warnings
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from scirepeval_harness.errors import ProbeError
from scirepeval_harness.specs.task import FewShot

Rows = NDArray[np.int64]


def single_label_samples(labels: NDArray[np.generic], setting: FewShot) -> Sequence[Rows]:
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
    samples: list[Rows] = []
    with warnings.catch_warnings():
        # A class with fewer rows than folds is legal: it is missing from some samples.
        warnings.simplefilter("ignore", UserWarning)
        for _, small in StratifiedKFold(n_splits=folds).split(np.zeros(len(labels)), labels):
            samples.append(small.astype(np.int64))
            if len(samples) == setting.iterations:
                break
    for k, rows in enumerate(samples):
        if np.unique(labels[rows]).size < 2:
            raise ProbeError(
                f"sample {k} of {len(rows)} rows has a single class",
                fix="Use a larger sample size, or more rows of the rare class",
            )
    return samples


def multilabel_samples(labels: NDArray[np.generic], setting: FewShot, seed: int) -> Sequence[Rows]:
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
    samples: list[Rows] = []
    for k in range(setting.iterations):
        # The same stream as numpy.random.seed, without touching the global generator.
        generator = np.random.RandomState(seed + k)
        union: set[int] = set()
        for rows in positives:
            union.update(generator.choice(rows, setting.sample_size, replace=False).tolist())
        samples.append(np.array(list(union), dtype=np.int64))
    return samples
