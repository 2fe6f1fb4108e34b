"""The squared hinge in the primal: the trust region Newton method as liblinear does it.

The algorithm, and the library whose order of steps, constants and stopping rules is followed:

    C. Lin, R. Weng, S. Keerthi, "Trust region Newton method for logistic regression", JMLR 9, 2008;
    LIBLINEAR, copyright (c) The LIBLINEAR Project, BSD 3-Clause licence, in the form that
    scikit-learn (BSD 3-Clause as well) carries.

scikit-learn takes it where rows are at least as many as dimensions. Unscaled vectors often bring it
to its limit of 1,000 steps, far from the minimum. The answer is then where it stopped, and
conjugate gradients amplify a rounding error until the step count differs. So the sums are made in
liblinear's order, number by number. A sum over the dimensions of a row cannot be split among the
lanes of a processor then, but the sums of many rows can run side by side, which takes the vectors
turned: a line for each dimension.

What is saved is work that moves no bit. Rows beyond the margin count nowhere; a row that is so far
beyond it that the weights, moving no more than a certain way, cannot bring it back (Cauchy and
Schwarz) need not even be looked at until they have moved that far.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from scirepeval_harness.probes.compiled import axpy, axpy_address, compiled

Floats = NDArray[np.floating[Any]]
Wide = NDArray[np.float64]
Index = NDArray[np.int64]

ACCEPTED, POOR, GOOD = 1e-4, 0.25, 0.75
"""Shares of the foreseen reduction from which a step is taken, and the radius kept, or grown."""
SHRINK_MOST, SHRINK, GROW = 0.25, 0.5, 4.0
"""Bounds of what the radius is multiplied with."""
INNER_TOLERANCE = 0.1
"""Conjugate gradients end when the residual is such a share of the gradient."""
STALLED = 1e-12
"""Changes of the objective, as a share of it, that end the search."""
SIDE_BY_SIDE = 1024
"""Rows whose sums run together; they stay in the first level of cache."""
MOST = 0.6
"""Share of the rows from which all are visited rather than some copied."""
AHEAD = 12.0
"""Lengths of the last step that the rows at hand are to last for."""
SLACK = 1e-9
"""More than rounding, in units of the margin."""


@compiled
def _add_four(
    total: Wide,
    a: float, p: Floats, b: float, q: Floats, c: float, r: Floats, d: float, s: Floats,
) -> None:  # fmt: skip
    """Adds multiples of four lines in this order."""
    # One by one, the processor would spend its time on fetching and storing the total.
    for k in range(len(total)):
        total[k] = (((total[k] + a * p[k]) + b * q[k]) + c * r[k]) + d * s[k]


@compiled
def _add_one(total: Wide, a: float, p: Floats) -> None:
    for k in range(len(total)):
        total[k] += a * p[k]


@compiled
def _values(turned: Floats, weights: Wide, out: Wide) -> None:
    """Decision values of columns of vectors (d, l), each sum in the order of the dimensions."""
    width = len(turned)
    whole = width - width % 4
    for low in range(0, len(out), SIDE_BY_SIDE):
        high = min(low + SIDE_BY_SIDE, len(out))
        sums = out[low:high]
        sums[:] = 0.0
        for j in range(0, whole, 4):
            _add_four(
                sums,
                weights[j], turned[j, low:high], weights[j + 1], turned[j + 1, low:high],
                weights[j + 2], turned[j + 2, low:high], weights[j + 3], turned[j + 3, low:high],
            )  # fmt: skip
        for j in range(whole, width):
            _add_one(sums, weights[j], turned[j, low:high])
        sums += weights[width]


@compiled
def _combination(x: Floats, rows: Index, factors: Wide, start: Wide, out: Wide) -> None:
    """start + 2 sum factor x (d + 1,), row after row."""
    width = x.shape[1]
    whole = len(rows) - len(rows) % 4
    out[:] = 0.0
    total = out[:width]
    for i in range(0, whole, 4):
        _add_four(
            total,
            factors[i], x[rows[i]], factors[i + 1], x[rows[i + 1]],
            factors[i + 2], x[rows[i + 2]], factors[i + 3], x[rows[i + 3]],
        )  # fmt: skip
    for i in range(whole, len(rows)):
        _add_one(total, factors[i], x[rows[i]])
    for factor in factors:
        out[width] += factor
    for j in range(width + 1):
        out[j] = start[j] + 2.0 * out[j]


@compiled
def _picked(turned: Floats, columns: Index) -> Floats:
    """Some columns of a matrix; numpy's take is three times as slow."""
    out = np.empty((len(turned), len(columns)), dtype=turned.dtype)
    for j in range(len(turned)):
        line, into = turned[j], out[j]
        for k in range(len(columns)):
            into[k] = line[columns[k]]
    return out


@compiled
def _reachable(values: Wide, lengths: Wide, reach: float) -> Index:
    """Places of rows that can lie within the margin when the weights move no more than so far."""
    some = np.empty(len(values), dtype=np.int64)
    count = 0
    for k in range(len(values)):
        some[count] = k
        least = values[k] - (1.0 + SLACK) * reach * lengths[k]
        count += least < 1.0 + SLACK * (1.0 + abs(values[k]))
    return some[:count].copy()


@compiled
def _distance(a: Wide, b: Wide) -> float:
    total = 0.0
    for k in range(len(a)):
        total += (a[k] - b[k]) ** 2
    return float(np.sqrt(total))


@compiled
def _loss(signs: Wide, rows: Index, cost: float, weights: Wide, values: Wide) -> float:
    """1/2 |w|^2 + C sum max(0, 1 - t z)^2 over some rows, with z turned into t z in place."""
    total = 0.0
    for weight in weights:
        total += weight * weight
    total /= 2.0
    for k in range(len(rows)):
        values[k] = signs[rows[k]] * values[k]
        gap = 1.0 - values[k]
        if gap > 0:
            total += cost * gap * gap
    return total


@dataclass(frozen=True)
class Turned:
    """Training rows of a fold, for all its classes and values of C.

    Attributes:
        x: all vectors (n, d).
        rows: places of the training rows, class by class as liblinear sorts them (l,).
        lengths: |x| of the training vectors with the 1 of the intercept (l,).
        lines: the training vectors turned (d, l).
    """

    x: Floats
    rows: Index
    lengths: Wide
    lines: Floats

    @staticmethod
    def of(x: Floats, sizes: Wide, rows: Index) -> Turned:
        """Copies the training rows once; ``sizes`` is |x|^2 with the 1 (n,)."""
        return Turned(x, rows, np.sqrt(sizes[rows]), np.ascontiguousarray(x[rows].T))


class _Problem:
    """One class against the rest: the objective and its derivatives."""

    def __init__(self, turned: Turned, signs: Wide, cost: float) -> None:
        self._turned, self._signs, self._cost = turned, signs, cost
        self._every = np.arange(len(signs))
        # The rows at hand are all that can lie within the margin while the weights are in reach.
        self._near, self._lines = self._every, turned.lines
        self._anchor, self._reach = np.zeros(turned.x.shape[1] + 1), -1.0
        self._values = np.empty(len(signs))

    def loss(self, weights: Wide, step: float) -> float:
        """Objective at a place that lies a step of that length from the last."""
        if self._reach >= 0 and _distance(weights, self._anchor) <= self._reach:
            return self._loss(weights)
        self._near, self._lines, self._reach = self._every, self._turned.lines, -1.0
        found = self._loss(weights)
        near = _reachable(self._values, self._turned.lengths, AHEAD * step)
        if len(near) < MOST * len(self._every):
            self._near, self._lines = near, _picked(self._lines, near)
            self._values[: len(near)] = self._values[near]
            self._anchor, self._reach = weights, AHEAD * step
        return found

    def _loss(self, weights: Wide) -> float:
        _values(self._lines, weights, self._values[: len(self._near)])
        return _loss(self._signs, self._near, self._cost, weights, self._values)

    def gradient(self, weights: Wide) -> Wide:
        """Of the last loss; from here on the curvature is that of the same place."""
        values = self._values[: len(self._near)]
        self._inside = np.flatnonzero(values < 1.0)
        values = values[self._inside]
        places = self._near[self._inside]
        self._rows = self._turned.rows[places]
        # Conjugate gradients visit these rows several times; a copy of most rows is not worth it.
        self._bending = self._lines
        if len(places) < MOST * len(self._near):
            self._bending = _picked(self._lines, self._inside)
            self._inside = self._every[: len(places)]
        factors = self._cost * self._signs[places] * (values - 1.0)
        gradient = np.empty_like(weights)
        _combination(self._turned.x, self._rows, factors, weights, gradient)
        return gradient

    def step(self, gradient: Wide, radius: float) -> tuple[Wide, Wide]:
        """Minimises the quadratic model within the radius; the step, and what is left of the
        gradient there, negated."""
        step, rest = np.zeros_like(gradient), -gradient
        _conjugate(
            axpy_address(), self._turned.x, self._rows, self._bending, self._inside, self._cost,
            radius, step, rest,
        )  # fmt: skip
        return step, rest


def squared_hinge(
    turned: Turned, signs: Wide, cost: float, *, tolerance: float, limit: int
) -> tuple[Wide, int]:
    """Fits one class against the rest.

    Args:
        signs: 1 or -1 for each training row (l,).
        cost: C.
        tolerance: scikit-learn's; the gradient must fall to that times the share of the rarer side.
        limit: stops after so many steps.

    Returns:
        Weights, the intercept last (d + 1,), and steps taken: ``limit`` if the tolerance was
        missed.
    """
    # The same library as scikit-learn's, so that these sums come out the same as well.
    from scipy.linalg.blas import daxpy, ddot, dnrm2

    positives = int((signs > 0).sum())
    share = tolerance * max(min(positives, len(signs) - positives), 1) / len(signs)
    problem = _Problem(turned, signs, cost)
    weights = np.zeros(turned.x.shape[1] + 1)
    value = problem.loss(weights, np.inf)
    gradient = problem.gradient(weights)
    first = radius = float(dnrm2(gradient))
    if first <= share * first:
        return weights, 0
    taken = 0
    while taken < limit:
        step, rest = problem.step(gradient, radius)
        moved = daxpy(step, weights.copy(), a=1.0)
        slope = ddot(gradient, step)
        foreseen = -0.5 * (slope - ddot(step, rest))
        length = dnrm2(step)
        new = problem.loss(moved, length)
        gained = value - new
        if taken == 0:
            radius = min(radius, length)
        over = new - value - slope
        factor = GROW if over <= 0 else max(SHRINK_MOST, -0.5 * (slope / over))
        if gained < ACCEPTED * foreseen:
            radius = min(max(factor, SHRINK_MOST) * length, SHRINK * radius)
        elif gained < POOR * foreseen:
            radius = max(SHRINK_MOST * radius, min(factor * length, SHRINK * radius))
        elif gained < GOOD * foreseen:
            radius = max(SHRINK_MOST * radius, min(factor * length, GROW * radius))
        else:
            radius = max(radius, min(factor * length, GROW * radius))
        if gained > ACCEPTED * foreseen:
            taken += 1
            weights, value = moved, new
            gradient = problem.gradient(weights)
            if dnrm2(gradient) <= share * first:
                break
        # A step that was refused leaves the derivatives as they are.
        if abs(gained) <= 0 and foreseen <= 0:
            break
        if abs(gained) <= STALLED * abs(value) and abs(foreseen) <= STALLED * abs(value):
            break
    return weights, taken


@compiled
def _conjugate(
    axpy_at: int, x: Floats, rows: Index, lines: Floats, inside: Index, cost: float,
    radius: float, step: Wide, rest: Wide,
) -> None:  # fmt: skip
    """Conjugate gradients from a step of zero.

    Args:
        rows: places of the rows within the margin (l,).
        lines: vectors turned, these rows among them (d, m); ``inside`` says where (l,).
        rest: the negative gradient at first, what is left of it at last.
    """
    along, bent = rest.copy(), np.empty(len(rest))
    found, factors = np.empty(lines.shape[1]), np.empty(len(rows))
    enough = INNER_TOLERANCE * np.linalg.norm(rest)
    size = np.dot(rest, rest)
    while np.linalg.norm(rest) > enough:
        _values(lines, along, found)
        for k in range(len(rows)):
            factors[k] = cost * found[inside[k]]
        _combination(x, rows, factors, along, bent)
        length = size / np.dot(along, bent)
        axpy(axpy_at, length, along, step)
        if np.linalg.norm(step) > radius:
            # Back, and on to where the direction leaves the ball.
            axpy(axpy_at, -length, along, step)
            both, inner, outer = np.dot(step, along), np.dot(step, step), np.dot(along, along)
            square = radius * radius
            root = np.sqrt(both * both + outer * (square - inner))
            length = (square - inner) / (both + root) if both >= 0 else (root - both) / outer
            axpy(axpy_at, length, along, step)
            axpy(axpy_at, -length, bent, rest)
            return
        axpy(axpy_at, -length, bent, rest)
        new = np.dot(rest, rest)
        for k in range(len(along)):
            along[k] *= new / size
        axpy(axpy_at, 1.0, rest, along)
        size = new
