"""The protocol's probes with scikit-learn's own answers, without its overhead: ``--probe exact``.

What :mod:`reference` fits through scikit-learn is fitted here by the same steps in machine code
(:mod:`liblinear`, :mod:`newton`): the same choice of C, predictions and counts, converged or not.
Folds, classes and values of C are fitted in threads that share one copy of the vectors.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import chain, compress, pairwise, product
from operator import not_
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

from scirepeval_harness.probes import liblinear, newton, reference
from scirepeval_harness.probes.descent import Answer, Branch, Problem, TrainingVectors
from scirepeval_harness.probes.fit import Done, ProbeJob, nobody, taken
from scirepeval_harness.probes.liblinear import Descent, random_state
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
LARGE = 3
"""Values of C, the largest, whose last fold of a regression waits for the scores of all others:
they take longest and fit noise."""
ROUNDING = 1e-9
"""What a mean of scores is off by, at most."""
WIDENED = 2**27
"""Numbers of test vectors up to which a widened copy, a GB at most, is kept for many samples."""


@dataclass(frozen=True)
class Solved:
    """One fit: what the solver ended with, and how.

    Attributes:
        weights: a line for each class (k, d + 1), one for two classes; of the dual perhaps none
            (k, 0) where rows were held out.
        held_out: decision values of the held-out rows (k, rows).
        missed: whether it stopped at the iteration limit.
    """

    weights: Wide
    held_out: Wide
    missed: bool


NO_ROWS: Index = np.empty(0, dtype=np.int64)


def _regression(data: TrainingVectors, y: Wide, seed: int, fold: Fold) -> Problem:
    rows, held_out = fold
    targets = y[rows]

    def steps(
        table: Floats, way: int, sizes: Wide, cost: float, least: float, at: Descent, kept: Descent
    ) -> int:
        return liblinear.absolute_error(
            table, way, sizes, rows, targets, cost, least, TOLERANCE, ITERATIONS, at, kept
        )

    return Problem(data, rows, held_out, random_state(seed), steps)


def _separation(
    data: TrainingVectors, rows: Index, held_out: Index, signs: Wide, random: Index,
    softness: float = 0.0,
) -> Problem:  # fmt: skip
    """The dual for the hinge; for its square at one C where there is a softness."""
    limit = ITERATIONS if softness else HINGE_ITERATIONS

    def steps(
        table: Floats, way: int, sizes: Wide, cost: float, least: float, at: Descent, kept: Descent
    ) -> int:
        return liblinear.hinge(
            table, way, sizes, rows, signs, softness, np.inf if softness else cost, least,
            TOLERANCE, limit, at, kept,
        )  # fmt: skip

    return Problem(data, rows, held_out, random, steps, softness, signs)


def _separate(
    data: TrainingVectors, codes: Index, seed: int, squared: bool, fold: Fold, cost: float
) -> Solved:
    """The dual for the hinge or its square, one class after the other, as liblinear goes on with
    the same random numbers."""
    rows, held_out = _by_class(codes, fold[0]), fold[1]
    random = random_state(seed)
    found = []
    for signs in _signs(codes[rows]):
        softness = 0.5 / cost if squared else 0.0
        problem = _separation(data, rows, held_out, signs, random, softness)
        found.append(_alone(problem, cost))
        random = found[-1].random
    limit = ITERATIONS if squared else HINGE_ITERATIONS
    return Solved(
        np.array([one.weights for one in found]),
        np.array([one.held_out for one in found]),
        max(one.passes for one in found) >= limit,
    )


def _alone(problem: Problem, cost: float) -> Answer:
    [(_, answer)] = problem.begin([cost]).finish(lambda parted: None)
    return answer


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


@contextmanager
def _pool(threads: int) -> Iterator[ThreadPoolExecutor]:
    """Threads each of which makes its matrix products alone: with as many again for each product,
    they wait for one another, several times as long where the machine has other work."""
    with threadpool_limits(1, user_api="blas"), ThreadPoolExecutor(threads) as pool:
        try:
            yield pool
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise


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
        with _pool(min(self.threads, len(items))) as pool:
            return list(pool.map(told, items))

    def descend(
        self, problems: Sequence[tuple[Item, Problem, Sequence[float]]]
    ) -> Iterator[tuple[Item, float, Answer]]:
        """Solves problems, each known by something, for values of C: the answers in any order."""
        stems = [(item, problem.begin(costs)) for item, problem, costs in problems if costs]

        def finish(
            stem: tuple[Item, Branch], hand: Callable[[tuple[Item, Branch]], None]
        ) -> list[tuple[Item, float, Answer]]:
            item, branch = stem
            found = branch.finish(lambda parted: hand((item, parted)))
            self._done(len(found))
            return [(item, cost, answer) for cost, answer in found]

        if self.threads == 1:
            while stems:
                yield from finish(stems.pop(), stems.append)
            return
        futures: list[Future[list[tuple[Item, float, Answer]]]] = []
        with _pool(self.threads) as pool:

            def hand(stem: tuple[Item, Branch]) -> None:
                futures.append(pool.submit(finish, stem, hand))

            for stem in stems:
                hand(stem)
            # The list grows meanwhile: what parts is handed over before its stem has ended.
            for future in futures:
                yield from future.result()


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
        problems = []
        for k in real:
            for number, (rows, held_out) in enumerate(_stratified(truth[k])):
                if len(np.unique(truth[k][rows])) == 2:
                    rows = _by_class(truth[k], rows)
                    [signs] = _signs(truth[k][rows])
                    problem = _separation(data, rows, held_out, signs, random_state(seed))
                    problems.append(((k, number), problem, CLASSIFIER_GRID))
        scores = {k: np.full((len(CLASSIFIER_GRID), FOLDS), np.nan) for k in real}
        held_out_truth = {known: truth[known[0]][one.held_out] for known, one, _ in problems}
        for (k, number), cost, answer in each.descend(problems):
            right = (answer.held_out > 0) == held_out_truth[k, number]
            scores[k][CLASSIFIER_GRID.index(cost), number] = float(right.mean())
            missed += answer.passes >= HINGE_ITERATIONS
        for k in real:
            chosen[k] = costs[k] = CLASSIFIER_GRID[_best(scores[k])]
        fits += len(problems) * len(CLASSIFIER_GRID)
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

    R squared is 1 at most, and far below 0 where C fits noise: a C that could not win were its last
    fold predicted without error is left out there. The counts are of the fits that were made.

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
    whole = _regression(data, truth, seed, (np.arange(len(truth)), NO_ROWS))
    fits, missed, c = 1, 0, DEFAULT_C
    refits: dict[float, Answer] = {}
    if grid:
        check_folds("regression", y_train)
        folds = list(KFold(FOLDS).split(truth))
        scores = np.full((len(REGRESSOR_GRID), FOLDS), np.nan)

        def search(parts: Sequence[tuple[int, Sequence[float]]], refit: Sequence[float]) -> int:
            """Scores values of C on folds, and fits some on all rows; how many of the first missed
            their stopping rule."""
            problems = [(k, _regression(data, truth, seed, folds[k]), own) for k, own in parts]
            late = 0
            for k, cost, answer in each.descend([*problems, (FOLDS, whole, refit)]):
                if k == FOLDS:
                    refits[cost] = answer
                    continue
                score = r2_score(truth[folds[k][1]], answer.held_out)
                scores[REGRESSOR_GRID.index(cost), k] = score
                late += answer.passes >= ITERATIONS
            return late

        last, large = FOLDS - 1, REGRESSOR_GRID[-LARGE:]
        with warnings.catch_warnings():
            # Of a single held-out row R squared is undefined, as in scikit-learn's own search.
            warnings.simplefilter("ignore")
            every = [(k, REGRESSOR_GRID) for k in range(last)]
            missed += search([*every, (last, REGRESSOR_GRID[:-LARGE])], [])
            left = [cost for cost, may in zip(large, can_win(scores)[-LARGE:], strict=True) if may]
            # Most likely the one that is chosen: no thread waits for the others.
            leader = REGRESSOR_GRID[_best(scores[:, :last])]
            missed += search([(last, left)], [leader])
        c = REGRESSOR_GRID[_best(scores)]
        done(LARGE - len(left))
        fits += len(folds) * len(REGRESSOR_GRID) - (LARGE - len(left))
    answer = refits.get(c) or _alone(whole, c)
    found = _decisions(x_test, answer.weights[None])[0]
    return ProbeFit(found, c if grid else None, fits, missed + (answer.passes >= ITERATIONS))


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
    with _pool(aside) as pool:
        yield from pool.map(one, job.samples)


def compile_all(kind: type[np.floating[Any]]) -> None:
    """Compiles the solvers, or loads them from the user's cache folder: seconds the first time.

    Raises:
        numba.core.errors.NumbaError: they cannot be compiled here.
    """
    for x in (np.eye(4, 2, dtype=kind), np.eye(4, 8, dtype=kind)):
        y = np.array([0, 1, 0, 1])
        data, fold = TrainingVectors.of(x), (np.arange(4), NO_ROWS)
        _alone(_regression(data, y.astype(np.float64), 0, fold), 1.0)
        _separate(data, y, 0, False, fold, 1.0)
        _separate_tall(data, y, [fold], [1.0], Each(1))


def can_win(scores: Wide) -> NDArray[np.bool_]:
    """Which values of C may still have the best mean over the folds, where no score is above 1 and
    those that are not known are NaN (values, folds)."""
    unknown = np.isnan(scores)
    highest = np.where(unknown, 1.0, scores).mean(axis=1)
    known = scores[~unknown.any(axis=1)].mean(axis=1)
    return np.asarray(highest >= known.max(initial=-np.inf) - ROUNDING)


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
