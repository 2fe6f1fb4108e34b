"""Plain, slow versions of what the probes do. Nothing here is shared with the harness."""

from __future__ import annotations

import math
import warnings

import numpy as np
from sklearn.svm import LinearSVC, LinearSVR

CLASSIFIER_CS = [0.01, 0.1, 1.0, 10.0, 100.0]
REGRESSOR_CS = [0.0001, 0.001, 0.01, 0.1, 1.0, 10.0, 100.0]


def f1_of(truth, prediction, label):
    tp = fp = fn = 0
    for t, p in zip(truth, prediction, strict=True):
        if p == label and t == label:
            tp += 1
        elif p == label:
            fp += 1
        elif t == label:
            fn += 1
    if tp == 0:
        return 0.0
    precision, recall = tp / (tp + fp), tp / (tp + fn)
    return 2 * precision * recall / (precision + recall)


def f1_macro_of(truth, prediction):
    labels = sorted(set(truth) | set(prediction))
    return sum(f1_of(truth, prediction, label) for label in labels) / len(labels)


def f1_macro_of_matrix(truth, prediction):
    columns = range(len(truth[0]))
    total = 0.0
    for k in columns:
        total += f1_of([row[k] for row in truth], [row[k] for row in prediction], 1)
    return total / len(columns)


def tau_b_of(x, y):
    concordant = discordant = tied_x = tied_y = 0
    for i in range(len(x)):
        for j in range(i):
            a, b = x[i] - x[j], y[i] - y[j]
            if a == 0 and b == 0:
                continue
            if a == 0:
                tied_x += 1
            elif b == 0:
                tied_y += 1
            elif (a > 0) == (b > 0):
                concordant += 1
            else:
                discordant += 1
    both = concordant + discordant
    return (concordant - discordant) / math.sqrt((both + tied_x) * (both + tied_y))


def stratified_folds(labels, count):
    """Test rows of each fold, as scikit-learn cuts them without shuffling.

    The sorted labels are dealt out to the folds in turn, which fixes how many rows of a class a
    fold gets; then each class's rows go to the folds in order of appearance.
    """
    order = []
    for label in labels:
        if label not in order:
            order.append(label)
    codes = [order.index(label) for label in labels]
    dealt = sorted(codes)
    folds = [[] for _ in range(count)]
    for code in range(len(order)):
        rows = [i for i, c in enumerate(codes) if c == code]
        start = 0
        for fold in range(count):
            share = dealt[fold::count].count(code)
            folds[fold] += rows[start : start + share]
            start += share
    return [sorted(fold) for fold in folds]


def plain_folds(n, count):
    sizes = [n // count + (1 if k < n % count else 0) for k in range(count)]
    folds, start = [], 0
    for size in sizes:
        folds.append(list(range(start, start + size)))
        start += size
    return folds


def search(make, values, x, y, folds, score):
    """Best value of C by the mean score over the folds; the first on a tie or when none can fit."""
    best, best_mean = values[0], -math.inf
    for c in values:
        marks = []
        for fold in folds:
            rest = [i for i in range(len(y)) if i not in set(fold)]
            try:
                model = make(c).fit(x[rest], y[rest])
            except ValueError:
                marks.append(math.nan)
                continue
            marks.append(score(y[fold], model.predict(x[fold])))
        mean = sum(marks) / len(marks)
        if mean > best_mean:
            best, best_mean = c, mean
    return best


def share_right(truth, prediction):
    return sum(int(t == p) for t, p in zip(truth, prediction, strict=True)) / len(truth)


def r_squared(truth, prediction):
    mean = sum(truth) / len(truth)
    rest = sum((t - p) ** 2 for t, p in zip(truth, prediction, strict=True))
    return 1 - rest / sum((t - mean) ** 2 for t in truth)


def classifier(x, y, x_test, *, grid, seed=42):
    def make(c):
        return LinearSVC(loss="squared_hinge", C=c, random_state=seed)

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        c = 1.0
        if grid:
            folds = stratified_folds(list(y), 3)
            c = search(make, CLASSIFIER_CS, x, y, folds, share_right)
        return make(c).fit(x, y).predict(x_test), c


def multilabel(x, y, x_test, *, grid=True, seed=42, exact=False):
    """The protocol's; ``exact`` lets liblinear run until it has the minimum, which it leaves off
    long before when told to stop after so many iterations."""
    stop = {"max_iter": 2_000_000, "tol": 1e-7} if exact else {"max_iter": 10_000}

    def make(c):
        return LinearSVC(loss="hinge", C=c, random_state=seed, **stop)

    out, chosen = np.zeros((len(x_test), y.shape[1]), dtype=int), []
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for k in range(y.shape[1]):
            column = y[:, k]
            if len(set(column)) == 1:
                out[:, k] = column[0]
                chosen.append(None)
                continue
            c = 1.0
            if grid:
                folds = stratified_folds(list(column), 3)
                c = search(make, CLASSIFIER_CS, x, column, folds, share_right)
            out[:, k] = make(c).fit(x, column).decision_function(x_test) > 0
            chosen.append(c)
    return out, chosen


def regressor(x, y, x_test, *, grid=True, seed=42, exact=False):
    """As :func:`multilabel`."""
    stop = {"max_iter": 2_000_000, "tol": 1e-7} if exact else {}

    def make(c):
        return LinearSVR(C=c, random_state=seed, **stop)

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        c = 1.0
        if grid:
            c = search(make, REGRESSOR_CS, x, y, plain_folds(len(y), 3), r_squared)
        return make(c).fit(x, y).predict(x_test), c


def positives_drawn(y, size, seed):
    """Rows of one multi-label few-shot draw, in the order of the published code's set."""
    np.random.seed(seed)
    chosen = set()
    for k in range(y.shape[1]):
        rows = [i for i in range(len(y)) if y[i][k] == 1]
        for row in np.random.choice(rows, size, replace=False):
            chosen.add(int(row))
    return list(chosen)
