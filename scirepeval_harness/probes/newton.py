"""The squared hinge in the primal: the trust region Newton method as liblinear does it.

The algorithm, and the library whose order of steps, constants and stopping rules is followed:

    C. Lin, R. Weng, S. Keerthi, "Trust region Newton method for logistic regression", JMLR 9, 2008;
    LIBLINEAR, copyright (c) The LIBLINEAR Project, BSD 3-Clause licence, in the form that
    scikit-learn (BSD 3-Clause as well) carries.

scikit-learn takes it where rows are at least as many as dimensions. Unscaled vectors often bring it
to its limit of 1,000 steps, far from the minimum. The answer is then where it stopped, and
conjugate gradients amplify a rounding error until the step count differs. So the sums are made in
liblinear's order, number by number (:mod:`panels`).

What is saved is work that moves no bit. Rows beyond the margin count nowhere; a row that is so far
beyond it that the weights, moving no more than a certain way, cannot bring it back (Cauchy and
Schwarz) need not even be looked at until they have moved that far. And problems that share most of
the rows within their margins fetch each row once for all of them: where the vectors are larger than
the caches, that is what takes the time.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from scirepeval_harness.probes.compiled import axpy, axpy_address, compiled
from scirepeval_harness.probes.panels import Panels, combinations, decision_values

Floats = NDArray[np.floating[Any]]
Wide = NDArray[np.float64]
Index = NDArray[np.int64]
Marks = NDArray[np.bool_]

ACCEPTED, POOR, GOOD = 1e-4, 0.25, 0.75
"""Shares of the foreseen reduction from which a step is taken, and the radius kept, or grown."""
SHRINK_MOST, SHRINK, GROW = 0.25, 0.5, 4.0
"""Bounds of what the radius is multiplied with."""
INNER_TOLERANCE = 0.1
"""Conjugate gradients end when the residual is such a share of the gradient."""
STALLED = 1e-12
"""Changes of the objective, as a share of it, that end the search."""
MOST = 0.4
"""Share of the rows from which all are visited rather than some copied."""
ALIKE = 1.5
"""How many more visits of rows problems may make together than each for itself."""
AHEAD = 12.0
"""Lengths of the last step that the rows at hand are to last for."""
SLACK = 1e-9
"""More than rounding, in units of the margin."""


@compiled
def _reachable(margins: Wide, lengths: Wide, reach: float) -> Marks:
    """Which rows can lie within the margin when the weights move no more than so far."""
    found = np.empty(len(margins), dtype=np.bool_)
    for k in range(len(margins)):
        least = margins[k] - (1.0 + SLACK) * reach * lengths[k]
        found[k] = least < 1.0 + SLACK * (1.0 + abs(margins[k]))
    return found


@compiled
def _mark(margins: Wide, which: Index, inside: Marks) -> None:
    """Marks the rows within the margin (k, l), for some problems."""
    for p in which:
        for k in range(margins.shape[1]):
            inside[p, k] = margins[p, k] < 1.0


@compiled
def _marked(inside: Marks, which: Index) -> Index:
    """Places of the rows that are marked for any of some problems."""
    found, count = np.empty(inside.shape[1], dtype=np.int64), 0
    for k in range(inside.shape[1]):
        found[count] = k
        some = False
        for p in which:
            some |= inside[p, k]
        count += some
    return found[:count].copy()


@compiled
def _pulls(
    costs: Wide, signs: Wide, classes: Index, margins: Wide, inside: Marks, places: Index,
    which: Index, out: Wide,
) -> None:  # fmt: skip
    """What the loss of each row is worth in the gradient, 0 beyond the margin, for some problems
    (k, l)."""
    for p in which:
        for k in range(len(places)):
            at = places[k]
            out[p, k] = (
                costs[p] * signs[classes[p], at] * (margins[p, at] - 1.0) if inside[p, at] else 0.0
            )


@compiled
def _distance(a: Wide, b: Wide) -> float:
    total = 0.0
    for k in range(len(a)):
        total += (a[k] - b[k]) ** 2
    return float(np.sqrt(total))


@compiled
def _loss(
    signs: Wide, rows: Index, cost: float, weights: Wide, values: Wide, margins: Wide
) -> float:
    """1/2 |w|^2 + C sum max(0, 1 - t z)^2 over some rows, whose t z go into their margins."""
    total = 0.0
    for weight in weights:
        total += weight * weight
    total /= 2.0
    for k in range(len(rows)):
        margin = signs[rows[k]] * values[k]
        margins[rows[k]] = margin
        gap = 1.0 - margin
        if gap > 0:
            total += cost * gap * gap
    return total


Rooms = tuple[Panels, Panels]
"""For the rows that can lie within the margin, and for those that do."""


@dataclass(frozen=True)
class Turned:
    """Training rows of a fold, for all its classes and values of C.

    Attributes:
        x: all vectors (n, d).
        rows: places of the training rows, class by class as liblinear sorts them (l,).
        lengths: |x| of the training vectors with the 1 of the intercept (l,).
        panels: the training vectors turned, in panels of m rows (l / m, d, m).
        rooms: for copies, those that no fit is at work in.
    """

    x: Floats
    rows: Index
    lengths: Wide
    panels: Floats
    rooms: deque[Rooms] = field(default_factory=deque)

    @staticmethod
    def of(x: Floats, sizes: Wide, rows: Index) -> Turned:
        """Copies the training rows once; ``sizes`` is |x|^2 with the 1 (n,)."""
        return Turned(x, rows, np.sqrt(sizes[rows]), Panels(x).of(rows))


class _Problems:
    """Some classes against the rest, each with several values of C, which look at a row together:
    the objectives and their derivatives. What concerns one never moves a bit of another's.

    Args:
        signs: by class (c, l).
        classes, costs: by problem (k,).

    Attributes:
        gradients: at the places of the last :meth:`differentiate` (k, d + 1).
    """

    def __init__(
        self, turned: Turned, signs: Wide, classes: Index, costs: Wide, rooms: Rooms
    ) -> None:
        self._turned, self._signs, self._classes, self._costs = turned, signs, classes, costs
        shape = len(costs), turned.x.shape[1] + 1
        self._every = np.arange(signs.shape[1])
        # The rows at hand are all that can lie within a margin while the weights are in reach.
        self._near, self._panels = self._every, turned.panels
        self._near_room, self._bent_room = rooms
        self._anchors, self._reaches = np.zeros(shape), np.full(len(costs), -1.0)
        self._margins = np.empty((len(costs), len(self._every)))
        self._inside = np.zeros(self._margins.shape, dtype=np.bool_)
        self.gradients = np.zeros(shape)

    def losses(self, which: Index, weights: Wide, steps: Wide) -> list[float]:
        """Objectives of some problems at places (k, d + 1) that lie steps of those lengths (k,)
        from the last."""
        if all(_distance(weights[p], self._anchors[p]) <= self._reaches[p] for p in which):
            return self._losses(which, weights)
        self._near, self._panels = self._every, self._turned.panels
        self._reaches[:] = -1.0
        found = self._losses(which, weights)
        near = np.zeros(len(self._every), dtype=np.bool_)
        for p in which:
            near |= _reachable(self._margins[p], self._turned.lengths, AHEAD * steps[p])
        if np.count_nonzero(near) < MOST * len(near):
            self._near = np.flatnonzero(near)
            self._panels = self._near_room.of(self._turned.rows[self._near])
            self._anchors[which], self._reaches[which] = weights[which], AHEAD * steps[which]
        return found

    def _losses(self, which: Index, weights: Wide) -> list[float]:
        values = np.empty((len(self._costs), len(self._near)))
        decision_values(self._panels, weights, which, values)
        return [
            _loss(
                self._signs[self._classes[p]], self._near, self._costs[p], weights[p], values[p],
                self._margins[p],
            )
            for p in which
        ]  # fmt: skip

    def differentiate(self, which: Index, weights: Wide) -> None:
        """Sets the gradients of some problems where their last loss was; from here on their
        curvature is that of the same place."""
        _mark(self._margins, which, self._inside)
        for some, places in self._together(which):
            factors = np.empty((len(self._costs), len(places)))
            _pulls(
                self._costs, self._signs, self._classes, self._margins, self._inside, places, some,
                factors,
            )  # fmt: skip
            rows = self._turned.rows[places]
            combinations(self._turned.x, rows, factors, weights, some, self.gradients)

    def steps(self, which: Index, radii: Wide) -> tuple[Wide, Wide]:
        """Minimises quadratic models within radii (k,); the steps (k, d + 1), and what is left of
        the gradients there, negated."""
        steps, rests = np.zeros_like(self.gradients), -self.gradients
        for some, places in self._together(which):
            rows = self._turned.rows[places]
            # Conjugate gradients visit these rows several times; a copy of most is not worth it.
            if len(places) < MOST * len(self._near):
                panels, count, at = self._bent_room.of(rows), len(rows), self._every[: len(rows)]
            else:
                panels, count = self._panels, len(self._near)
                at = np.searchsorted(self._near, places)
            _conjugate(
                axpy_address(), self._turned.x, rows, panels, count, at, places, self._inside,
                self._costs, radii, some, steps, rests,
            )  # fmt: skip
        return steps, rests

    def _together(self, which: Index) -> Iterator[tuple[Index, Index]]:
        """Problems whose rows within the margin are much the same, with the places of these rows:
        all, those of a class, or one."""
        places = _marked(self._inside, which)
        visits = len(places) * len(which)
        if len(which) == 1 or visits <= ALIKE * np.count_nonzero(self._inside[which]):
            yield which, places
            return
        classes = self._classes[which]
        alike = classes if classes[0] != classes[-1] else which
        for one in np.unique(alike):
            yield from self._together(which[alike == one])


def squared_hinge(
    turned: Turned, signs: Wide, costs: Sequence[float], *, tolerance: float, limit: int
) -> list[list[tuple[Wide, int]]]:
    """Fits some classes, each against the rest, for several values of C side by side.

    Args:
        signs: 1 or -1, by class, for each training row (c, l).
        costs: the values of C.
        tolerance: scikit-learn's; the gradient must fall to that times the share of the rarer side.
        limit: stops after so many steps.

    Returns:
        By class and C the weights, the intercept last (d + 1,), and steps taken: ``limit`` if the
        tolerance was missed.
    """
    # The same library as scikit-learn's, so that these sums come out the same as well.
    from scipy.linalg.blas import daxpy, ddot, dnrm2

    number, count = signs.shape
    positives = np.count_nonzero(signs > 0, axis=1)
    shares = tolerance * np.maximum(np.minimum(positives, count - positives), 1) / count
    classes, shares = np.repeat(np.arange(number), len(costs)), np.repeat(shares, len(costs))
    try:
        rooms = turned.rooms.pop()
    except IndexError:
        rooms = Panels(turned.x), Panels(turned.x)
    problems = _Problems(
        turned, signs, classes, np.tile(np.array(costs, dtype=np.float64), number), rooms
    )
    gradients = problems.gradients
    weights, moved = np.zeros_like(gradients), np.zeros_like(gradients)
    left = np.arange(len(classes))
    taken, lengths = np.zeros(len(left), dtype=np.int64), np.full(len(left), np.inf)
    values = np.array(problems.losses(left, weights, lengths))
    problems.differentiate(left, weights)
    firsts = np.array([dnrm2(gradient) for gradient in gradients])
    radii = firsts.copy()
    left = left[firsts > shares * firsts]
    while len(left):
        steps, rests = problems.steps(left, radii)
        for p in left:
            moved[p] = daxpy(steps[p], weights[p].copy(), a=1.0)
            lengths[p] = dnrm2(steps[p])
        accepted, stalled = [], []
        for p, new in zip(left, problems.losses(left, moved, lengths), strict=True):
            slope = ddot(gradients[p], steps[p])
            foreseen = -0.5 * (slope - ddot(steps[p], rests[p]))
            gained, radius, length = values[p] - new, radii[p], lengths[p]
            if taken[p] == 0:
                radius = min(radius, length)
            over = new - values[p] - slope
            factor = GROW if over <= 0 else max(SHRINK_MOST, -0.5 * (slope / over))
            radii[p] = _next_radius(radius, factor * length, gained, foreseen)
            if gained > ACCEPTED * foreseen:
                taken[p] += 1
                weights[p], values[p] = moved[p], new
                accepted.append(p)
            small = STALLED * abs(values[p])
            if (abs(gained) <= 0 and foreseen <= 0) or abs(gained) <= small >= abs(foreseen):
                stalled.append(p)
        # A step that was refused leaves the derivatives as they are.
        if accepted:
            problems.differentiate(np.array(accepted), weights)
        ended = [p for p in accepted if dnrm2(gradients[p]) <= shares[p] * firsts[p]]
        left = left[(taken[left] < limit) & ~np.isin(left, [*ended, *stalled])]
    turned.rooms.append(rooms)
    found = [(weights[p], int(taken[p])) for p in range(len(classes))]
    return [found[k : k + len(costs)] for k in range(0, len(found), len(costs))]


def _next_radius(radius: float, proposed: float, gained: float, foreseen: float) -> float:
    """How far the next step may go, by what this one gained of what was foreseen."""
    if gained < ACCEPTED * foreseen:
        return min(proposed, SHRINK * radius)
    if gained < POOR * foreseen:
        return max(SHRINK_MOST * radius, min(proposed, SHRINK * radius))
    least = SHRINK_MOST * radius if gained < GOOD * foreseen else radius
    return max(least, min(proposed, GROW * radius))


@compiled
def _conjugate(
    axpy_at: int, x: Floats, rows: Index, panels: Floats, count: int, at: Index, places: Index,
    inside: Marks, costs: Wide, radii: Wide, which: Index, steps: Wide, rests: Wide,
) -> None:  # fmt: skip
    """Conjugate gradients from steps of zero, for some problems.

    Args:
        rows: places of the rows within some margin (l,).
        panels: ``count`` vectors turned, these rows among them; ``at`` says where (l,).
        places: and where among the training rows they are (l,).
        inside: which of the training rows are within a problem's margin (k, n).
        costs, radii: by problem (k,).
        which: the problems at work.
        steps: 0 at first (k, d + 1).
        rests: the negative gradients at first, what is left of them at last (k, d + 1).
    """
    along, bent = rests.copy(), np.empty_like(rests)
    found = np.empty((len(costs), count))
    factors = np.zeros((len(costs), len(rows)))
    enough, sizes = np.empty(len(costs)), np.empty(len(costs))
    left, some = which.copy(), 0
    for p in which:
        enough[p] = INNER_TOLERANCE * np.linalg.norm(rests[p])
        sizes[p] = np.dot(rests[p], rests[p])
        if np.linalg.norm(rests[p]) > enough[p]:
            left[some] = p
            some += 1
    while some:
        left = left[:some]
        decision_values(panels, along, left, found)
        for p in left:
            for k in range(len(rows)):
                if inside[p, places[k]]:
                    factors[p, k] = costs[p] * found[p, at[k]]
        combinations(x, rows, factors, along, left, bent)
        some = 0
        for p in left:
            # One by one, as liblinear has it.
            if _go_along(
                axpy_at,
                along[p],
                bent[p],
                radii[p],
                enough[p],
                sizes[p : p + 1],
                steps[p],
                rests[p],
            ):
                left[some] = p
                some += 1


@compiled
def _go_along(
    axpy_at: int, along: Wide, bent: Wide, radius: float, enough: float, size: Wide, step: Wide,
    rest: Wide,
) -> bool:  # fmt: skip
    """One step of conjugate gradients, in place; whether there is another."""
    length = size[0] / np.dot(along, bent)
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
        return False
    axpy(axpy_at, -length, bent, rest)
    new = np.dot(rest, rest)
    for k in range(len(along)):
        along[k] *= new / size[0]
    axpy(axpy_at, 1.0, rest, along)
    size[0] = new
    return bool(np.linalg.norm(rest) > enough)
