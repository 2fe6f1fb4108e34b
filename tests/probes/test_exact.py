"""The exact probe's choices, counts and predictions are those of scikit-learn."""

from __future__ import annotations

import sys
from dataclasses import replace

import numpy as np
import pytest

pytest.importorskip("numba")

from scirepeval_harness.errors import ProbeError
from scirepeval_harness.probes import compiled, exact, fit, reference
from scirepeval_harness.probes.fit import ProbeJob, fit_samples
from scirepeval_harness.probes.problem import Kind, ProbeFit
from tests.probes.vectors import KINDS, vectors

PROBES: tuple[Kind, ...] = ("single", "multi", "regression")


def labels(kind: Kind, x: np.ndarray, classes: int = 4) -> np.ndarray:
    """Noisy linear labels with a rare class, constant columns, or ties."""
    rng = np.random.default_rng(7)
    z = x @ rng.normal(size=(x.shape[1], classes))
    z = (z - z.mean(0)) / z.std(0) + rng.normal(size=z.shape)
    if kind == "regression":
        return np.round(z[:, 0], 1)
    if kind == "single":
        found = z.argmax(1)
        found[:2] = classes + 3  # fewer rows than folds
        return found
    rare, none = np.zeros((2, len(x), 1), dtype=np.int64)
    rare[3] = 1  # the fold that holds it out has nothing to train on
    return np.hstack([(z > 1).astype(np.int64), rare, none, 1 - none])


def both(kind: Kind, x: np.ndarray, y: np.ndarray, n: int, grid: bool) -> None:
    job = ProbeJob(kind, x[:n], y[:n], [np.arange(n)], x[n:], grid=grid, seed=42, probe="sklearn")
    assert_same(next(fit_samples(replace(job, probe="exact"))), next(fit_samples(job)))


def assert_same(found: ProbeFit, wanted: ProbeFit) -> None:
    assert found.chosen_c == wanted.chosen_c
    if found.predictions.dtype.kind == "f":
        # A regression leaves out what could not win.
        assert found.fits <= wanted.fits
        assert found.unconverged <= wanted.unconverged <= found.unconverged + left_out(found)
    else:
        assert (found.fits, found.unconverged) == (wanted.fits, wanted.unconverged)
    assert not found.fell_back_to_reference
    assert found.predictions.dtype == wanted.predictions.dtype
    if found.predictions.dtype.kind == "f":
        scale = np.abs(wanted.predictions).max()
        np.testing.assert_allclose(found.predictions, wanted.predictions, atol=1e-10 * scale)
    else:
        assert found.predictions.tolist() == wanted.predictions.tolist()


def left_out(found: ProbeFit) -> int:
    grid = len(exact.REGRESSOR_GRID) if found.chosen_c is not None else 0
    return 1 + exact.FOLDS * grid - found.fits


def test_a_value_of_c_is_left_out_only_where_no_last_score_makes_it_the_best() -> None:
    rng = np.random.default_rng(0)
    out = tight = 0
    for _ in range(2_000):
        scores = 1 - rng.exponential(rng.choice([0.01, 0.3, 2.0]), size=(5, 3))
        scores[rng.permutation(5)[:3], 2] = np.nan
        found = exact.can_win(scores)
        open_ = np.isnan(scores[:, 2])
        assert found[~open_].any()
        best = scores[~open_].mean(axis=1).max()
        for row in np.flatnonzero(open_):
            highest = (scores[row, 0] + scores[row, 1] + 1) / 3
            assert found[row] == (highest >= best)
            out += not found[row]
            tight += found[row]
    assert min(out, tight) > 500
    assert exact.can_win(np.array([[0.4, 0.4, 0.4], [0.4, -0.2, np.nan]])).all(), "a tie"
    assert exact.can_win(np.full((2, 3), np.nan)).all(), "nothing is known"


def test_a_regression_leaves_out_the_last_fold_of_hopeless_values(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    x = vectors("specter", 200, 60)
    y = x @ np.random.default_rng(7).normal(size=60)
    y = y + 4 * y.std() * np.random.default_rng(8).normal(size=200)
    told: list[float] = []
    fit = {"grid": True, "seed": 42, "done": told.append}
    found = exact.fit_regressor(x[:150], y[:150], x[150:], **fit)  # type: ignore[arg-type]
    assert 0 < left_out(found) <= exact.LARGE
    assert sum(told) == exact.FOLDS * len(exact.REGRESSOR_GRID) + 1
    monkeypatch.setattr(exact, "can_win", lambda scores: np.full(len(scores), True))
    every = exact.fit_regressor(x[:150], y[:150], x[150:], **fit)  # type: ignore[arg-type]
    assert left_out(every) == 0
    assert every.chosen_c == found.chosen_c
    assert every.predictions.tolist() == found.predictions.tolist()


@pytest.mark.parametrize("kind", KINDS)
def test_classes_that_go_through_the_rows_together(
    kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(exact, "CACHED", 0)
    x = vectors(kind, 160, 30)
    both("single", x, labels("single", x, classes=9), 120, grid=True)


@pytest.mark.parametrize("probe", PROBES)
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(("n", "d"), [(30, 20), (60, 90), (110, 80)])
def test_searches(probe: Kind, kind: str, n: int, d: int) -> None:
    """Of 110 rows the folds are wider than tall and the refit is not."""
    x = vectors(kind, n + 40, d)
    both(probe, x, labels(probe, x), n, True)


@pytest.mark.slow
@pytest.mark.parametrize("probe", PROBES)
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(("n", "d"), [(420, 200)])
def test_larger_searches(probe: Kind, kind: str, n: int, d: int) -> None:
    x = vectors(kind, n + 200, d)
    both(probe, x, labels(probe, x, 7), n, True)


@pytest.mark.parametrize("probe", PROBES)
def test_two_classes_and_single_fits(probe: Kind) -> None:
    x = vectors("power", 120, 30)
    y = labels(probe, x)
    both(probe, x, y, 80, False)
    if probe == "single":
        both(probe, x, (y > 1).astype(np.int64), 80, True)
    if probe == "multi":
        both(probe, x, y[:, :1], 80, True)


@pytest.mark.parametrize("probe", ["single", "multi"])
@pytest.mark.parametrize("threads", [1, 2, 7])
def test_few_shot_samples(probe: Kind, threads: int) -> None:
    x = vectors("specter", 300, 60)
    y = labels(probe, x)
    rng = np.random.default_rng(1)
    samples = [rng.choice(250, size, replace=False) for size in (16, 64, 40, 24)]
    grid = probe == "multi"
    if grid:
        y = y[:, :4]
    job = ProbeJob(probe, x, y, samples, x[250:], grid=grid, seed=42, probe="sklearn")
    found = fit_samples(replace(job, probe="exact"), threads)
    for one, wanted in zip(found, fit_samples(job, 1), strict=True):
        assert_same(one, wanted)


def test_few_rows_and_undefined_scores() -> None:
    x = vectors("isotropic", 30, 6)
    y = np.arange(30) % 7 / 3.0
    both("regression", x, y, 4, True)  # folds of one row have no R squared
    both("regression", x, np.ones(30), 9, True)
    both("single", x, np.array([0, 1, 1, 1, *[1] * 26]), 4, True)


def test_double_precision_and_zeros() -> None:
    x = vectors("power", 90, 12).astype(np.float64)
    x[:, 3] = 0.0
    x[10:20] = 0.0
    for probe in PROBES:
        both(probe, x, labels(probe, x), 60, True)


def test_impossible_training_rows() -> None:
    x = np.zeros((4, 2))
    with pytest.raises(ProbeError, match="same class"):
        exact.fit_classifier(x, np.zeros(4, dtype=int), x, grid=True, seed=42)
    with pytest.raises(ProbeError, match="fewer than 3"):
        exact.fit_classifier(x, np.arange(4), x, grid=True, seed=42)
    with pytest.raises(ProbeError, match="4 train vectors for 3 labels"):
        exact.fit_regressor(x, np.arange(3), x, grid=True, seed=42)


def test_the_first_use_says_that_it_compiles(monkeypatch: pytest.MonkeyPatch) -> None:
    said: list[str] = []
    for at_hand in (True, False):
        monkeypatch.setattr(compiled, "at_hand", lambda found=at_hand: found)
        fit.can_compile.cache_clear()
        fit.prepare(said.append)
        assert len(said) == (0 if at_hand else 1)
    fit.prepare(said.append)
    assert said == ["compiling the probes, once: some seconds"]


def test_without_numba_scikit_learn_fits_and_says_so_once(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    fit.can_compile.cache_clear()
    monkeypatch.setitem(sys.modules, "numba", None)
    said: list[str] = []
    try:
        fit.prepare(said.append)
        fit.prepare(said.append)
        x = vectors("isotropic", 40, 5)
        y = labels("regression", x)
        job = ProbeJob(
            "regression", x[:30], y[:30], [np.arange(30)], x[30:], grid=True, seed=42, probe="exact"
        )
        found = next(fit_samples(job))
    finally:
        fit.can_compile.cache_clear()
    wanted = reference.fit("regression", x[:30], y[:30], x[30:], grid=True, seed=42)
    assert [line.partition(":")[0] for line in said] == ["numba cannot compile here"]
    assert found.fell_back_to_reference
    assert found.predictions.tolist() == wanted.predictions.tolist()
