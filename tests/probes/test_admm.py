"""Solutions against scikit-learn at high precision and against the meaning of each step."""

from __future__ import annotations

import warnings

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.svm import LinearSVC, LinearSVR

torch = pytest.importorskip("torch")

from scirepeval_harness.probes import solver  # noqa: E402
from scirepeval_harness.probes.search import Training, on_device, refit  # noqa: E402


def objective(loss: str, w: np.ndarray, b: float, x: np.ndarray, t: np.ndarray, c: float) -> float:
    f = x.astype(np.float64) @ w + b
    if loss == "absolute":
        losses = np.abs(f - t)
    else:
        losses = np.maximum(1 - t * f, 0) ** (2 if loss == "squared_hinge" else 1)
    return float(0.5 * (w @ w + b * b) + c * losses.sum())


def exact(loss: str, x: np.ndarray, t: np.ndarray, c: float) -> float:
    """The minimum, by liblinear's dual solver with a tolerance that it hardly reaches."""
    kind = LinearSVR if loss == "absolute" else LinearSVC
    chosen = {} if loss == "absolute" else {"loss": loss}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model = kind(C=c, dual=True, tol=1e-8, max_iter=300_000, random_state=0, **chosen)
        model.fit(x.astype(np.float64), t)
    return objective(loss, model.coef_.ravel(), float(np.ravel(model.intercept_)[0]), x, t, c)


def problem(loss: str, n: int, d: int, seed: int, offset: float = 0.0):
    rng = np.random.default_rng(seed)
    x = (rng.normal(size=(n, d)) * np.arange(1, d + 1) ** -0.5 + offset).astype(np.float32)
    signal = x @ rng.normal(size=d) + rng.normal(size=n)
    t = signal + 3 if loss == "absolute" else np.where(signal > np.median(signal), 1.0, -1.0)
    return x, t.astype(np.float32).astype(np.float64)


@pytest.mark.parametrize("loss", ["squared_hinge", "hinge", "absolute"])
@pytest.mark.parametrize("shape", [(90, 12), (30, 60), (41, 40)])
@pytest.mark.parametrize("c", [0.01, 1.0, 10.0])
def test_objective_is_the_minimum(loss: str, shape: tuple[int, int], c: float) -> None:
    x, t = problem(loss, *shape, seed=7, offset=0.5)
    rows = on_device(x, None)
    training = Training.of(loss, rows, torch.tensor(t[None]).to(rows))
    assert (training.scatter is None) == (shape[0] <= shape[1] + 1)
    weights, gaps = refit(training, torch.tensor([c]).to(rows), None)
    w = weights[0].double().numpy()
    found, least = objective(loss, w[:-1], float(w[-1]), x, t, c), exact(loss, x, t, c)
    # Weights in float32 leave a hinge that is exactly at its kink by some 1e-6 a row.
    assert found <= least * (1 + 5e-4)
    assert found >= least * (1 - 1e-3), "below what liblinear reaches only by its own tolerance"
    assert gaps[0] <= 1e-4
    assert found - least <= gaps[0] * found + 1e-4 * found, "the gap bounds the distance"


@settings(max_examples=40, deadline=None)
@given(
    loss=st.sampled_from(["squared_hinge", "hinge", "absolute"]),
    n=st.integers(4, 40),
    d=st.integers(1, 30),
    c=st.sampled_from([1e-4, 1e-2, 1.0, 100.0]),
    repeat=st.integers(1, 3),
    seed=st.integers(0, 10_000),
)
def test_gap_bounds_the_objective_at_any_time(
    loss: str, n: int, d: int, c: float, repeat: int, seed: int
) -> None:
    """Whatever has been iterated, and with repeated rows: objective (1 - gap) <= any objective."""
    x, t = problem(loss, n, d, seed)
    x, t = np.repeat(x, repeat, axis=0), np.repeat(t, repeat)
    rows = on_device(x, None)
    part = Training.of(loss, rows, torch.tensor(t[None]).to(rows)).whole()
    label, cost = torch.tensor([0]), torch.tensor([c]).to(rows)
    state = part.start(label, cost)
    for iterations in (1, 7, 60):
        w = part.advance(state, label, cost, label, iterations)[0].double().numpy()
        found = objective(loss, w[:-1], float(w[-1]), x, t, c)
        zero = objective(loss, 0 * w[:-1], 0.0, x, t, c)
        assert np.isfinite(w).all()
        lower = found * (1 - float(state.gap[0, 0]))
        assert lower <= zero * (1 + 1e-4), "a lower bound above the objective of the zero vector"


def test_multipliers_are_feasible_and_make_the_weights() -> None:
    x, t = problem("hinge", 80, 6, seed=3)
    rows = on_device(x, None)
    training = Training.of("hinge", rows, torch.tensor(t[None]).to(rows))
    part, label, cost = training.whole(), torch.tensor([0]), torch.tensor([2.0]).to(rows)
    state = part.start(label, cost)
    weights = part.advance(state, label, cost, label, 2000)
    dual = solver.multipliers(state)[0, 0].double().numpy() * t
    assert dual.min() >= -1e-6
    assert dual.max() <= 2.0 * (1 + 1e-5)
    wide = np.c_[x, np.ones(80)].astype(np.float64)
    assert np.allclose((dual * t) @ wide, weights[0].numpy(), atol=2e-3)


def test_masked_rows_do_not_count() -> None:
    x, t = problem("squared_hinge", 60, 8, seed=1)
    rows = on_device(x, None)
    targets = torch.tensor(t[None]).to(rows)
    both = Training.of("squared_hinge", rows, targets.repeat(2, 1))
    out = np.zeros((2, 60), dtype=bool)
    out[0, :20] = True
    out[1, 15:30] = True
    part = both.without(torch.from_numpy(out))
    labels, cost = torch.tensor([0, 1]), torch.tensor([0.3, 0.3]).to(rows)
    state = part.start(labels, cost)
    assert len(part.index) == 55, "rows that both leave out are gone, the others masked"
    weights = part.advance(state, labels, cost, labels, 800)
    for k in range(2):
        keep = ~out[k]
        alone = Training.of("squared_hinge", rows[keep], targets[:, keep])
        want, _ = refit(alone, cost[:1], None)
        assert torch.allclose(weights[k], want[0], atol=2e-3)
