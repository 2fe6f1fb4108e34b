"""The probes' metrics, as fractions. F1 is scikit-learn's ``f1_score`` with zero_division 0."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from scirepeval_harness.errors import ProbeError

Labels = NDArray[np.generic]


def f1(truth: Labels, prediction: Labels) -> float:
    """F1 of class index 1 in a two-class task; 0 when it is neither present nor predicted."""
    found = {int(label) for label in np.union1d(truth, prediction)}
    if truth.ndim != 1 or not found <= {0, 1}:
        raise ProbeError(
            "f1 is defined for two classes, with index 1 the positive one",
            fix="Use the metric f1_macro for more than two classes or several labels a row",
        )
    return float(_f1_of_columns(truth == 1, prediction == 1))


def f1_macro(truth: Labels, prediction: Labels) -> float:
    """Unweighted mean of the classes' F1.

    With one label a row the classes are those in the truth or the predictions; with a 0/1 matrix
    every column counts, and a column without positives on either side gives 0.
    """
    if truth.ndim == 2:
        return float(_f1_of_columns(truth != 0, prediction != 0).mean())
    classes, codes = np.unique(np.concatenate([truth, prediction]), return_inverse=True)
    true_codes, predicted_codes = codes[: len(truth)], codes[len(truth) :]
    hits = np.bincount(true_codes[true_codes == predicted_codes], minlength=len(classes))
    sizes = np.bincount(true_codes, minlength=len(classes)) + np.bincount(
        predicted_codes, minlength=len(classes)
    )
    return float((2.0 * hits / sizes).mean())


def accuracy(truth: Labels, prediction: Labels) -> float:
    """Share of rows that are right in full."""
    equal = truth == prediction
    return float((equal.all(axis=1) if truth.ndim == 2 else equal).mean())


def kendalltau(truth: Labels, prediction: Labels) -> float:
    """Kendall's tau-b, which allows for ties.

    Raises:
        ProbeError: one side is constant, so that there is no order to correlate.
    """
    from scipy.stats import kendalltau as tau_b

    for name, values in (("labels", truth), ("predictions", prediction)):
        if len(values) < 2 or np.all(values == values[0]):
            raise ProbeError(
                f"the {name} of all {len(values)} test rows are equal, Kendall's tau is undefined",
                fix="Use more rows, or check that the vectors differ between documents",
            )
    sides = np.asarray(truth, dtype=np.float64), np.asarray(prediction, dtype=np.float64)
    return float(tau_b(*sides).statistic)


METRICS: dict[str, Callable[[Labels, Labels], float]] = {
    "f1": f1,
    "f1_macro": f1_macro,
    "accuracy": accuracy,
    "kendalltau": kendalltau,
}


def _f1_of_columns(truth: NDArray[np.bool_], prediction: NDArray[np.bool_]) -> NDArray[np.float64]:
    """F1 = 2 TP / (positives + predicted positives), 0 where both are none."""
    hits = np.asarray((truth & prediction).sum(axis=0), dtype=np.float64)
    sizes = np.asarray(truth.sum(axis=0) + prediction.sum(axis=0), dtype=np.float64)
    return 2.0 * hits / np.maximum(sizes, 1.0)
