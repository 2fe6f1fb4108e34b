"""The protocol's probes solved together and faster: ``--probe fast``.

The problems are those of :mod:`reference` (losses, grids, folds, regularised intercept, ties);
the solver is another, so a score may differ where scikit-learn stops at its iteration limit.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from scirepeval_harness.probes import problem, reference, search, solver
from scirepeval_harness.probes.search import SOLVED_GAP, decisions_of, on_device, torch_like

if TYPE_CHECKING:
    from torch import Tensor


Floats = NDArray[np.floating[Any]]
Labels = NDArray[np.generic]


def fit_classifier(
    x_train: Floats, y_train: Labels, x_test: Floats, *, grid: bool, device: str | None = None
) -> problem.ProbeFit:
    """Linear SVM with squared hinge on single labels, one-vs-rest.

    Args:
        x_train, x_test: vectors (rows, dimensions).
        y_train: class index (rows,).
        grid: search C by 3-fold cross validation on accuracy; else C = 1.
        device: as torch names it; None for the processor.

    Raises:
        ProbeError: shapes that do not match, one class only, too few rows for the folds, or torch
            is not installed.
    """
    problem.check_rows("single", x_train, y_train, x_test)
    problem.check_classes(y_train)
    names, codes = np.unique(y_train, return_inverse=True)
    rows = on_device(x_train, device)
    training = search.Training.of(
        "squared_hinge", rows, _signs(_one_vs_rest(codes, len(names)), rows)
    )
    fits, missed, warm, c = 1, 0, None, problem.DEFAULT_C
    if grid:
        problem.check_folds("single", y_train)
        held_out = _stratified(codes)
        counts = np.bincount(codes, minlength=len(names))
        # A class without training rows in a fold is no candidate there.
        present = [counts > np.bincount(codes[out], minlength=len(names)) for out in held_out]

        def score(fold: int, decisions: NDArray[np.float64]) -> NDArray[Any]:
            if len(decisions) > 1:
                decisions = np.where(present[fold][:, None, None], decisions, -np.inf)
            right = _decide(decisions) == codes[held_out[fold]]
            return np.asarray(right.mean(1)[None])

        fitted = [int(some.sum()) > 1 for some in present]
        choice = search.search(
            training,
            problem.CLASSIFIER_GRID,
            [out[None] for out in held_out],
            np.array([all(fitted)]),
            score,
            _binomial_error(len(codes)),
        )
        c, warm = problem.CLASSIFIER_GRID[int(choice.chosen[0])], choice.warm
        fits += sum(fitted) * len(problem.CLASSIFIER_GRID)
        missed += int(choice.unconverged[0])
    weights, gaps = search.refit(training, rows.new_full((len(training.targets),), c), warm)
    # By numpy, in blocks: test rows need no room on the device beside the training rows.
    found = _decide(decisions_of(x_test, weights))
    missed += int((gaps > SOLVED_GAP).any())
    return problem.ProbeFit(names[found], c if grid else None, fits, missed)


def fit_multilabel(
    x_train: Floats, y_train: Labels, x_test: Floats, *, grid: bool, device: str | None = None
) -> problem.ProbeFit:
    """One-vs-rest linear SVMs with hinge loss, each class with its own C.

    Args:
        y_train: 0/1 matrix (rows, classes). A class without positives, or without negatives, gets
            the constant prediction.
        others: as in :func:`fit_classifier`.

    Raises:
        ProbeError: as :func:`fit_classifier`, save that a class may be constant.
    """
    problem.check_rows("multi", x_train, y_train, x_test)
    if grid:
        problem.check_folds("multi", y_train)
    positive = np.asarray(y_train) != 0
    real = np.flatnonzero(positive.any(0) & ~positive.all(0))
    # Constant classes keep the first row, which is every row; the others are filled in below.
    predictions = np.repeat(positive[:1], len(x_test), axis=0).astype(np.int64)
    chosen: list[float | None] = [None] * positive.shape[1]
    fits = missed = 0
    if len(real):
        truth = np.ascontiguousarray(positive[:, real].T)
        rows = on_device(x_train, device)
        training = search.Training.of("hinge", rows, _signs(truth, rows))
        costs, warm, fits = np.full(len(real), problem.DEFAULT_C), None, len(real)
        if grid:
            # Folds keep the share of positives, so each class has its own.
            by_class = [_stratified(column) for column in truth]
            held_out = [np.stack(parts) for parts in zip(*by_class, strict=True)]
            looked_at = [np.flatnonzero(out.any(0)) for out in held_out]
            fitted = np.stack([_two_sided(truth, ~out) for out in held_out])

            def score(fold: int, decisions: NDArray[np.float64]) -> NDArray[Any]:
                seen = looked_at[fold]
                right = (decisions > 0) == truth[:, None, seen]
                counts = held_out[fold][:, None, seen]
                return np.asarray((right & counts).sum(-1) / counts.sum(-1))

            choice = search.search(
                training,
                problem.CLASSIFIER_GRID,
                held_out,
                np.asarray(fitted.all(0)),
                score,
                _binomial_error(truth.shape[1]),
            )
            costs, warm = np.array(problem.CLASSIFIER_GRID)[choice.chosen], choice.warm
            fits += int(fitted.sum()) * len(problem.CLASSIFIER_GRID)
            missed += int(choice.unconverged.sum())
            for k, c in zip(real.tolist(), costs.tolist(), strict=True):
                chosen[k] = c
        weights, gaps = search.refit(training, torch_like(costs, rows), warm)
        predictions[:, real] = decisions_of(x_test, weights).T > 0
        missed += int((gaps > SOLVED_GAP).sum())
    return problem.ProbeFit(predictions, tuple(chosen) if grid else None, fits, missed)


def fit_regressor(
    x_train: Floats,
    y_train: Labels,
    x_test: Floats,
    *,
    grid: bool,
    seed: int,
    device: str | None = None,
) -> problem.ProbeFit:
    """Linear support vector regression (epsilon = 0); the grid is searched on R squared.

    The refit is scikit-learn's own: liblinear stops an absolute error after 1,000 iterations, often
    far from the minimum. Where it stops so at the C that was found, or that C stays unsolved here,
    the reference's choice of C hangs on where it stopped as well, and the whole search falls
    back to it.

    Args:
        y_train: numbers (rows,).
        seed: random state of the refit.
        others: as in :func:`fit_classifier`.

    Raises:
        ProbeError: as :func:`fit_classifier`.
    """
    kind: problem.Kind = "regression"
    problem.check_rows(kind, x_train, y_train, x_test)
    if not grid:
        return reference.fit(kind, x_train, y_train, x_test, grid=False, seed=seed)
    problem.check_folds(kind, y_train)
    truth = np.asarray(y_train, dtype=np.float64)
    rows = on_device(x_train, device)
    training = search.Training.of("absolute", rows, torch_like(truth, rows)[None])
    held_out = _plain(len(truth))

    def score(fold: int, decisions: NDArray[np.float64]) -> NDArray[Any]:
        return _r_squared(truth[held_out[fold]], decisions[0])[None]

    choice = search.search(
        training,
        problem.REGRESSOR_GRID,
        [out[None] for out in held_out],
        np.array([True]),
        score,
        lambda best: (1.0 - best) * np.sqrt(2.0 / len(truth)),
    )
    if choice.solved[0]:
        c = problem.REGRESSOR_GRID[int(choice.chosen[0])]
        last = reference.fit(kind, x_train, y_train, x_test, grid=False, seed=seed, c=c)
        if not last.unconverged:
            return replace(last, chosen_c=c, fits=problem.FOLDS * len(problem.REGRESSOR_GRID) + 1)
    whole = reference.fit(kind, x_train, y_train, x_test, grid=True, seed=seed)
    return replace(whole, fell_back_to_reference=True)


def _decide(decisions: NDArray[np.float64]) -> NDArray[np.int64]:
    """Codes of decision values (classes, ...) -> (...); one line of values tells two classes."""
    if len(decisions) == 1:
        return np.asarray(decisions[0] > 0, dtype=np.int64)
    return np.asarray(decisions.argmax(0), dtype=np.int64)


def _one_vs_rest(codes: NDArray[np.int64], classes: int) -> NDArray[np.bool_]:
    if classes == 2:
        return np.asarray(codes == 1)[None]
    return np.asarray(codes == np.arange(classes)[:, None])


def _signs(positive: NDArray[np.bool_], rows: Tensor) -> Tensor:
    return torch_like(np.where(positive, 1.0, -1.0), rows)


def _two_sided(truth: NDArray[np.bool_], used: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Classes with positives and negatives among the rows used."""
    return np.asarray((truth & used).any(1) & (~truth & used).any(1))


def _stratified(labels: NDArray[np.generic]) -> list[NDArray[np.bool_]]:
    """Held-out rows of the folds, as scikit-learn cuts them; masks (n,)."""
    from sklearn.model_selection import StratifiedKFold

    with warnings.catch_warnings():
        # A class with fewer rows than folds is legal: it is missing from some folds.
        warnings.simplefilter("ignore", UserWarning)
        return _masks(
            StratifiedKFold(problem.FOLDS).split(np.zeros(len(labels)), labels), len(labels)
        )


def _plain(count: int) -> list[NDArray[np.bool_]]:
    from sklearn.model_selection import KFold

    return _masks(KFold(problem.FOLDS).split(np.zeros(count)), count)


def _masks(
    splits: Iterable[tuple[NDArray[np.int64], NDArray[np.int64]]], count: int
) -> list[NDArray[np.bool_]]:
    masks = []
    for _, held_out in splits:
        mask = np.zeros(count, dtype=bool)
        mask[held_out] = True
        masks.append(mask)
    return masks


def _r_squared(truth: NDArray[np.float64], found: NDArray[np.float64]) -> NDArray[np.float64]:
    """R squared of each line of values (C, rows); 0, or 1 if exact, for constant truths."""
    rest = np.square(truth - found).sum(-1)
    total = float(np.square(truth - truth.mean()).sum())
    # As scikit-learn's r2_score defines it, which the reference's grid search uses.
    if total == 0.0:
        return np.where(rest == 0.0, 1.0, 0.0)
    return np.asarray(1.0 - rest / total)


def _binomial_error(count: int) -> Callable[[NDArray[np.float64]], NDArray[np.float64]]:
    def error(best: NDArray[np.float64]) -> NDArray[np.float64]:
        share = np.clip(best, 0.0, 1.0)
        return np.asarray(np.sqrt(share * (1.0 - share) / count))

    return error


BATCH_NUMBERS = 2**25
"""Numbers in a batch of samples: their Gram matrices and padded rows (float32: 128 MB)."""


def fit_small_classifiers(
    x_train: Floats,
    y_train: Labels,
    samples: Sequence[NDArray[np.int64]],
    x_test: Floats,
    *,
    device: str | None = None,
) -> Iterator[problem.ProbeFit]:
    """Linear SVMs with squared hinge and C = 1, one a sample; as fit_classifier without a grid.

    Args:
        samples: training rows of each fit; meant for fewer rows than dimensions.
        others: as in :func:`fast.fit_classifier`.

    Raises:
        ProbeError: shapes that do not match, a sample of one class, or torch is not installed.
    """
    problem.check_rows("single", x_train, y_train, x_test)
    for chosen in samples:
        problem.check_classes(y_train[chosen])
    names, codes = np.unique(y_train, return_inverse=True)
    rows = on_device(x_train, device)
    longest = max((len(chosen) for chosen in samples), default=1)
    # So many samples at once as memory allows, the longest setting the size of all.
    step = max(1, BATCH_NUMBERS // (longest * (longest + rows.shape[1])))
    for begin in range(0, len(samples), step):
        some = samples[begin : begin + step]
        weights, gaps = _solve(rows, codes, len(names), some)
        for k, chosen in enumerate(some):
            decisions = decisions_of(x_test, weights[k])
            if len(names) > 2:
                # Classes that the sample lacks are no candidates.
                present = np.isin(np.arange(len(names)), codes[chosen])
                decisions = np.where(present[:, None], decisions, -np.inf)
            missed = int((gaps[k] > SOLVED_GAP).any())
            yield problem.ProbeFit(names[_decide(decisions)], None, fits=1, unconverged=missed)


def _solve(
    rows: Tensor, codes: NDArray[np.int64], classes: int, samples: Sequence[NDArray[np.int64]]
) -> tuple[Tensor, Tensor]:
    """Weights (samples, classes, d + 1), one line for two classes, and gaps (samples, classes)."""
    import torch

    longest = max(len(chosen) for chosen in samples)
    index = np.zeros((len(samples), longest), dtype=np.int64)
    filled = np.zeros((len(samples), 1, longest))
    for k, chosen in enumerate(samples):
        index[k, : len(chosen)] = chosen
        filled[k, 0, : len(chosen)] = 1.0
    labels = np.array([1]) if classes == 2 else np.arange(classes)
    signs = np.where(codes[index][:, None] == labels[None, :, None], 1.0, -1.0)
    mask = torch_like(filled, rows)
    # Padding is a row of zeros, which weighs nothing anywhere.
    padded = rows[torch.from_numpy(index).to(rows.device)] * mask.mT
    space = solver.DualRidge(padded)
    cost = rows.new_full((len(samples), len(labels)), problem.DEFAULT_C)
    problems = solver.Problems("squared_hinge", torch_like(signs, rows), cost, mask)
    size = padded.square().sum((1, 2)) / mask.sum((1, 2))
    state = solver.start(problems, size)
    for _ in range(search.REFIT_ROUNDS):
        solver.advance(space, problems, state, search.ROUND)
        if not bool((state.gap > search.REFIT_GAP).any()):
            break
    assert state.weights is not None
    return space.explicit(state.weights), state.gap
