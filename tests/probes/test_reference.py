from __future__ import annotations

import warnings

import numpy as np
import pytest
from sklearn.exceptions import ConvergenceWarning
from sklearn.svm import LinearSVR

from scirepeval_harness.errors import ProbeError
from scirepeval_harness.probes import reference
from tests.probes import oracles


def blobs(n: int, d: int, classes: int, seed: int = 0, spread: float = 1.5):
    rng = np.random.default_rng(seed)
    y = rng.integers(0, classes, n)
    x = rng.normal(size=(classes, d))[y] + spread * rng.normal(size=(n, d))
    return x.astype(np.float32), y


@pytest.mark.parametrize("shape", [(120, 8, 3), (60, 90, 2)])
@pytest.mark.parametrize("grid", [True, False])
def test_classifier_equals_loops(shape: tuple[int, int, int], grid: bool) -> None:
    x, y = blobs(*shape)
    fitted = reference.fit("single", x[:-20], y[:-20], x[-20:], grid=grid, seed=42)
    want, c = oracles.classifier(x[:-20], y[:-20], x[-20:], grid=grid)
    assert fitted.predictions.tolist() == want.tolist()
    assert fitted.chosen_c == (c if grid else None)
    assert fitted.fits == (16 if grid else 1)


def test_multilabel_equals_loops_with_rare_and_constant_classes() -> None:
    x, y = blobs(150, 10, 5)
    labels = np.stack([y == 0, y <= 1, y == 2, y >= 3, y > 9, y < 9], axis=1).astype(int)
    single = np.zeros((150, 1), dtype=int)
    single[17] = 1  # one positive: no fold can both train and test on it
    labels = np.hstack([labels, single])
    fitted = reference.fit("multi", x[:-30], labels[:-30], x[-30:], grid=True, seed=42)
    want, chosen = oracles.multilabel(x[:-30], labels[:-30], x[-30:])
    assert fitted.predictions.tolist() == want.tolist()
    assert list(fitted.chosen_c) == chosen
    assert chosen[4:] == [None, None, 0.01]
    assert fitted.fits == 4 * 16 + (10 + 1), "the fold without a positive is not fitted"


@pytest.mark.parametrize("grid", [True, False])
def test_regressor_equals_loops(grid: bool) -> None:
    rng = np.random.default_rng(5)
    x = rng.normal(size=(110, 6))
    y = x @ rng.normal(size=6) + rng.normal(size=110) + 4
    fitted = reference.fit("regression", x[:80], y[:80], x[80:], grid=grid, seed=42)
    want, c = oracles.regressor(x[:80], y[:80], x[80:], grid=grid)
    assert fitted.predictions.tolist() == want.tolist()
    assert fitted.chosen_c == (c if grid else None)


def test_unconverged_fits_are_those_that_warn() -> None:
    rng = np.random.default_rng(2)
    x, y = 30 * rng.normal(size=(90, 12)), rng.normal(size=90)
    warned = 0
    folds = [*oracles.plain_folds(90, 3), []]
    for c in oracles.REGRESSOR_CS:
        for fold in folds[:3]:
            rest = [i for i in range(90) if i not in fold]
            with warnings.catch_warnings(record=True) as seen:
                warnings.simplefilter("always")
                LinearSVR(C=c, random_state=42).fit(x[rest], y[rest])
            warned += sum(issubclass(w.category, ConvergenceWarning) for w in seen)
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # nothing may leak to the caller
        fitted = reference.fit("regression", x, y, x, grid=True, seed=42)
    assert warned > 0
    assert fitted.fits == 22
    assert fitted.unconverged - warned in (0, 1), "the refit may miss too"


@pytest.mark.parametrize(
    ("x", "y", "message"),
    [
        (np.zeros((4, 2)), np.zeros(4, dtype=int), "same class"),
        (np.zeros((4, 2)), np.array([0, 1, 2, 3]), "fewer than 3"),
        (np.zeros((2, 2)), np.array([0, 1]), "2 training rows for 3 folds"),
        (np.zeros((4, 2)), np.array([0, 1, 1]), "4 train vectors for 3 labels"),
        (np.zeros((4, 3)), np.array([0, 1, 1, 1]), "do not match"),
        (np.zeros((0, 2)), np.zeros(0, dtype=int), "0 train and 5 test rows"),
    ],
)
def test_impossible_training_rows(x: np.ndarray, y: np.ndarray, message: str) -> None:
    with pytest.raises(ProbeError, match=message):
        reference.fit("single", x, y, np.zeros((5, 2)), grid=True, seed=42)
