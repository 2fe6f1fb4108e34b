"""The protocol's probes exactly as scikit-learn fits them: ``--probe reference``.

Single label: LinearSVC (squared hinge). Multi-label: one-vs-rest, each class with its own grid
search over LinearSVC (hinge, 10,000 iterations). Regression: LinearSVR. Grids are searched by
3-fold cross validation without shuffling and the best C (the smallest on a tie) is refitted on all
rows. Whether a fit converged is read off its iteration count: scikit-learn warns exactly when it
reaches the limit, and the count survives worker processes where a warning would not.
"""

from __future__ import annotations

import os
import time
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Thread
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from scirepeval_harness.probes import problem

if TYPE_CHECKING:
    from scipy.sparse import csr_matrix

Floats = NDArray[np.floating[Any]]
Labels = NDArray[np.generic]


def fit(
    kind: problem.Kind,
    x_train: Floats | csr_matrix,
    y_train: Labels,
    x_test: Floats | csr_matrix,
    *,
    grid: bool,
    seed: int,
    c: float = problem.DEFAULT_C,
) -> problem.ProbeFit:
    """The protocol's probe of a kind on one set of training rows.

    Args:
        kind: ``single`` is a linear SVM with squared hinge; ``multi`` is one with hinge for each
            class, with a C of its own; ``regression`` is linear support vector regression with
            epsilon = 0.
        x_train, x_test: vectors (rows, dimensions), also in compressed rows.
        y_train: class index (rows,); a 0/1 matrix (rows, classes), where a class without positives,
            or without negatives, gets the constant prediction; or numbers (rows,).
        grid: search C by 3-fold cross validation on accuracy or R squared.
        seed: random state of the solver.
        c: C without a grid.

    Raises:
        ProbeError: shapes that do not match, one class only, too few rows for the folds.
    """
    from sklearn.multiclass import OneVsRestClassifier
    from sklearn.svm import LinearSVC, LinearSVR

    problem.check_rows(kind, x_train, y_train, x_test)
    if kind == "regression":
        svm = LinearSVR(C=c, random_state=seed)
    elif kind == "multi":
        svm = LinearSVC(loss="hinge", C=c, max_iter=problem.HINGE_ITERATIONS, random_state=seed)
    else:
        problem.check_classes(y_train)
        svm = LinearSVC(loss="squared_hinge", C=c, random_state=seed)
    if grid:
        problem.check_folds(kind, y_train)
        svm = _grid(svm, problem.grid_of(kind))
    with _quiet():
        if kind != "multi":
            svm.fit(x_train, y_train)
            return _report(svm, svm.predict(x_test), grid)
        model = OneVsRestClassifier(svm).fit(x_train, y_train)
        predictions = np.asarray(model.predict(x_test)).reshape(x_test.shape[0], -1)
    parts = [
        # A constant class has a constant predictor in place of an SVM.
        _report(part, predictions, grid) if isinstance(part, type(svm)) else None
        for part in model.estimators_
    ]
    chosen = tuple(
        part.chosen_c if part is not None and isinstance(part.chosen_c, float) else None
        for part in parts
    )
    return problem.ProbeFit(
        predictions=predictions,
        chosen_c=chosen if grid else None,
        fits=sum(part.fits for part in parts if part),
        unconverged=sum(part.unconverged for part in parts if part),
    )


def _score(estimator: Any, x: Floats, y: Labels) -> dict[str, float]:
    """The estimator's default score, and whether its fit stopped at the iteration limit."""
    # In the score, because that is all that GridSearchCV brings back from its processes.
    missed = estimator.n_iter_ >= estimator.max_iter
    return {"score": float(estimator.score(x, y)), "unconverged": float(missed)}


def _grid(estimator: Any, values: tuple[float, ...]) -> Any:
    from sklearn.model_selection import GridSearchCV

    # How many fits go on at a time is set around it, by :func:`worker_processes`.
    return GridSearchCV(
        estimator, {"C": list(values)}, cv=problem.FOLDS, scoring=_score, refit="score"
    )


def _report(fitted: Any, predictions: Labels, grid: bool) -> problem.ProbeFit:
    svm = fitted.best_estimator_ if grid else fitted
    missed = int(svm.n_iter_ >= svm.max_iter)
    if not grid:
        return problem.ProbeFit(predictions, None, fits=1, unconverged=missed)
    results = fitted.cv_results_
    splits = np.stack([results[f"split{k}_test_unconverged"] for k in range(problem.FOLDS)])
    # A fold whose training part has a single class cannot be fitted and is NaN here.
    return problem.ProbeFit(
        predictions,
        chosen_c=float(fitted.best_params_["C"]),
        fits=int(np.isfinite(splits).sum()) + 1,
        unconverged=int(np.nansum(splits)) + missed,
    )


@contextmanager
def _quiet() -> Iterator[None]:
    """Silences what the caller is told in numbers: convergence, rare classes, failed folds."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


NUMBERS = 2**20
"""Training vectors of fewer numbers are searched faster than processes start."""
BYTES_A_NUMBER = 24
"""Of a fit in a process of its own: 8 of scikit-learn's copy, 16 of liblinear's."""
BUDGET = 3 * 2**30
"""Bytes that all fits at work may take; the largest tasks of the benchmark fit one by one."""


def processes_for(rows: int, dimensions: int, processors: int) -> int:
    """How many fits of so many training vectors to run at a time."""
    numbers = rows * dimensions
    if numbers < NUMBERS:
        return 1
    return max(1, min(processors, BUDGET // (BYTES_A_NUMBER * numbers)))


@contextmanager
def worker_processes(count: int) -> Iterator[None]:
    """Grid searches inside use so many processes, which end with it.

    Not threads: liblinear draws from one generator a process, so that in threads the fits would
    take each other's draws, and one that stops early would not be the same twice.
    """
    from joblib import parallel_config
    from joblib.externals.loky import reusable_executor

    if count == 1:
        yield
        return
    before = getattr(reusable_executor, "_executor", None)
    try:
        with parallel_config("loky", n_jobs=count, initializer=end_with, initargs=(os.getpid(),)):
            yield
    finally:
        # Not get_reusable_executor(), which starts workers where nothing was to be searched.
        executor = getattr(reusable_executor, "_executor", None)
        if executor is not None and executor is not before:
            executor.shutdown(wait=True)


def end_with(parent: int) -> None:
    """Ends this process soon after its parent, which may be killed.

    joblib's workers would wait for its next word for ever.
    """

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(1.0)
        # Not sys.exit, which would end this thread only.
        os._exit(1)

    Thread(target=watch, daemon=True).start()
