"""The squared hinge in the primal: the trust region Newton method as liblinear does it.

The algorithm, and the library whose order of steps, constants and stopping rules is followed:

    C. Lin, R. Weng, S. Keerthi, "Trust region Newton method for logistic regression", JMLR 9, 2008;
    LIBLINEAR, copyright (c) The LIBLINEAR Project, BSD 3-Clause licence, in the form that
    scikit-learn (BSD 3-Clause as well) carries.

scikit-learn takes it where rows are at least as many as dimensions. It stops near the minimum, and
where exactly hangs on the last bit of each sum: conjugate gradients amplify a rounding error until
the step count differs. So the sums are made in liblinear's order, number by number. A sum over the
dimensions of a row cannot be split among the lanes of a processor then, but the sums of many rows
can run side by side, which takes the vectors turned: a line for each dimension.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from scirepeval_harness.probes.compiled import compiled

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
SIDE_BY_SIDE = 256
"""Rows whose sums run together; they stay in the first level of cache."""
MOST = 0.6
"""Share of the rows inside the margin from which all are visited."""


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
def _picked(turned: Floats, columns: Index, out: Floats) -> None:
    """Some columns of a matrix; numpy's take is three times as slow."""
    for j in range(len(turned)):
        line, into = turned[j], out[j]
        for k in range(len(columns)):
            into[k] = line[columns[k]]


@compiled
def _loss(signs: Wide, cost: float, weights: Wide, values: Wide) -> float:
    """1/2 |w|^2 + C sum max(0, 1 - t z)^2 with z turned into t z in place."""
    total = 0.0
    for weight in weights:
        total += weight * weight
    total /= 2.0
    for k in range(len(values)):
        values[k] = signs[k] * values[k]
        gap = 1.0 - values[k]
        if gap > 0:
            total += cost * gap * gap
    return total


@dataclass(frozen=True)
class Turned:
    """Training rows of a fit, for all its classes and values of C.

    Attributes:
        x: all vectors (n, d).
        rows: places of the training rows, class by class as liblinear sorts them (l,).
        lines: the training vectors turned (d, l).
    """

    x: Floats
    rows: Index
    lines: Floats

    @staticmethod
    def of(x: Floats, rows: Index) -> Turned:
        """Copies the training rows once."""
        return Turned(x, rows, np.ascontiguousarray(x[rows].T))


class _Problem:
    """One class against the rest: the objective and its derivatives."""

    def __init__(self, turned: Turned, signs: Wide, cost: float) -> None:
        self._turned, self._signs, self._cost = turned, signs, cost
        self._values = np.empty(len(signs))

    def loss(self, weights: Wide) -> float:
        _values(self._turned.lines, weights, self._values)
        return _loss(self._signs, self._cost, weights, self._values)

    def gradient(self, weights: Wide, out: Wide) -> None:
        """Of the last loss; from here on the curvature is that of the same place."""
        inside = np.flatnonzero(self._values < 1.0)
        signs, values = self._signs[inside], self._values[inside]
        self._rows = self._turned.rows[inside]
        # Conjugate gradients visit these rows several times; a copy of most rows is not worth it.
        self._inside = inside if len(inside) > MOST * len(self._signs) else None
        self._lines = self._turned.lines
        if self._inside is None:
            self._lines = np.empty((len(self._lines), len(inside)), dtype=self._lines.dtype)
            _picked(self._turned.lines, inside, self._lines)
        self._found = np.empty(self._lines.shape[1])
        factors = self._cost * signs * (values - 1.0)
        _combination(self._turned.x, self._rows, factors, weights, out)

    def curvature(self, along: Wide, out: Wide) -> None:
        _values(self._lines, along, self._found)
        found = self._found if self._inside is None else self._found[self._inside]
        _combination(self._turned.x, self._rows, self._cost * found, along, out)


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
    from scipy.linalg.blas import daxpy, ddot, dnrm2

    positives = int((signs > 0).sum())
    share = tolerance * max(min(positives, len(signs) - positives), 1) / len(signs)
    problem = _Problem(turned, signs, cost)
    weights = np.zeros(turned.x.shape[1] + 1)
    gradient = np.empty_like(weights)
    value = problem.loss(weights)
    problem.gradient(weights, gradient)
    first = radius = float(dnrm2(gradient))
    if first <= share * first:
        return weights, 0
    taken = 0
    while taken < limit:
        step, rest = _within(problem, gradient, radius)
        moved = daxpy(step, weights.copy(), a=1.0)
        slope = ddot(gradient, step)
        foreseen = -0.5 * (slope - ddot(step, rest))
        new = problem.loss(moved)
        gained = value - new
        length = dnrm2(step)
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
            problem.gradient(weights, gradient)
            if dnrm2(gradient) <= share * first:
                break
        # A step that was refused leaves the derivatives as they are.
        if abs(gained) <= 0 and foreseen <= 0:
            break
        if abs(gained) <= STALLED * abs(value) and abs(foreseen) <= STALLED * abs(value):
            break
    return weights, taken


def _within(problem: _Problem, gradient: Wide, radius: float) -> tuple[Wide, Wide]:
    """Minimises the quadratic model within the radius by conjugate gradients.

    Returns:
        The step, and what is left of the gradient there, negated.
    """
    # The same library as scikit-learn's, so that these sums come out the same as well.
    from scipy.linalg.blas import daxpy, ddot, dnrm2, dscal

    step, rest = np.zeros_like(gradient), -gradient
    along, bent = rest.copy(), np.empty_like(rest)
    enough = INNER_TOLERANCE * dnrm2(gradient)
    size = ddot(rest, rest)
    while dnrm2(rest) > enough:
        problem.curvature(along, bent)
        length = size / ddot(along, bent)
        daxpy(along, step, a=length)
        if dnrm2(step) > radius:
            # Back, and on to where the direction leaves the ball.
            daxpy(along, step, a=-length)
            both, inner, outer = ddot(step, along), ddot(step, step), ddot(along, along)
            square = radius * radius
            root = np.sqrt(both * both + outer * (square - inner))
            length = (square - inner) / (both + root) if both >= 0 else (root - both) / outer
            daxpy(along, step, a=length)
            daxpy(bent, rest, a=-length)
            break
        daxpy(bent, rest, a=-length)
        new = ddot(rest, rest)
        dscal(new / size, along)
        daxpy(rest, along, a=1.0)
        size = new
    return step, rest
