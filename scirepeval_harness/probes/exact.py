"""The protocol's probes with scikit-learn's own answers, without its overhead: ``--probe exact``.

What :mod:`reference` fits through scikit-learn is fitted here by the same steps in machine code
(:mod:`liblinear`, :mod:`newton`): the same choice of C, predictions and counts, converged or not.
Folds, classes and values of C are fitted in threads that share one copy of the vectors.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from itertools import chain, compress, pairwise, product
from operator import not_
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from scirepeval_harness.probes import liblinear, newton, reference
from scirepeval_harness.probes.fit import Done, ProbeJob, nobody, taken
from scirepeval_harness.probes.liblinear import TrainingVectors
from scirepeval_harness.probes.problem import (
    CLASSIFIER_GRID,
    DEFAULT_C,
    FOLDS,
    HINGE_ITERATIONS,
    REGRESSOR_GRID,
    ProbeFit,
    check_classes,
    check_folds,
    check_rows,
)

Floats = NDArray[np.floating[Any]]
Wide = NDArray[np.float64]
Index = NDArray[np.int64]
Labels = NDArray[np.generic]
Fold = tuple[Index, Index]
Item = TypeVar("Item")
Result = TypeVar("Result")

ITERATIONS, TOLERANCE = 1_000, 1e-4
"""scikit-learn's defaults, for squared hinge and absolute error."""
BLOCK_ROWS = 8_192
"""Test rows that are widened to float64 at a time."""
COPIED = 2**28
"""Bytes of training vectors up to which all folds are at work together."""
GROUPS = 4
"""Parts a thread that a search in the primal has at least, so that the threads end together."""
TOGETHER, CACHED = 10, 2**26
"""Problems that go through the rows together, of several classes from so many bytes of vectors."""
WIDENED = 2**27
"""Numbers of test vectors up to which a widened copy, a GB at most, is kept for many samples."""


@dataclass(frozen=True)
class Solved:
    """One fit: what the solver ended with, and how.

    Attributes:
        weights: a line for each class (k, d + 1), one for two classes; of the dual none (k, 0)
            where rows were held out.
        held_out: decision values of the held-out rows (k, rows).
        missed: whether it stopped at the iteration limit.
    """

    weights: Wide
    held_out: Wide
    missed: bool


NO_ROWS: Index = np.empty(0, dtype=np.int64)


def _regress(data: TrainingVectors, y: Wide, seed: int, fold: Fold, cost: float) -> Solved:
    rows, held_out = fold

    def steps(table: Floats, way: int, sizes: Wide, point: Wide, factors: Wide) -> int:
        return liblinear.absolute_error(
            table, way, sizes, rows, y[rows], cost, TOLERANCE, ITERATIONS,
            liblinear.random_state(seed), point, factors,
        )  # fmt: skip

    weights, decisions, done = data.solved(steps, rows, held_out)
    return Solved(weights[None], decisions[None], done >= ITERATIONS)


def _separate(
    data: TrainingVectors, codes: Index, seed: int, squared: bool, fold: Fold, cost: float
) -> Solved:
    """The dual for the hinge or its square, one class after the other, as liblinear goes on with
    the same random numbers."""
    rows, held_out = fold
    rows = _by_class(codes, rows)
    limit = ITERATIONS if squared else HINGE_ITERATIONS
    softness, bound = (0.5 / cost, np.inf) if squared else (0.0, cost)
    random = liblinear.random_state(seed)
    weights, decisions, longest = [], [], 0
    for signs in _signs(codes[rows]):
        start = random.copy()

        def steps(
            table: Floats, way: int, sizes: Wide, point: Wide, factors: Wide,
            signs: Wide = signs, start: Index = start,
        ) -> int:  # fmt: skip
            random[:] = start
            return liblinear.hinge(
                table, way, sizes, rows, signs, softness, bound, TOLERANCE, limit,
                random, point, factors,
            )  # fmt: skip

        found, values, done = data.solved(steps, rows, held_out, softness, signs)
        weights.append(found)
        decisions.append(values)
        longest = max(longest, done)
    return Solved(np.array(weights), np.array(decisions), longest >= limit)


def _separate_tall(
    data: TrainingVectors, codes: Index, folds: Sequence[Fold], costs: Sequence[float], each: Each
) -> list[list[Solved]]:
    """The primal for the squared hinge: for each fold, one fit for each C."""
    ordered = [_by_class(codes, rows) for rows, _ in folds]
    turned = [newton.Turned.of(data.x, data.sizes, rows) for rows in ordered]
    signs = [np.array(_signs(codes[rows])) for rows in ordered]
    # Problems that go together read the vectors together; threads must have enough to do.
    least = GROUPS * each.threads
    groups = _parts(costs[::-1], -(-least // sum(map(len, signs))))
    size = TOGETHER // len(groups[0]) if turned[0].panels.nbytes > CACHED else 1
    # Those that take longest come first, so that the threads end together.
    tasks = [
        (group, fold, classes)
        for group in groups
        for fold in range(len(folds))
        for classes in _parts(range(len(signs[fold])), max(least, -(-len(signs[fold]) // size)))
    ]
    solved = each(
        lambda task: newton.squared_hinge(
            turned[task[1]], signs[task[1]][task[2][0] : task[2][-1] + 1], task[0],
            tolerance=TOLERANCE, limit=ITERATIONS,
        ),
        tasks,
        len(folds) * len(costs) / len(tasks),
    )  # fmt: skip
    found = {
        (cost, fold, of_class): one
        for (group, fold, classes), parts in zip(tasks, solved, strict=True)
        for of_class, ones in zip(classes, parts, strict=True)
        for cost, one in zip(group, ones, strict=True)
    }
    fits: list[list[Solved]] = []
    for number, (_, held_out) in enumerate(folds):
        x_held_out = data.x[held_out]
        fits.append([])
        for cost in costs:
            parts = [found[cost, number, of_class] for of_class in range(len(signs[number]))]
            weights = np.array([weights for weights, _ in parts])
            missed = max(taken for _, taken in parts) >= ITERATIONS
            fits[-1].append(Solved(weights, _decisions(x_held_out, weights), missed))
    return fits


def _parts(items: Sequence[Item], number: int) -> list[Sequence[Item]]:
    """Neighbours, in so many parts of about one length, or as many as there are items."""
    number = min(number, len(items))
    ends = [len(items) * k // number for k in range(number + 1)]
    return [items[low:high] for low, high in pairwise(ends)]


def _by_class(codes: Index, rows: Index) -> Index:
    """Rows class by class, as liblinear sorts them."""
    return rows[np.argsort(codes[rows], kind="stable")]


def _signs(codes: Index) -> list[Wide]:
    """1 for the rows of a class, else -1; two classes are one problem, for the larger label."""
    labels = np.unique(codes)
    wanted = labels[1:] if len(labels) == 2 else labels
    return [np.where(codes == label, 1.0, -1.0) for label in wanted]


def _decide(x: Floats, weights: Wide) -> Wide:
    """Decision values (k, rows) by the product that scikit-learn makes."""
    columns = np.asfortranarray(weights)
    return np.ascontiguousarray((x @ columns[:, :-1].T + columns[:, -1]).T)


def _decisions(x_test: Floats, weights: Wide) -> Wide:
    # Not at once: widened, they would take twice as much memory again.
    starts = range(0, max(len(x_test), 1), BLOCK_ROWS)
    parts = [_decide(x_test[low : low + BLOCK_ROWS], weights) for low in starts]
    return np.concatenate(parts, axis=1)


def _labels(decisions: Wide, labels: Labels) -> Labels:
    """Predicted labels from decision values (k, rows)."""
    found = decisions.argmax(0) if len(decisions) > 1 else (decisions[0] > 0).astype(np.int64)
    return np.asarray(labels[found])


class Each:
    """Calls a function on items, in threads if there are several; results in order.

    Args:
        done: told of each item when it is done, by which part of a fit it is.
    """

    def __init__(self, threads: int, done: Done = nobody) -> None:
        self.threads, self._done = threads, done

    def __call__(
        self, function: Callable[[Item], Result], items: Sequence[Item], part: float = 1.0
    ) -> list[Result]:
        def told(item: Item) -> Result:
            result = function(item)
            self._done(part)
            return result

        if self.threads == 1 or len(items) < 2:
            return [told(item) for item in items]
        with ThreadPoolExecutor(min(self.threads, len(items))) as pool:
            return list(pool.map(told, items))


def fit_classifier(
    x_train: Floats,
    y_train: Labels,
    x_test: Floats,
    *,
    grid: bool,
    seed: int,
    threads: int = 1,
    done: Done = nobody,
) -> ProbeFit:
    """Linear SVM with squared hinge on single labels; as :func:`reference.fit`.

    Args:
        threads: fits at a time, which moves no bit of the result.
        done: told of each fit, or part of one, when it is done; perhaps from other threads.
        others: as in the reference.

    Raises:
        ProbeError: shapes that do not match, one class only, too few rows for the folds.
    """
    check_rows("single", x_train, y_train, x_test)
    check_classes(y_train)
    labels, codes = np.unique(y_train, return_inverse=True)
    data, each = TrainingVectors.of(x_train), Each(threads, done)

    def fit(folds: Sequence[Fold], costs: Sequence[float]) -> list[list[Solved]]:
        # scikit-learn decides for each fit by the shape of its training rows.
        tall = [len(rows) >= x_train.shape[1] for rows, _ in folds]
        tasks = list(product(compress(folds, map(not_, tall)), reversed(costs)))
        dual = each(lambda task: _separate(data, codes, seed, True, *task), tasks)
        primal = list(compress(folds, tall))
        # Each fold at work has a copy of its rows.
        step = FOLDS if data.x.nbytes <= COPIED else 1
        quick = iter([dual[k : k + len(costs)][::-1] for k in range(0, len(dual), len(costs))])
        slow = chain.from_iterable(
            _separate_tall(data, codes, primal[k : k + step], costs, each)
            for k in range(0, len(primal), step)
        )
        return [next(slow if of_fold else quick) for of_fold in tall]

    fits, missed, c = 1, 0, DEFAULT_C
    if grid:
        check_folds("single", y_train)
        scores = np.full((len(CLASSIFIER_GRID), FOLDS), np.nan)
        folds = _stratified(codes)
        usable = [k for k, (rows, _) in enumerate(folds) if len(np.unique(codes[rows])) > 1]
        solved = fit([folds[k] for k in usable], CLASSIFIER_GRID)
        for k, of_fold in zip(usable, solved, strict=True):
            rows, held_out = folds[k]
            present = np.unique(codes[rows])
            for i, one in enumerate(of_fold):
                scores[i, k] = (_labels(one.held_out, present) == codes[held_out]).mean()
                missed += one.missed
        c = CLASSIFIER_GRID[_best(scores)]
        fits += len(usable) * len(CLASSIFIER_GRID)
    [[last]] = fit([(np.arange(len(codes)), NO_ROWS)], [c])
    found = _labels(_decisions(x_test, last.weights), labels)
    return ProbeFit(found, c if grid else None, fits, missed + last.missed)


def fit_multilabel(
    x_train: Floats,
    y_train: Labels,
    x_test: Floats,
    *,
    grid: bool,
    seed: int,
    threads: int = 1,
    done: Done = nobody,
) -> ProbeFit:
    """One-vs-rest linear SVMs with hinge loss, each class with its own C.

    Args:
        others: as in :func:`fit_classifier` and :func:`reference.fit`.

    Raises:
        ProbeError: shapes that do not match, or too few rows for the folds.
    """
    check_rows("multi", x_train, y_train, x_test)
    if y_train.shape[1] == 1:
        # A single column is no multi-label problem to scikit-learn, and has its own rules.
        return reference.fit("multi", x_train, y_train, x_test, grid=grid, seed=seed)
    if grid:
        check_folds("multi", y_train)
    truth = np.ascontiguousarray((np.asarray(y_train) != 0).T.astype(np.int64))
    real = [k for k, column in enumerate(truth) if column.min() != column.max()]
    predictions = np.repeat(truth[:, :1].T, len(x_test), axis=0)
    chosen: list[float | None] = [None] * len(truth)
    data, each = TrainingVectors.of(x_train), Each(threads, done)
    costs, fits, missed = dict.fromkeys(real, DEFAULT_C), len(real), 0
    if grid:
        tasks = []
        for k in real:
            for number, fold in enumerate(_stratified(truth[k])):
                if len(np.unique(truth[k][fold[0]])) == 2:
                    tasks += [(k, number, fold, i) for i in range(len(CLASSIFIER_GRID))]
        tasks.sort(key=lambda task: -task[3])

        def scored(task: tuple[int, int, Fold, int]) -> tuple[float, bool]:
            k, _, fold, i = task
            one = _separate(data, truth[k], seed, False, fold, CLASSIFIER_GRID[i])
            right = (one.held_out[0] > 0) == truth[k][fold[1]]
            return float(right.mean()), one.missed

        scores = {k: np.full((len(CLASSIFIER_GRID), FOLDS), np.nan) for k in real}
        for (k, number, _, i), (score, late) in zip(tasks, each(scored, tasks), strict=True):
            scores[k][i, number] = score
            missed += late
        for k in real:
            chosen[k] = costs[k] = CLASSIFIER_GRID[_best(scores[k])]
        fits += len(tasks)
    every = (np.arange(len(x_train)), NO_ROWS)
    last = each(lambda k: _separate(data, truth[k], seed, False, every, costs[k]), real)
    if real:
        weights = np.concatenate([one.weights for one in last])
        predictions[:, real] = _decisions(x_test, weights).T > 0
    missed += sum(one.missed for one in last)
    return ProbeFit(predictions, tuple(chosen) if grid else None, fits, missed)


def fit_regressor(
    x_train: Floats,
    y_train: Labels,
    x_test: Floats,
    *,
    grid: bool,
    seed: int,
    threads: int = 1,
    done: Done = nobody,
) -> ProbeFit:
    """Linear support vector regression (epsilon = 0); the grid is searched on R squared.

    Args:
        others: as in :func:`fit_classifier` and :func:`reference.fit`.

    Raises:
        ProbeError: shapes that do not match, or fewer rows than folds.
    """
    from sklearn.metrics import r2_score
    from sklearn.model_selection import KFold

    check_rows("regression", x_train, y_train, x_test)
    data, each = TrainingVectors.of(x_train), Each(threads, done)
    truth = np.asarray(y_train, dtype=np.float64)
    solve = partial(_regress, data, truth, seed)
    fits, missed, c = 1, 0, DEFAULT_C
    if grid:
        check_folds("regression", y_train)
        folds = list(KFold(FOLDS).split(truth))
        tasks = list(product(reversed(range(len(REGRESSOR_GRID))), range(FOLDS)))
        solved = each(lambda task: solve(folds[task[1]], REGRESSOR_GRID[task[0]]), tasks)
        scores = np.empty((len(REGRESSOR_GRID), FOLDS))
        with warnings.catch_warnings():
            # Of a single held-out row R squared is undefined, as in scikit-learn's own search.
            warnings.simplefilter("ignore")
            for (i, number), one in zip(tasks, solved, strict=True):
                scores[i, number] = r2_score(truth[folds[number][1]], one.held_out[0])
                missed += one.missed
        c = REGRESSOR_GRID[_best(scores)]
        fits += len(tasks)
    last = solve((np.arange(len(truth)), NO_ROWS), c)
    found = _decisions(x_test, last.weights)[0]
    return ProbeFit(found, c if grid else None, fits, missed + last.missed)


def fit_samples(job: ProbeJob, threads: int) -> Iterator[ProbeFit]:
    """One fit for each set of training rows, in order; many samples are fitted side by side.

    Args:
        threads: fits at a time, which moves no bit of the result.

    Raises:
        ProbeError: rows on which the probe cannot be fitted.
    """
    fits = {"single": fit_classifier, "multi": fit_multilabel, "regression": fit_regressor}
    compile_all(np.float32 if job.x_train.dtype == np.float32 else np.float64)
    aside = threads if len(job.samples) >= threads else 1
    x_test: Floats = job.x_test
    if len(job.samples) > 1 and x_test.size <= WIDENED:
        # Every fit would widen them anew.
        x_test = x_test.astype(np.float64)

    def one(rows: Index) -> ProbeFit:
        return fits[job.kind](
            taken(job.x_train, rows), job.y_train[rows], x_test,
            grid=job.grid, seed=job.seed, threads=max(1, threads // aside), done=job.done,
        )  # fmt: skip

    if aside == 1:
        yield from map(one, job.samples)
        return
    with ThreadPoolExecutor(aside) as pool:
        yield from pool.map(one, job.samples)


def compile_all(kind: type[np.floating[Any]]) -> None:
    """Compiles the solvers, or loads them from the user's cache folder: seconds the first time.

    Raises:
        numba.core.errors.NumbaError: they cannot be compiled here.
    """
    for x in (np.eye(4, 2, dtype=kind), np.eye(4, 8, dtype=kind)):
        y = np.array([0, 1, 0, 1])
        data, fold = TrainingVectors.of(x), (np.arange(4), NO_ROWS)
        _regress(data, y.astype(np.float64), 0, fold, 1.0)
        _separate(data, y, 0, False, fold, 1.0)
        _separate_tall(data, y, [fold], [1.0], Each(1))


def _best(scores: Wide) -> int:
    """Place of the best mean over the folds (values, folds), the first on a tie; a mean that is
    undefined is the worst, and where all are, the first is taken."""
    means = np.average(scores, axis=1)
    return 0 if np.isnan(means).all() else int(np.nanargmax(means))


def _stratified(codes: Index) -> list[Fold]:
    from sklearn.model_selection import StratifiedKFold

    with warnings.catch_warnings():
        # A class with fewer rows than folds is legal: it is missing from some folds.
        warnings.simplefilter("ignore", UserWarning)
        return list(StratifiedKFold(FOLDS).split(np.zeros(len(codes)), codes))
