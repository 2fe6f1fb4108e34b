from __future__ import annotations

import builtins
import sys

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from scirepeval_harness.errors import ProbeError
from scirepeval_harness.evaluations.metrics import f1_macro
from scirepeval_harness.probes import fast, reference
from scirepeval_harness.probes.fit import ProbeJob, fit_samples
from tests.probes import oracles

pytest.importorskip("torch")


def blobs(n: int, d: int, classes: int, seed: int = 0, spread: float = 1.5):
    rng = np.random.default_rng(seed)
    y = rng.integers(0, classes, n)
    x = rng.normal(size=(classes, d))[y] + spread * rng.normal(size=(n, d))
    return x.astype(np.float32), y


@pytest.mark.parametrize("shape", [(300, 8, 3), (300, 8, 2), (100, 120, 5), (160, 100, 4)])
@pytest.mark.parametrize("grid", [True, False])
def test_classifier_equals_loops(shape: tuple[int, int, int], grid: bool) -> None:
    x, y = blobs(*shape)
    fitted = fast.fit_classifier(x[:-50], y[:-50] + 3, x[-50:], grid=grid)
    want, c = oracles.classifier(x[:-50], y[:-50] + 3, x[-50:], grid=grid)
    assert fitted.predictions.tolist() == want.tolist()
    assert fitted.chosen_c == (c if grid else None)
    assert fitted.fits == (16 if grid else 1)
    assert fitted.unconverged == 0


def test_multilabel_equals_loops_with_rare_and_constant_classes() -> None:
    x, y = blobs(150, 10, 5)
    labels = np.stack([y == 0, y <= 1, y == 2, y >= 3, y > 9, y < 9], axis=1).astype(int)
    single = np.zeros((150, 1), dtype=int)
    single[17] = 1  # one positive: no fold can both train and test on it
    labels = np.hstack([labels, single])
    fitted = fast.fit_multilabel(x[:-30], labels[:-30], x[-30:], grid=True)
    want, chosen = oracles.multilabel(x[:-30], labels[:-30], x[-30:], exact=True)
    assert fitted.predictions.tolist() == want.tolist()
    assert list(fitted.chosen_c) == chosen
    assert fitted.fits == 4 * 16 + (10 + 1), "the fold without a positive is not fitted"


def test_multilabel_of_constant_classes_only() -> None:
    labels = np.tile([1, 0], (9, 1))
    fitted = fast.fit_multilabel(np.eye(9), labels, np.eye(9)[:2], grid=True)
    assert fitted.predictions.tolist() == [[1, 0], [1, 0]]
    assert (fitted.chosen_c, fitted.fits, fitted.unconverged) == ((None, None), 0, 0)


@pytest.mark.parametrize("d", [40, 90])
def test_regressor_searches_as_exact_loops_and_refits_as_the_reference(d: int) -> None:
    rng = np.random.default_rng(5)
    x = rng.normal(size=(180, d)).astype(np.float32)
    y = x[:, :6] @ rng.normal(size=6) + 2 * rng.normal(size=180) + 4
    fitted = fast.fit_regressor(x[:120], y[:120], x[120:], grid=True, seed=42)
    _, c = oracles.regressor(x[:120], y[:120], x[120:], exact=True)
    want = reference.fit("regression", x[:120], y[:120], x[120:], grid=False, seed=42, c=c)
    assert fitted.chosen_c == c
    assert fitted.predictions.tolist() == want.predictions.tolist()
    assert (fitted.fits, fitted.fell_back_to_reference) == (22, False)


def test_a_regression_that_stays_unsolved_falls_back_to_the_reference() -> None:
    """Most labels equal: the minimum is a constant, and liblinear's answer is where it stopped."""
    rng = np.random.default_rng(3)
    x = (10 * rng.normal(size=(300, 40)) * np.arange(1, 41) ** -0.7).astype(np.float32)
    y = np.maximum(x[:, 0] + rng.normal(size=300) - 6, 0)
    assert np.median(y) == 0
    ours = fast.fit_regressor(x[:200], y[:200], x[200:], grid=True, seed=42)
    theirs = reference.fit("regression", x[:200], y[:200], x[200:], grid=True, seed=42)
    assert ours.fell_back_to_reference
    assert ours.chosen_c == theirs.chosen_c
    assert ours.predictions.tolist() == theirs.predictions.tolist()
    assert (ours.fits, ours.unconverged) == (theirs.fits, theirs.unconverged)


@settings(max_examples=25, deadline=None)
@given(
    n=st.integers(15, 80),
    d=st.integers(1, 60),
    classes=st.integers(2, 5),
    scale=st.sampled_from([0.05, 1.0]),
    repeat=st.booleans(),
    seed=st.integers(0, 1000),
)
def test_classifier_has_the_reference_s_choice_or_score(
    n: int, d: int, classes: int, scale: float, repeat: bool, seed: int
) -> None:
    """Any shape, classes rarer than the folds, repeated rows."""
    x, y = blobs(n, d, classes, seed, spread=1.0)
    x *= scale
    if repeat:
        x, y = np.repeat(x, 2, axis=0), np.repeat(y, 2)
    assume(np.unique(y).size > 1)
    assume(np.bincount(y).max() >= 3)
    test, _ = blobs(200, d, classes, seed, spread=1.0)
    ours = fast.fit_classifier(x, y, test * scale, grid=True)
    theirs = reference.fit("single", x, y, test * scale, grid=True, seed=42)
    assert ours.fits == theirs.fits
    if ours.chosen_c == theirs.chosen_c:
        # Rows on the boundary within rounding may go either way.
        assert np.mean(ours.predictions != theirs.predictions) <= 0.01
    else:
        # Another C is allowed only where cross validation has (nearly) a tie.
        marks = [cv_accuracy(x, y, c) for c in (ours.chosen_c, theirs.chosen_c)]
        nearly = (4 if repeat else 2) / len(y)
        assert abs(marks[0] - marks[1]) <= nearly + 1e-9


def cv_accuracy(x: np.ndarray, y: np.ndarray, c: float) -> float:
    from sklearn.svm import LinearSVC

    marks = []
    for fold in oracles.stratified_folds(list(y), 3):
        rest = [i for i in range(len(y)) if i not in set(fold)]
        model = LinearSVC(C=c, random_state=42).fit(x[rest], y[rest])
        marks.append(np.mean(model.predict(x[fold]) == y[fold]))
    return float(np.mean(marks))


def test_same_answer_twice() -> None:
    x, y = blobs(200, 20, 4)
    first, second = (fast.fit_classifier(x, y, x, grid=True) for _ in range(2))
    assert first.predictions.tolist() == second.predictions.tolist()
    assert first.chosen_c == second.chosen_c


def test_score_on_embedding_like_vectors() -> None:
    """A common mean, a falling spectrum, long vectors: where liblinear has trouble at large C."""
    rng = np.random.default_rng(0)
    z = rng.normal(size=(1400, 64)) * np.arange(1, 65) ** -0.7
    x = (8 * (z + 0.5 * rng.normal(size=64))).astype(np.float32)
    y = (z @ rng.normal(size=(64, 6)) + 0.3 * rng.normal(size=(1400, 6))).argmax(1)
    ours = fast.fit_classifier(x[:900], y[:900], x[900:], grid=True)
    theirs = reference.fit("single", x[:900], y[:900], x[900:], grid=True, seed=42)
    scores = [100 * f1_macro(y[900:], fit.predictions) for fit in (ours, theirs)]
    assert ours.chosen_c == theirs.chosen_c
    assert abs(scores[0] - scores[1]) <= 0.1


@pytest.mark.parametrize("classes", [2, 5])
@pytest.mark.parametrize("d", [20, 200])
def test_few_shot_samples_equal_single_fits(classes: int, d: int) -> None:
    """Samples of unequal size, some without a class, few rows and many for the dimensions."""
    x, y = blobs(500, d, classes)
    rng = np.random.default_rng(1)
    samples = [rng.choice(400, size, replace=False) for size in (12, 15, 8, 14)]
    samples.append(np.flatnonzero((y < 2) & (np.arange(500) < 60)))
    job = ProbeJob("single", x, y, samples, x[400:], grid=False, seed=42, probe="fast")
    found = list(fit_samples(job))
    for rows, fitted in zip(samples, found, strict=True):
        want = reference.fit("single", x[rows], y[rows], x[400:], grid=False, seed=42)
        assert fitted.predictions.tolist() == want.predictions.tolist()
        assert (fitted.chosen_c, fitted.fits, fitted.unconverged) == (None, 1, 0)


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
        fast.fit_classifier(x, y, np.zeros((5, 2)), grid=True)


def test_without_torch_the_way_out_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    real = builtins.__import__

    def no_torch(name: str, *args: object, **kwargs: object) -> object:
        if name == "torch":
            raise ImportError(name)
        return real(name, *args, **kwargs)

    monkeypatch.delitem(sys.modules, "torch", raising=False)
    monkeypatch.setattr(builtins, "__import__", no_torch)
    x, y = blobs(30, 4, 2)
    with pytest.raises(ProbeError, match="torch") as caught:
        fast.fit_classifier(x, y, x, grid=True)
    assert "scirepeval-harness[models]" in str(caught.value)
    assert "leave --probe fast out" in str(caught.value)
