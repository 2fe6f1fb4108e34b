"""Supervised tasks from raw label rows to scores, in plain loops around scikit-learn's two SVMs."""

from __future__ import annotations

import math

import numpy as np

from tests.probes import oracles


def label_of(text, kind):
    if kind == "regression":
        return float(text)
    if kind == "multi":
        return [int(value) for value in text.strip("[]").split(",")]
    return int(text) if text.lstrip("-").isdigit() else text


def part(rows, vectors, kind):
    """Vectors and labels of a split, row by row; a paper that is labelled twice is there twice."""
    x = [vectors[str(row["paper_id"])] for row in rows]
    y = [label_of(row["label"], kind) for row in rows]
    return np.array(x, dtype=np.float32), np.array(y)


def few_shot_rows(y, kind, size, iterations, seed=42):
    """The training rows of each iteration, in the order in which the probe gets them."""
    if kind == "multi":
        return [oracles.positives_drawn(y, size, seed + k) for k in range(iterations)]
    folds = oracles.stratified_folds(y.tolist(), math.ceil(len(y) / size))
    return folds[:iterations]


def one_score(x, y, x_test, y_test, kind, metric, grid):
    if kind == "regression":
        found, _ = oracles.regressor(x, y, x_test)
        return 100 * oracles.tau_b_of(y_test.tolist(), found.tolist())
    if kind == "multi":
        found, _ = oracles.multilabel(x, y, x_test, grid=grid)
        return 100 * oracles.f1_macro_of_matrix(y_test.tolist(), found.tolist())
    found, _ = oracles.classifier(x, y, x_test, grid=grid)
    if metric == "f1":
        labels = sorted({*y.tolist(), *y_test.tolist()})
        positive = 1 if 1 in labels else labels[1]
        return 100 * oracles.f1_of(y_test.tolist(), found.tolist(), positive)
    return 100 * oracles.f1_macro_of(y_test.tolist(), found.tolist())


def scores(train, test, vectors, kind, metric, shots):
    """{key: score}: all training rows with the grid, then each (sample size, iterations)."""
    x, y = part(train, vectors, kind)
    x_test, y_test = part(test, vectors, kind)
    found = {metric: one_score(x, y, x_test, y_test, kind, metric, True)}
    for size, iterations in shots:
        values = []
        for rows in few_shot_rows(y, kind, size, iterations):
            value = one_score(x[rows], y[rows], x_test, y_test, kind, metric, kind == "multi")
            values.append(round(value, 2))
        found[f"{metric}@{size}-shot"] = sum(values) / len(values)
    return found
